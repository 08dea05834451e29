"""People find, read and change entries in the console, within the rights that the API gives them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse

from pagoda.domain.entity.models import Entity, EntityAttr
from pagoda.domain.entry.models import Entry
from pagoda.domain.user.models import Level
from pagoda.hooks.manager import manager
from pagoda_api.console.values import raw_value
from pagoda_api.testing.host import browser_of
from pagoda_plugin_sdk.exceptions import HookRejected

pytestmark = pytest.mark.django_db

EVIL = "<script>alert('x')</script>\"'><img src=x onerror=alert(1)>\u202e{{ 7|add:7 }}"


@pytest.fixture
def machine(make_entity: Any, web: Any) -> Any:
    """An entity with an attribute of every type."""
    attrs: list[dict[str, Any]] = [
        {"name": each, "type": each}
        for each in ("string", "text", "boolean", "number", "date", "datetime", "object", "named_object")
    ]
    attrs += [{"name": f"array_{each}", "type": f"array_{each}"} for each in ("string", "number", "object")]
    attrs += [{"name": "select", "type": "select", "choices": ["small", "big"]}]
    attrs[6]["referral"] = ["Host"]
    return Entity.objects.create_entity(user=None, name="Machine", default_permission=Level.FULL, attrs=attrs)


@pytest.fixture
def form(machine: Any, web: Any) -> dict[str, Any]:
    key = {attr.name: f"attr-{attr.pk}" for attr in machine.attrs.all()}
    return {
        "name": "m1",
        "note": "one\r\ntwo",
        key["string"]: "s",
        key["text"]: "a\r\nb",
        key["boolean"]: "false",
        key["number"]: "3.5",
        key["date"]: "2026-03-31",
        key["datetime"]: "2026-03-31T09:30:00+02:00",
        key["object"]: "web",
        key["named_object"]: f"web #{web.pk}",
        f"{key['named_object']}-name": "uplink",
        key["array_string"]: ["x", "", "y"],
        key["array_number"]: ["1", "2"],
        key["array_object"]: [f"web #{web.pk}", ""],
        key["select"]: "big",
    }


def page(name: str, thing: Any) -> str:
    return reverse(name, args=[thing.pk])


def test_values_of_every_type_are_stored_shown_and_left_alone(
    ann: Any, machine: Any, form: Any, web: Any
) -> None:
    browser = browser_of(ann)
    answer = browser.post(page("console-entry-new", machine), form)
    assert answer.status_code == 302, answer.content.decode()
    entry = Entry.objects.get(name="m1")
    host = {"id": web.pk, "name": "web", "schema": {"id": web.schema_id, "name": "Host"}}
    values = entry.get_attrs()
    assert values["text"] == "a\nb"
    assert (values["boolean"], values["number"], values["select"]) == (False, 3.5, "big")
    assert (values["object"], values["named_object"]) == (host, {"name": "uplink", "object": host})
    assert (values["array_string"], values["array_number"]) == (["x", "y"], [1, 2])
    assert values["array_object"] == [host]
    assert entry.note == "one\ntwo"

    versions = entry.attribute_values.count()
    edit = browser.get(page("console-entry-edit", entry))
    sent = {"name": "m1", "note": entry.note, "version": edit.context["version"]}
    for field in edit.context["fields"]:
        sent[field.key] = [row.text for row in field.inputs]
        sent[f"{field.key}-name"] = [row.name for row in field.inputs]
    assert browser.post(page("console-entry-edit", entry), sent).status_code == 302
    assert Entry.objects.get(name="m1").get_attrs() == values
    assert entry.attribute_values.count() == versions

    shown = browser.get(page("console-entry", entry)).content.decode()
    assert f'uplink: <a href="/console/entries/{web.pk}/">web</a>' in shown


def test_faults_stand_beside_their_field_and_nothing_typed_is_lost(
    ann: Any, machine: Any, form: Any, count_rows: Callable[[], Any]
) -> None:
    key = {attr.name: f"attr-{attr.pk}" for attr in machine.attrs.all()}
    before = count_rows()
    wrong = form | {key["number"]: "many", key["date"]: "tomorrow", key["object"]: "nobody"}
    answer = browser_of(ann).post(page("console-entry-new", machine), wrong)
    faults = {field.attr["name"]: field.faults for field in answer.context["fields"] if field.faults}
    assert answer.status_code == 400
    assert sorted(faults) == ["date", "number", "object"]
    assert 'value="many"' in answer.content.decode()
    assert count_rows() == before


def test_a_plugin_that_refuses_is_named(ann: Any, web: Any, nothing_is_written: Any) -> None:
    def refuse(*_: Any) -> None:
        raise HookRejected("not today")

    manager().register_hook("entry.before_update", refuse, plugin_id="keeper")
    try:
        browser = browser_of(ann)
        version = browser.get(page("console-entry-edit", web)).context["version"]
        answer = browser.post(page("console-entry-edit", web), {"name": "other", "version": version})
    finally:
        manager().unregister_plugin("keeper")
    assert answer.status_code == 400
    assert answer.context["faults"] == ["Plugin 'keeper' refused entry.before_update of 'Host': not today"]


def test_someone_elses_change_is_shown_before_it_is_overwritten(ann: Any, web: Any) -> None:
    browser = browser_of(ann)
    form = browser.get(page("console-entry-edit", web)).context
    key = {field.attr["name"]: field.key for field in form["fields"]}
    mine = {"name": "web", key["address"]: "10.0.0.2", key["count"]: ""}
    web.set_attrs(None, address="10.0.0.3")

    warned = browser.post(page("console-entry-edit", web), {**mine, "version": form["version"]})
    assert warned.status_code == 409
    assert "Now stored: 10.0.0.3" in warned.content.decode()
    assert 'value="10.0.0.2"' in warned.content.decode()
    assert web.get_attrs()["address"] == "10.0.0.3"

    again = {**mine, "version": warned.context["version"]}
    assert browser.post(page("console-entry-edit", web), again).status_code == 302
    assert web.get_attrs()["address"] == "10.0.0.2"


def test_a_change_between_reading_and_storing_is_seen_too(
    ann: Any, web: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = browser_of(ann)
    form = browser.get(page("console-entry-edit", web)).context
    key = {field.attr["name"]: field.key for field in form["fields"]}

    def raced(*given: Any) -> Any:
        monkeypatch.setattr("pagoda_api.console.entries.raw_value", raw_value)
        web.set_attrs(None, address="10.0.0.3")
        return raw_value(*given)

    monkeypatch.setattr("pagoda_api.console.entries.raw_value", raced)
    mine = {"name": "web", key["address"]: "10.0.0.2", "version": form["version"]}
    answer = browser.post(page("console-entry-edit", web), mine)
    assert answer.status_code == 409
    assert "Now stored: 10.0.0.3" in answer.content.decode()
    assert web.get_attrs()["address"] == "10.0.0.3"


def test_more_rows_are_shown_without_a_script(ann: Any, machine: Any, form: Any) -> None:
    key = f"attr-{machine.attrs.get(name='array_string').pk}"
    answer = browser_of(ann).post(page("console-entry-new", machine), {**form, "more": key})
    field = next(each for each in answer.context["fields"] if each.key == key)
    assert [row.text for row in field.inputs] == ["x", "y", "", "", "", ""]
    assert not Entry.objects.filter(name="m1").exists()


def test_deleting_asks_first_and_can_be_undone(ann: Any, web: Any) -> None:
    browser = browser_of(ann)
    assert "Delete web?" in browser.get(page("console-entry-delete", web)).content.decode()
    assert Entry.objects.active().filter(pk=web.pk).exists()
    browser.post(page("console-entry-delete", web))
    assert "This entry is deleted" in browser.get(page("console-entry", web)).content.decode()
    browser.post(page("console-entry-restore", web))
    assert Entry.objects.active().filter(pk=web.pk).exists()


def test_what_one_may_not_see_is_nowhere(make_user: Any, web: Any, make_entry: Any) -> None:
    secret = make_entry(web.schema, "secret", address="192.0.2.99")
    Entry.objects.filter(pk=secret.pk).update(default_permission=Level.NOTHING)
    EntityAttr.objects.filter(name="address").update(default_permission=Level.NOTHING)
    browser = browser_of(make_user("bob"))

    for url in (
        "/console/",
        "/console/search/?q=e",
        page("console-entity", web.schema),
        page("console-entry", web),
    ):
        text = browser.get(url).content.decode()
        assert "web" in text, url
        assert "secret" not in text, url
        assert "10.0.0.1" not in text, url
    names = ("console-entry", "console-entry-edit", "console-entry-delete", "console-entry-history")
    assert {browser.get(page(name, secret)).status_code for name in names} == {404}
    found = browser.get("/console/suggestions/?type=object&of=x&x=").content.decode()
    assert f"web #{web.pk}" in found
    assert "secret" not in found


def test_who_may_only_read_is_refused_in_words(make_user: Any, web: Any, nothing_is_written: Any) -> None:
    Entity.objects.filter(pk=web.schema_id).update(default_permission=Level.READABLE)
    browser = browser_of(make_user("bob"))
    version = browser.get(page("console-entry-edit", web)).context["version"]
    answer = browser.post(page("console-entry-edit", web), {"name": "mine", "version": version})
    assert answer.status_code == 403
    assert "Writable permission on entry &#x27;web&#x27;" in answer.content.decode()


def test_the_url_says_what_a_table_shows(ann: Any, web: Any, make_entry: Any) -> None:
    for number in range(60):
        make_entry(web.schema, f"host {number}", count=number)
    browser = browser_of(ann)
    first = browser.get(page("console-entity", web.schema) + "?search=host&columns=count")
    text = first.content.decode()
    assert "host 0" in text
    assert "10.0.0.1" not in text
    assert first.context["chosen"] == ["count"]
    second = browser.get(page("console-entity", web.schema) + first.context["pages"]["next"])
    assert second.context["chosen"] == ["count"]
    assert "host 59" in second.content.decode()
    part = browser.get(page("console-entity", web.schema) + "?search=host", headers={"HX-Request": "true"})
    assert "<html" not in part.content.decode()
    wrong = browser.get(page("console-entity", web.schema) + "?colour=red").content.decode()
    assert "There is no query parameter &#x27;colour&#x27;" in wrong


def test_a_table_is_ordered_and_filtered_by_its_columns(ann: Any, web: Any, make_entry: Any) -> None:
    for number in range(3):
        make_entry(web.schema, f"host {number}", count=number, address=f"10.1.0.{number}")
    browser, url = browser_of(ann), page("console-entity", web.schema)

    def names(query: str) -> list[str]:
        return [entry["name"] for entry, _ in browser.get(url + query).context["rows"]]

    first = browser.get(f"{url}?columns=count&attr.address__contains=10.1.")
    (_, (state, turn)), *_ = first.context["columns"]
    assert state == "none"
    assert names(turn) == ["host 0", "host 1", "host 2"]
    (_, (state, back)), *_ = browser.get(url + turn).context["columns"]
    assert state == "ascending"
    assert names(back) == ["host 2", "host 1", "host 0"]
    assert names("?attr.count=1") == ["host 1"]
    assert 'name="attr.count" value="1"' in browser.get(f"{url}?attr.count=1").content.decode()
    assert "attr.count" in "".join(browser.get(f"{url}?attr.count=many").context["faults"])


def test_who_refers_is_shown_to_who_may_see_it(
    ann: Any, make_user: Any, web: Any, make_entity: Any, make_entry: Any
) -> None:
    rack = make_entity("Rack", host="object")
    holder = make_entry(rack, "r1", host=web.pk)
    link = f'<a href="{page("console-entry", holder)}">r1</a>'
    assert link in browser_of(ann).get(page("console-entry", web)).content.decode()
    Entity.objects.filter(pk=rack.pk).update(default_permission=Level.NOTHING)
    assert link not in browser_of(make_user("bob")).get(page("console-entry", web)).content.decode()


def test_a_table_takes_as_many_queries_with_many_rows(
    ann: Any, web: Any, make_entry: Any, django_assert_max_num_queries: Any
) -> None:
    for number in range(40):
        make_entry(web.schema, f"host {number}")
    browser = browser_of(ann)
    browser.get(page("console-entity", web.schema))
    with django_assert_max_num_queries(10):
        browser.get(page("console-entity", web.schema))
    with django_assert_max_num_queries(15):  # three of them for the neighbours
        browser.get(page("console-entry", web))


def test_markup_in_any_text_stays_text(ann: Any, make_entity: Any, make_entry: Any) -> None:
    name = EVIL.replace("\u202e", "")
    entity = Entity.objects.create_entity(
        user=ann,
        name=name,
        note=EVIL,
        default_permission=Level.FULL,
        attrs=[
            {"name": f"{name} {each}", "type": each, "note": EVIL}
            for each in ("string", "text", "array_string", "named_object")
        ],
    )
    values = {
        f"{name} string": EVIL,
        f"{name} text": f"</textarea>{EVIL}",
        f"{name} array_string": [EVIL],
        f"{name} named_object": {"name": EVIL, "object": None},
    }
    entry = Entry.objects.create_entry(user=ann, schema=entity, name=name, note=EVIL, attrs=values)
    browser = browser_of(ann)
    urls = [
        "/console/",
        "/console/entities/",
        f"/console/search/?q={'<script>alert'}",
        page("console-entity", entity),
    ]
    urls += [page(f"console-entry{each}", entry) for each in ("", "-edit", "-delete", "-history")]
    urls += [page("console-entry-new", entity), "/console/suggestions/?type=object&of=q&q=script"]
    for url in urls:
        text = browser.get(url).content.decode()
        assert "<script>alert" not in text, url
        assert "<img" not in text, url
        assert "</textarea><" not in text.replace("</textarea>\n", ""), url
        assert "&lt;script&gt;alert" in text, url


@pytest.mark.parametrize(
    "made", [{}, {"type": "role", "value": {"name": 5}}, {"type": "string", "value": EVIL}]
)
def test_a_table_shows_what_a_plugin_makes_of_attributes(ann: Any, web: Any, made: dict[str, Any]) -> None:
    manager().register_hook(
        "entry.get_attrs",
        lambda entry, attrinfo, is_retrieve: [{"name": each["name"], **made} for each in attrinfo],
        plugin_id="painter",
    )
    try:
        shown = browser_of(ann).get(page("console-entity", web.schema))
    finally:
        manager().unregister_plugin("painter")
    assert shown.status_code == 200
    assert "<script>alert" not in shown.content.decode()
