"""ETags, and requests that hold only for what was seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pagoda.domain.entity.models import EntityAttr
from pagoda.domain.user.models import Level, Role

pytestmark = pytest.mark.django_db


def url_of(entry: Any) -> str:
    return f"/api/v2/entries/{entry.pk}/"


def test_a_write_answers_with_the_tag_that_reading_has(api: Any, web: Any) -> None:
    first = api.get(url_of(web))["ETag"]
    assert first.startswith('"')
    assert api.get(url_of(web))["ETag"] == first

    changed = api.patch(url_of(web), {"attrs": {"count": 5}})
    assert changed["ETag"] == api.get(url_of(web))["ETag"] != first
    made = api.post("/api/v2/entries/", {"name": "new", "schema": "Host"})
    assert made["ETag"] == api.get(f"/api/v2/entries/{made.json()['id']}/")["ETag"]


@pytest.mark.parametrize("header", ["{}", "W/{}", '"other", {}', "*"])
def test_what_the_client_has_is_not_sent_again(api: Any, web: Any, header: str) -> None:
    tag = api.get(url_of(web))["ETag"]
    same = api.get(url_of(web), headers={"If-None-Match": header.format(tag)})
    assert (same.status_code, same.content, same["ETag"]) == (304, b"", tag)

    api.patch(url_of(web), {"note": "other"})
    again = api.get(url_of(web), headers={"If-None-Match": tag})
    assert (again.status_code, again.json()["note"]) == (200, "other")


def test_what_is_another_one_is_not_shown_to_who_asked_for_one(api: Any, web: Any) -> None:
    tag = api.get(url_of(web))["ETag"]
    for match in ("*", tag, f'"x", {tag}'):
        assert api.get(url_of(web), headers={"If-Match": match}).status_code == 200
    refused = api.get(url_of(web), headers={"If-Match": '"other"'})
    assert (refused.status_code, refused.json()["code"]) == (412, "precondition_failed")
    assert set(refused.json()) == {"detail", "code", "request_id"}


def test_a_name_that_is_shown_of_another_entry_is_in_the_tag(
    api: Any, make_entity: Any, make_entry: Any
) -> None:
    rack = make_entry(make_entity("Rack"), "r1")
    host = make_entry(make_entity("Server", rack="object"), "s1", rack=rack.pk)
    tag = api.get(url_of(host))["ETag"]

    api.patch(url_of(rack), {"name": "r2"})

    shown = api.get(url_of(host), headers={"If-None-Match": tag})
    assert (shown.status_code, shown.json()["attrs"][0]["value"]["name"]) == (200, "r2")


def test_only_what_was_seen_is_changed(api: Any, web: Any) -> None:
    tag = api.get(url_of(web))["ETag"]
    first = api.patch(url_of(web), {"attrs": {"count": 1}}, headers={"If-Match": tag})
    assert first.status_code == 200

    late = api.patch(url_of(web), {"attrs": {"count": 2}}, headers={"If-Match": tag})
    assert late.status_code == 412
    assert late.json()["code"] == "precondition_failed"
    assert web.get_attrs()["count"] == 1
    merged = api.patch(url_of(web), {"attrs": {"count": 2}}, headers={"If-Match": f'"x", {first["ETag"]}'})
    assert merged.status_code == 200
    assert web.get_attrs()["count"] == 2


@pytest.mark.parametrize("header", ['"other"', "W/{}", "{} ", "nonsense", ""])
def test_a_tag_is_compared_strongly(api: Any, web: Any, header: str) -> None:
    tag = api.get(url_of(web))["ETag"]
    sent = header.format(tag)
    response = api.patch(url_of(web), {"note": "n"}, headers={"If-Match": sent})
    assert response.status_code == (200 if sent.strip() == tag else 412)


@pytest.mark.parametrize(("method", "path"), [("delete", ""), ("patch", ""), ("post", "restore/")])
def test_each_change_of_an_entry_has_conditions(api: Any, web: Any, method: str, path: str) -> None:
    send = getattr(api, method)
    assert send(url_of(web) + path, headers={"If-Match": '"x"'}).status_code == 412
    assert send(url_of(web) + path, headers={"If-None-Match": "*"}).status_code == 412
    web.refresh_from_db()
    assert web.is_active
    assert send(url_of(web) + path, headers={"If-Match": "*"}).status_code < 300
    assert send(url_of(web).replace(str(web.pk), "999") + path, headers={"If-Match": "*"}).status_code == 404


def test_each_change_of_an_entity_has_conditions(api: Any, make_entity: Any) -> None:
    url = f"/api/v2/entities/{make_entity('Host', ram='number').pk}/"
    shown = api.get(url)
    late = {"If-Match": shown["ETag"]}
    assert api.get(url, headers={"If-None-Match": shown["ETag"]}).status_code == 304
    added = api.patch(url, {"attrs": [{"name": "os", "type": "string"}]}, headers=late)
    assert added.status_code == 200

    for method in ("patch", "put", "delete"):
        body = None if method == "delete" else shown.json()
        assert getattr(api, method)(url, body, headers=late).status_code == 412, method
    assert api.post(f"{url}restore/", headers=late).status_code == 412
    assert [each["name"] for each in api.get(url).json()["attrs"]] == ["ram", "os"]
    whole = {"name": "Host", "attrs": shown.json()["attrs"]}
    assert api.put(url, whole, headers={"If-Match": added["ETag"]}).status_code == 200


def test_accounts_have_conditions(superuser_api: Any) -> None:
    url = f"/api/v2/roles/{Role.objects.create(name='ops').pk}/"
    tag = {"If-Match": superuser_api.get(url)["ETag"]}
    changed = superuser_api.patch(url, {"note": "n"}, headers=tag)
    assert (changed.status_code, changed["ETag"]) == (200, superuser_api.get(url)["ETag"])
    for method in ("patch", "put", "delete"):
        body = None if method == "delete" else {"name": "x"}
        assert getattr(superuser_api, method)(url, body, headers=tag).status_code == 412
    assert superuser_api.delete(url, headers={"If-Match": changed["ETag"]}).status_code == 204


def test_what_a_user_may_not_see_is_not_in_their_tag(
    api: Any, web: Any, superuser_api: Any, grant: Any
) -> None:
    EntityAttr.objects.filter(name="count").update(default_permission=Level.NOTHING)
    theirs, whole = api.get(url_of(web))["ETag"], superuser_api.get(url_of(web))["ETag"]
    superuser_api.patch(url_of(web), {"attrs": {"count": 7}})
    assert api.get(url_of(web))["ETag"] == theirs
    assert superuser_api.get(url_of(web))["ETag"] != whole


def test_conditions_cost_who_sends_them_alone(
    api: Any, web: Any, django_assert_max_num_queries: Callable[[int], Any]
) -> None:
    tag = api.get(url_of(web))["ETag"]
    with django_assert_max_num_queries(2):
        assert api.get(url_of(web), headers={"If-None-Match": tag}).status_code == 304
    with django_assert_max_num_queries(14):
        api.patch(url_of(web), {"attrs": {"count": 3}}, headers={"If-Match": tag})
