"""What the handlers of plugins see of requests, and what they may do to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hooked_plugin import plugin_with, raising  # type: ignore[import-not-found]  # conftest finds it

from pagoda.domain.entity.models import Entity
from pagoda.domain.entry.models import AttributeValue, Entry
from pagoda.hooks.manager import manager
from pagoda_plugin_sdk.decorators import entry_hook
from pagoda_plugin_sdk.hooks import HOOK_ALIASES, HOOK_SPECS
from pagoda_plugin_sdk.plugin import Plugin

pytestmark = pytest.mark.django_db

ENTRIES = "/api/v2/entries/"
ENTITIES = "/api/v2/entities/"

type Handler = Callable[..., Any]
type Calls = list[tuple[str, tuple[Any, ...]]]


@pytest.fixture
def calls(register: Callable[[Any], Any]) -> Calls:
    """Every call of a plugin that handles all 17 hooks and changes nothing."""
    made: Calls = []

    def recorder(hook: str) -> Handler:
        return lambda *args: made.append((hook, args))

    register(plugin_with({hook: recorder(hook) for hook in HOOK_SPECS}))
    return made


@pytest.fixture
def host(make_entity: Callable[..., Any]) -> Any:
    return make_entity("Host", address="string", count="number")


@pytest.fixture
def web(host: Any, make_entry: Callable[..., Any]) -> Any:
    return make_entry(host, "web", address="10.0.0.1")


def hooks(calls: Calls) -> list[str]:
    return [hook for hook, _ in calls]


def values(attrs: list[dict[str, Any]]) -> dict[str, Any]:
    return {attr["name"]: attr["value"] for attr in attrs}


class TestEachHookRunsOncePerChange:
    """With the arguments of the table in DESIGN.md; a response shows attributes, so the filters run too."""

    def test_create_entry(self, api: Any, ann: Any, host: Any, calls: Calls) -> None:
        calls.clear()

        response = api.post(ENTRIES, {"name": "web", "schema": "Host", "attrs": {"address": "10.0.0.1"}})

        assert response.status_code == 201
        assert hooks(calls) == [
            "entry.before_create",
            "entry.validate",
            "entry.after_create",
            "entry.get_attrs",
        ]
        (_, before), (_, validate), (_, after), (_, get_attrs) = calls
        entry = Entry.objects.get()
        assert before[:2] == ("Host", ann)
        assert before[2]["name"] == "web"
        assert values(before[2]["attrs"]) == {"address": "10.0.0.1"}
        user, schema_name, name, attrs, instance = validate
        assert (user, schema_name, name, instance) == (ann, "Host", "web", None)
        assert values(attrs) == {"address": "10.0.0.1", "count": None}
        assert after == ("Host", ann, entry)
        shown, attrinfo, is_retrieve = get_attrs
        assert (shown, is_retrieve) == (entry, True)
        assert attrinfo == response.json()["attrs"]

    def test_update_entry(self, api: Any, ann: Any, web: Any, calls: Calls) -> None:
        calls.clear()

        response = api.patch(f"{ENTRIES}{web.pk}/", {"attrs": {"count": 4}})

        assert response.status_code == 200
        assert hooks(calls) == [
            "entry.before_update",
            "entry.validate",
            "entry.after_update",
            "entry.get_attrs",
        ]
        (_, before), (_, validate), (_, after), _ = calls
        assert (before[0], before[1], before[3]) == ("Host", ann, web)
        assert values(before[2]["attrs"]) == {"count": 4}
        user, schema_name, name, attrs, instance = validate
        assert (user, schema_name, name, instance) == (ann, "Host", "web", web)
        assert values(attrs) == {"address": "10.0.0.1", "count": 4}
        assert after == ("Host", ann, web)

    def test_update_that_changes_nothing_is_no_change(self, api: Any, web: Any, calls: Calls) -> None:
        calls.clear()

        api.patch(f"{ENTRIES}{web.pk}/", {"attrs": {"address": "10.0.0.1"}})

        assert hooks(calls) == ["entry.get_attrs"]

    def test_delete_and_restore_entry(self, api: Any, ann: Any, web: Any, calls: Calls) -> None:
        calls.clear()

        api.delete(f"{ENTRIES}{web.pk}/")
        api.post(f"{ENTRIES}{web.pk}/restore/")

        events = ["before_delete", "after_delete", "before_restore", "after_restore"]
        assert hooks(calls) == [*(f"entry.{event}" for event in events), "entry.get_attrs"]
        assert [args for _, args in calls[:-1]] == [("Host", ann, web)] * 4

    def test_show_and_list_entries(
        self, api: Any, host: Any, web: Any, make_entry: Any, calls: Calls
    ) -> None:
        other = make_entry(host, "db")
        calls.clear()

        api.get(f"{ENTRIES}{web.pk}/")
        api.get(ENTRIES)

        assert hooks(calls) == ["entry.get_attrs"] * 3
        assert [(args[0], args[2]) for _, args in calls] == [(web, True), (web, False), (other, False)]

    def test_create_entity(self, api: Any, ann: Any, calls: Calls) -> None:
        response = api.post(ENTITIES, {"name": "Host", "attrs": [{"name": "address", "type": "string"}]})

        assert response.status_code == 201
        assert hooks(calls) == ["entity.before_create", "entity.after_create", "entity.get_attrs"]
        (_, before), (_, after), (_, get_attrs) = calls
        entity = Entity.objects.get()
        assert before[0] == ann
        assert before[1]["name"] == "Host"
        assert after == (ann, entity)
        assert get_attrs == (entity, response.json()["attrs"])

    def test_update_entity(self, api: Any, ann: Any, host: Any, calls: Calls) -> None:
        calls.clear()

        api.patch(f"{ENTITIES}{host.pk}/", {"note": "n", "attrs": [{"name": "rack", "type": "string"}]})

        assert hooks(calls) == ["entity.before_update", "entity.after_update", "entity.get_attrs"]
        (_, before), (_, after), _ = calls
        assert (before[0], before[2]) == (ann, host)
        assert before[1]["note"] == "n"
        assert after == (ann, host)

    def test_delete_entity(self, api: Any, ann: Any, host: Any, calls: Calls) -> None:
        calls.clear()

        api.delete(f"{ENTITIES}{host.pk}/")

        assert hooks(calls) == ["entity.before_delete", "entity.after_delete"]
        assert [args for _, args in calls] == [(ann, host)] * 2

    def test_the_cases_above_reach_all_17_hooks(self, api: Any, calls: Calls) -> None:
        run_every_hook(api)

        assert hooks(calls) == OF_EVERY_HOOK
        assert set(OF_EVERY_HOOK) == set(HOOK_SPECS)


def run_every_hook(api: Any) -> list[int]:
    """Send requests that between them run every hook; return their status codes."""
    entity = api.post(ENTITIES, {"name": "Disk", "attrs": [{"name": "size", "type": "number"}]})
    entity_url = f"{ENTITIES}{Entity.objects.get(name='Disk').pk}/"
    changed = api.patch(entity_url, {"note": "n"})
    entry = api.post(ENTRIES, {"name": "sda", "schema": "Disk", "attrs": {"size": 1}})
    entry_url = f"{ENTRIES}{Entry.objects.get(schema__name='Disk').pk}/"
    others = [
        api.patch(entry_url, {"attrs": {"size": 2}}),
        api.get(entry_url),
        api.get(ENTRIES),
        api.delete(entry_url),
        api.post(f"{entry_url}restore/"),
        api.delete(entry_url),
        api.delete(entity_url),
    ]
    return [response.status_code for response in (entity, changed, entry, *others)]


OF_EVERY_HOOK = [
    *("entity.before_create", "entity.after_create", "entity.get_attrs"),
    *("entity.before_update", "entity.after_update", "entity.get_attrs"),
    *("entry.before_create", "entry.validate", "entry.after_create", "entry.get_attrs"),
    *("entry.before_update", "entry.validate", "entry.after_update", "entry.get_attrs"),
    *("entry.get_attrs", "entry.get_attrs"),
    *("entry.before_delete", "entry.after_delete"),
    *("entry.before_restore", "entry.after_restore", "entry.get_attrs"),
    *("entry.before_delete", "entry.after_delete"),
    *("entity.before_delete", "entity.after_delete"),
]
"""What `run_every_hook` runs, in order."""


def test_after_create_sees_the_stored_values(api: Any, host: Any, register: Callable[[Any], Any]) -> None:
    seen: list[Any] = []

    def look(entity_name: str, user: Any, entry: Any) -> None:
        seen.append((entry.get_attrs(), AttributeValue.objects.filter(parent_entry=entry).count()))

    register(plugin_with({"entry.after_create": look}))

    api.post(ENTRIES, {"name": "web", "schema": "Host", "attrs": {"address": "10.0.0.1"}})

    assert seen == [({"address": "10.0.0.1", "count": None}, 1)]


def test_before_handlers_chain(api: Any, host: Any, register: Callable[[Any], Any]) -> None:
    def add(text: str) -> Handler:
        return lambda entity_name, user, data: {**data, "name": data["name"] + text}

    register(plugin_with({"entry.before_create": add("-a")}, "first"))
    register(plugin_with({"entry.before_create": add("-b")}, "second"))

    response = api.post(ENTRIES, {"name": "web", "schema": "Host"})

    assert response.json()["name"] == "web-a-b"
    assert Entry.objects.get().name == "web-a-b"


def test_get_attrs_handlers_change_what_is_shown(api: Any, web: Any, register: Callable[[Any], Any]) -> None:
    def add(entry: Any, attrinfo: Any, is_retrieve: bool) -> Any:
        computed = {
            "id": 0,
            "name": "single" if is_retrieve else "listed",
            "type": "string",
            "value": entry.name,
        }
        return [*attrinfo, {**computed, "is_mandatory": False, "is_readable": True}]

    register(plugin_with({"entry.get_attrs": add}))

    assert values(api.get(f"{ENTRIES}{web.pk}/").json()["attrs"])["single"] == "web"
    assert values(api.get(ENTRIES).json()["results"][0]["attrs"])["listed"] == "web"


class TestFailures:
    @pytest.mark.parametrize("hook", HOOK_SPECS)
    def test_handler_that_raises_leaves_requests_successful_and_others_running(
        self, api: Any, calls: Calls, register: Callable[[Any], Any], hook: str
    ) -> None:
        register(plugin_with({hook: raising(RuntimeError("broken"))}, "broken"))

        statuses = run_every_hook(api)

        assert statuses == [201, 200, 201, 200, 200, 200, 204, 200, 204, 204]
        assert hooks(calls) == OF_EVERY_HOOK


def test_every_alias_reaches_its_hook(api: Any) -> None:
    called: list[str] = []

    def noting(name: str) -> Handler:
        return lambda *args: called.append(name)

    for name in {*HOOK_ALIASES, *HOOK_ALIASES.values()}:
        manager().register_hook(name, noting(name), plugin_id="legacy")
    try:
        run_every_hook(api)
    finally:
        manager().unregister_plugin("legacy")

    assert set(called) == {*HOOK_ALIASES, *HOOK_ALIASES.values()}
    assert {alias: called.count(alias) for alias in HOOK_ALIASES} == {
        alias: called.count(hook) for alias, hook in HOOK_ALIASES.items()
    }


def test_entity_filter_matches_the_entitys_name(
    api: Any, host: Any, make_entity: Callable[..., Any], register: Callable[[Any], Any]
) -> None:
    seen: list[str] = []

    class OfHosts(Plugin):
        id = name = "of-hosts"

        @entry_hook("after_create", entity="Host")
        def note(self, entity_name: str, user: Any, entry: Any, **kwargs: Any) -> None:
            seen.append(entry.name)

    register(OfHosts())
    make_entity("Rack")

    api.post(ENTRIES, {"name": "web", "schema": "Host"})
    api.post(ENTRIES, {"name": "r1", "schema": "Rack"})

    assert seen == ["web"]
