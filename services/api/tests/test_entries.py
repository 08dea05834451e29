from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.serializers import ModelSerializer

from pagoda.domain.entry.models import AttributeValue, Entry
from pagoda.domain.user.models import Level
from pagoda_api.resources.entries import EntrySerializer

pytestmark = pytest.mark.django_db

URL = "/api/v2/entries/"


@pytest.fixture
def host(make_entity: Callable[..., Any]) -> Any:
    return make_entity("Host", address="string", count="number", tags="array_string")


def url(entry: Any, action: str = "") -> str:
    return f"{URL}{entry.pk}/{action}"


def values(body: dict[str, Any]) -> dict[str, Any]:
    return {attr["name"]: attr["value"] for attr in body["attrs"]}


def names(response: Any) -> list[str]:
    return [entry["name"] for entry in response.json()["results"]]


@pytest.mark.parametrize("field", ["schema", "entity"])
@pytest.mark.parametrize("by", ["id", "name", "id as text"])
def test_create_answers_201_with_the_entry(api: Any, host: Any, field: str, by: str) -> None:
    given = {"id": host.id, "name": host.name, "id as text": str(host.id)}[by]

    response = api.post(URL, {"name": "web", field: given, "note": "n", "attrs": {"address": "10.0.0.1"}})

    assert response.status_code == 201, response.json()
    body = response.json()
    assert (body["name"], body["note"], body["is_active"]) == ("web", "n", True)
    assert body["schema"] == {"id": host.id, "name": "Host"}
    assert body["created_user"]["username"] == "ann"
    assert values(body) == {"address": "10.0.0.1", "count": None, "tags": []}
    assert api.get(f"{URL}{body['id']}/").json() == body


@pytest.mark.parametrize("microseconds", [0, 120_000])
@pytest.mark.parametrize("has_user", [True, False])
def test_what_is_written_by_hand_is_what_rest_framework_writes(
    make_entity: Callable[..., Any], make_entry: Any, ann: Any, has_user: bool, microseconds: int
) -> None:
    entry = make_entry(make_entity("Host"), "wéb")
    entry.created_user = ann if has_user else None
    entry.updated_time = entry.updated_time.replace(microsecond=microseconds)
    serializer = EntrySerializer(entry, context={"attrs": {entry.pk: []}})

    assert serializer.data == ModelSerializer.to_representation(serializer, entry)


def test_attributes_may_be_given_as_items_by_id_or_name(api: Any, host: Any) -> None:
    address = host.attrs.get(name="address")
    items = [{"id": address.pk, "value": "10.0.0.1"}, {"name": "count", "value": 4}]

    response = api.post(URL, {"name": "web", "schema": "Host", "attrs": items})

    assert response.status_code == 201
    assert values(response.json()) == {"address": "10.0.0.1", "count": 4, "tags": []}


def test_patch_changes_what_is_given_and_nothing_else(api: Any, host: Any, make_entry: Any) -> None:
    entry = make_entry(host, "web", address="10.0.0.1", count=4)

    response = api.patch(url(entry), {"note": "moved", "attrs": {"count": 5}})

    assert response.status_code == 200
    assert response.json()["note"] == "moved"
    assert values(response.json()) == {"address": "10.0.0.1", "count": 5, "tags": []}


def test_patch_that_changes_nothing_stores_nothing(api: Any, host: Any, make_entry: Any) -> None:
    entry = make_entry(host, "web", address="10.0.0.1")
    versions = AttributeValue.objects.count()

    response = api.patch(url(entry), {"name": "web", "attrs": {"address": "10.0.0.1"}})

    assert response.status_code == 200
    assert AttributeValue.objects.count() == versions


def test_delete_is_soft_and_restore_undoes_it(api: Any, host: Any, make_entry: Any) -> None:
    entry = make_entry(host, "web", address="10.0.0.1")

    assert api.delete(url(entry)).status_code == 204
    assert names(api.get(URL)) == []
    assert names(api.get(URL, {"is_active": "false"})) == ["web"]
    assert api.get(url(entry)).json()["is_active"] is False
    assert api.delete(url(entry)).status_code == 204

    response = api.post(url(entry, "restore/"))

    assert response.status_code == 200
    assert response.json()["is_active"] is True
    assert values(response.json())["address"] == "10.0.0.1"
    assert names(api.get(URL)) == ["web"]


def test_deleted_entry_can_not_be_changed(api: Any, host: Any, make_entry: Any) -> None:
    entry = make_entry(host, "web")
    api.delete(url(entry))

    response = api.patch(url(entry), {"note": "n"})

    assert response.status_code == 409
    assert "is deleted; restore it first" in str(response.json())


