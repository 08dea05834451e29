"""One shape of errors: whatever attributes are called, what is told of the whole stands."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.django_db

RESERVED = ("code", "detail", "errors", "plugin", "request_id")


def test_no_attribute_hides_what_is_told_of_the_whole(api: Any, make_entity: Any) -> None:
    make_entity("Odd", **dict.fromkeys((*RESERVED, "ram"), "number"))
    attrs = dict.fromkeys((*RESERVED, "ram"), "many")

    response = api.post("/api/v2/entries/", {"name": "x", "schema": "Odd", "attrs": attrs})

    body = response.json()
    assert (response.status_code, body["code"]) == (400, "invalid")
    assert set(body["errors"]) == {*RESERVED, "ram"}
    assert all("many" in messages[0] for messages in body["errors"].values())
    assert isinstance(body["detail"], str)
    assert "And 3 more: see `errors`." in body["detail"]
    assert "plugin" not in body
    assert body["ram"] == body["errors"]["ram"]  # for clients of the former release


def test_the_detail_names_the_first_faults(api: Any, web: Any) -> None:
    body = api.post("/api/v2/entries/", {"name": "x", "schema": "Hots"}).json()
    assert body["detail"] == "schema: There is no entity 'Hots'. Did you mean 'Host'?"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("post", "entries/", {"name": "web", "schema": "Host"}),
        ("patch", "entries/{other}/", {"name": "web"}),
        ("post", "entities/", {"name": "Host"}),
        ("patch", "entities/{host}/", {"attrs": [{"name": "count", "type": "string"}]}),
        ("delete", "entities/{host}/", None),
        ("patch", "entries/{gone}/", {"name": "x"}),
        ("post", "entries/{gone}/restore/", None),
    ],
)
def test_what_only_the_state_forbids_is_a_conflict(
    api: Any, web: Any, make_entry: Any, method: str, path: str, body: Any
) -> None:
    other, gone = make_entry(web.schema, "other"), make_entry(web.schema, "gone")
    gone.delete()
    make_entry(web.schema, "gone")
    url = path.format(other=other.pk, gone=gone.pk, host=web.schema_id)

    response = getattr(api, method)(f"/api/v2/{url}", body)

    assert (response.status_code, response.json()["code"]) == (409, "conflict"), response.json()


def test_a_conflict_beside_a_fault_of_the_request_is_a_fault_of_it(api: Any, web: Any) -> None:
    body = {"name": "web", "schema": "Host", "attrs": {"count": "many"}}
    assert api.post("/api/v2/entries/", body).status_code == 400