def test_list_is_filtered_by_entity_search_and_standing(
    api: Any, host: Any, make_entity: Any, make_entry: Any
) -> None:
    rack = make_entity("Rack")
    for entity, name in ((host, "web-1"), (host, "db-1"), (rack, "web-rack"), (host, "web-old")):
        make_entry(entity, name)
    Entry.objects.get(name="web-old").delete()

    assert names(api.get(URL)) == ["web-1", "db-1", "web-rack"]
    assert names(api.get(URL, {"entity": "Host"})) == ["web-1", "db-1"]
    assert names(api.get(URL, {"entity": host.id})) == ["web-1", "db-1"]
    assert names(api.get(URL, {"search": "WEB"})) == ["web-1", "web-rack"]
    assert names(api.get(URL, {"search": "web", "entity": "Host", "is_active": "all"})) == [
        "web-1",
        "web-old",
    ]


def test_entity_named_by_a_number_is_found_by_its_name(api: Any, make_entity: Any, make_entry: Any) -> None:
    first, second = make_entity("First"), make_entity("1")
    make_entry(first, "of the first")
    make_entry(second, "of the second")

    assert first.pk == 1 or first.pk != second.pk
    assert names(api.get(URL, {"entity": "1"})) == ["of the second"]


def test_search_takes_wildcards_literally(api: Any, host: Any, make_entry: Any) -> None:
    make_entry(host, "100%")
    make_entry(host, "1000")

    assert names(api.get(URL, {"search": "0%"})) == ["100%"]


def test_pages_follow_each_other_without_gap_or_double(api: Any, host: Any, make_entry: Any) -> None:
    for number in range(5):
        make_entry(host, f"host {number}")

    first = api.get(URL, {"limit": 2}).json()
    second = api.get(first["next"]).json()
    third = api.get(second["next"]).json()

    assert first["count"] == 5
    assert first["previous"] is None
    assert third["next"] is None
    seen = [entry["name"] for page in (first, second, third) for entry in page["results"]]
    assert seen == [f"host {number}" for number in range(5)]


def versions(api: Any, entry: Any) -> list[dict[str, Any]]:
    items = api.get(url(entry, "history/")).json()["results"]
    return [each for each in items if each["kind"] == "value"]


def test_history_shows_every_version_the_newest_first(api: Any, host: Any, make_entry: Any) -> None:
    entry = make_entry(host, "web", address="10.0.0.1")
    api.patch(url(entry), {"attrs": {"address": "10.0.0.2"}})

    found = versions(api, entry)

    assert [(line["value"], line["is_latest"]) for line in found] == [
        ("10.0.0.2", True),
        ("10.0.0.1", False),
    ]
    assert [line["created_user"] and line["created_user"]["username"] for line in found] == ["ann", None]
    assert {line["attr"]["name"] for line in found} == {"address"}


def test_history_shows_references_as_values_do(
    api: Any, make_entity: Any, make_entry: Any, django_assert_max_num_queries: Any
) -> None:
    rack = make_entry(make_entity("Rack"), "r1")
    attrs = {"one": rack.pk, "many": [rack.pk], "named": {"name": "left", "object": rack.pk}}
    host = make_entity("Host", one="object", many="array_object", named="named_object", tags="array_string")
    entry = make_entry(host, "web", **attrs, tags=["a"])

    with django_assert_max_num_queries(10):
        found = versions(api, entry)

    shown = {line["attr"]["name"]: line["value"] for line in found}
    assert shown == {
        name: value for name, value in values(api.get(url(entry)).json()).items() if name in {*attrs, "tags"}
    }
    assert shown["named"]["object"]["schema"]["name"] == "Rack"


class TestPermissions:
    @pytest.fixture
    def entry(self, host: Any, make_entry: Any) -> Any:
        return make_entry(host, "web", address="10.0.0.1")

    @pytest.mark.parametrize("kind", ["entity", "entry"])
    def test_what_may_not_be_read_does_not_exist(self, api: Any, host: Any, entry: Any, kind: str) -> None:
        thing = {"entity": host, "entry": entry}[kind]
        type(thing).objects.filter(pk=thing.pk).update(default_permission=Level.NOTHING)

        assert api.get(url(entry)).status_code == 404
        assert api.patch(url(entry), {"note": "n"}).status_code == 404
        assert api.delete(url(entry)).status_code == 404
        assert api.get(url(entry, "history/")).status_code == 404
        assert names(api.get(URL)) == []

    def test_reading_does_not_allow_writing(self, api: Any, host: Any, entry: Any) -> None:
        type(host).objects.update(default_permission=Level.READABLE)

        assert api.get(url(entry)).status_code == 200
        refused = api.patch(url(entry), {"note": "n"})
        assert refused.status_code == 403
        assert "'ann' has 'readable'" in refused.json()["detail"]
        assert refused.json()["code"] == "permission_denied"
        assert api.post(URL, {"name": "x", "schema": "Host"}).status_code == 403
        assert api.delete(url(entry)).status_code == 403
        assert list(Entry.objects.values_list("name", "note", "is_active")) == [("web", "", True)]

    def test_writing_does_not_allow_deleting(self, api: Any, host: Any, entry: Any) -> None:
        type(host).objects.update(default_permission=Level.WRITABLE)

        assert api.patch(url(entry), {"note": "n"}).status_code == 200
        assert api.delete(url(entry)).status_code == 403
        entry.delete()
        assert api.post(url(entry, "restore/")).status_code == 403

    def test_role_grants_what_the_default_does_not(
        self, api: Any, ann: Any, host: Any, entry: Any, grant: Any
    ) -> None:
        type(host).objects.update(default_permission=Level.NOTHING)
        grant(ann, Level.WRITABLE, entity=host)

        assert api.patch(url(entry), {"note": "n"}).status_code == 200

    @pytest.mark.parametrize("given_by", ["name", "id"])
    def test_attribute_that_may_not_be_written_is_refused(
        self, api: Any, host: Any, entry: Any, given_by: str
    ) -> None:
        attr = host.attrs.get(name="address")
        type(attr).objects.filter(pk=attr.pk).update(default_permission=Level.READABLE)
        item = {"id": attr.pk} if given_by == "id" else {"name": "address"}

        for response in (
            api.patch(url(entry), {"attrs": [{**item, "value": "10.0.0.2"}]}),
            api.post(URL, {"name": "x", "schema": "Host", "attrs": [{**item, "value": "10.0.0.2"}]}),
        ):
            assert response.status_code == 403
            assert "attribute 'address' of entity 'Host'" in response.json()["detail"]
        assert entry.get_attrs()["address"] == "10.0.0.1"

    def test_attribute_that_may_not_be_read_is_not_shown(self, api: Any, host: Any, entry: Any) -> None:
        host.attrs.filter(name="address").update(default_permission=Level.NOTHING)

        assert values(api.get(url(entry)).json()) == {"count": None, "tags": []}
        assert api.get(url(entry, "history/")).json()["count"] == 1  # that it was made

    def test_entry_that_may_not_be_read_is_not_shown_by_a_reference(
        self, api: Any, make_entity: Any, make_entry: Any
    ) -> None:
        secret = make_entry(make_entity("Secret"), "s")
        type(secret).objects.filter(pk=secret.pk).update(default_permission=Level.NOTHING)
        entry = make_entry(make_entity("Open", to="object"), "o", to=secret.pk)

        assert values(api.get(url(entry)).json()) == {"to": None}
        [version] = versions(api, entry)
        assert version["value"] is None

    @pytest.mark.parametrize("of_type", ["object", "array_object", "named_object", "array_named_object"])
    def test_who_guesses_a_hidden_target_is_not_told(
        self, api: Any, make_entity: Any, make_entry: Any, of_type: str
    ) -> None:
        secret = make_entity("Secret")
        kept, other = make_entry(secret, "kept"), make_entry(secret, "other")
        type(secret).objects.filter(pk=secret.pk).update(default_permission=Level.NOTHING)

        def sent(pk: int) -> Any:
            one = {"name": "n", "object": pk} if "named" in of_type else pk
            return [one] if "array" in of_type else one

        entry = make_entry(make_entity("Open", to=of_type), "o", to=sent(kept.pk))
        guessed, wrong = (api.patch(url(entry), {"attrs": {"to": sent(each.pk)}}) for each in (kept, other))

        assert (guessed.status_code, wrong.status_code) == (400, 400)
        assert guessed.content.decode() == wrong.content.decode().replace(str(other.pk), str(kept.pk))

    def test_superuser_may_do_everything(self, make_user: Any, client_of: Any, host: Any, entry: Any) -> None:
        type(host).objects.update(default_permission=Level.NOTHING)
        root = client_of(make_user("root", is_superuser=True))

        assert root.patch(url(entry), {"attrs": {"address": "10.0.0.9"}}).status_code == 200
        assert root.delete(url(entry)).status_code == 204


def test_history_counts_no_references_that_one_may_not_read(
    api: Any, make_entity: Any, make_entry: Any
) -> None:
    secret, rack = make_entity("Secret"), make_entry(make_entity("Rack"), "r1")
    hidden = make_entry(secret, "s").pk
    type(secret).objects.filter(pk=secret.pk).update(default_permission=Level.NOTHING)
    host = make_entity("Host", one="object", many="array_object", named="array_named_object")
    named = [{"name": "", "object": hidden}, {"name": "left", "object": hidden}]
    entry = make_entry(host, "web", one=hidden, many=[hidden, rack.pk, hidden], named=named)

    shown = {line["attr"]["name"]: line["value"] for line in versions(api, entry)}
    assert shown == values(api.get(url(entry)).json())
    assert [each["name"] for each in shown["many"]] == ["r1"]
    assert shown["named"] == [{"name": "left", "object": None}]
