"""What the handlers of plugins see of requests, and what they may do to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from rest_framework import serializers

from pagoda.domain.entity.models import Entity
from pagoda.domain.entry.models import AttributeValue, Entry
from pagoda.hooks.runtime import manager
from pagoda_plugin_sdk.decorators import entity_hook, entry_hook, get_attrs_hook, validation_hook
from pagoda_plugin_sdk.exceptions import HookRejected
from pagoda_plugin_sdk.hooks import HOOK_ALIASES, HOOK_SPECS
from pagoda_plugin_sdk.plugin import Plugin

pytestmark = pytest.mark.django_db

ENTRIES = "/api/v2/entries/"
ENTITIES = "/api/v2/entities/"

type Handler = Callable[..., Any]
type Calls = list[tuple[str, tuple[Any, ...]]]


def decorator(hook: str) -> Callable[[Handler], Handler]:
    subject, event = hook.split(".")
    if event == "validate":
        return validation_hook()
    if event == "get_attrs":
        return get_attrs_hook(subject)
    return {"entry": entry_hook, "entity": entity_hook}[subject](event)


def plugin_with(handlers: dict[str, Handler], plugin_id: str = "recorder") -> Plugin:
    """Return a plugin whose method for each hook calls the handler with the hook's arguments."""

    def method(handler: Handler) -> Handler:
        return lambda self, *args: handler(*args)

    methods = {hook.replace(".", "_"): decorator(hook)(method(each)) for hook, each in handlers.items()}
    kind = type("TestPlugin", (Plugin,), {"id": plugin_id, "name": plugin_id, **methods})
    plugin: Plugin = kind()
    return plugin


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

    def test_show_and_list_entries(self, api: Any, host: Any, web: Any, make_entry: Any, calls: Calls) -> None:
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
    created = api.post(ENTRIES, {"name": "sda", "schema": "Disk", "attrs": {"size": 1}})
    entry_url = f"{ENTRIES}{Entry.objects.get(schema__name='Disk').pk}/"
    responses = [
        entity,
        api.patch(entity_url, {"note": "n"}),
        created,
        api.patch(entry_url, {"attrs": {"size": 2}}),
        api.get(entry_url),
        api.get(ENTRIES),
        api.delete(entry_url),
        api.post(f"{entry_url}restore/"),
        api.delete(entry_url),
        api.delete(entity_url),
    ]
    return [response.status_code for response in responses]


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
        computed = {"id": 0, "name": "single" if is_retrieve else "listed", "type": "string", "value": entry.name}
        return [*attrinfo, {**computed, "is_mandatory": False, "is_readable": True}]

    register(plugin_with({"entry.get_attrs": add}))

    assert values(api.get(f"{ENTRIES}{web.pk}/").json()["attrs"])["single"] == "web"
    assert values(api.get(ENTRIES).json()["results"][0]["attrs"])["listed"] == "web"


class TestRefusals:
    @pytest.mark.parametrize(
        ("refusal", "text"),
        [
            (ValueError("no such rack"), "no such rack"),
            (ValidationError("no such rack"), "no such rack"),
            (ValidationError({"address": ["taken"]}), "taken"),
            (serializers.ValidationError({"address": ["taken"]}), "taken"),
            (serializers.ValidationError("no such rack"), "no such rack"),
            (HookRejected("no such rack"), "no such rack"),
        ],
        ids=["ValueError", "Django", "Django by field", "DRF by field", "DRF", "HookRejected"],
    )
    @pytest.mark.parametrize("method", ["post", "patch"])
    def test_validate_answers_400_with_the_plugin(
        self, api: Any, web: Any, register: Callable[[Any], Any], method: str, refusal: Exception, text: str
    ) -> None:
        register(plugin_with({"entry.validate": raising(refusal)}, "checker"))
        stored = snapshot()

        response = write(api, web, method)

        assert response.status_code == 400
        body = response.json()
        assert (body["plugin"], body["code"]) == ("checker", "hook_rejected")
        assert "'checker'" in body["detail"]
        assert text in body["detail"]
        assert body.get("address") == (["taken"] if text == "taken" else None)
        assert snapshot() == stored

    @pytest.mark.parametrize(
        ("hook", "method"),
        [
            ("entry.before_create", "post"),
            ("entry.before_update", "patch"),
            ("entry.before_delete", "delete"),
        ],
    )
    def test_before_hook_may_refuse_too(
        self, api: Any, web: Any, register: Callable[[Any], Any], hook: str, method: str
    ) -> None:
        register(plugin_with({hook: raising(HookRejected("not today"))}, "keeper"))
        stored = snapshot()

        response = write(api, web, method)

        assert response.status_code == 400
        assert response.json()["plugin"] == "keeper"
        assert "not today" in response.json()["detail"]
        assert snapshot() == stored

    @pytest.mark.parametrize("hook", ["entity.before_create", "entity.before_update", "entity.before_delete"])
    def test_before_hook_may_refuse_changes_of_entities(
        self, api: Any, host: Any, register: Callable[[Any], Any], hook: str
    ) -> None:
        register(plugin_with({hook: raising(HookRejected("not today"))}, "keeper"))

        url = f"{ENTITIES}{host.pk}/"
        send = {
            "entity.before_create": lambda: api.post(ENTITIES, {"name": "New"}),
            "entity.before_update": lambda: api.patch(url, {"note": "n"}),
            "entity.before_delete": lambda: api.delete(url),
        }
        response = send[hook]()

        assert response.status_code == 400
        assert response.json()["plugin"] == "keeper"
        assert list(Entity.objects.values_list("name", "note", "is_active")) == [("Host", "", True)]

    def test_restore_may_be_refused(self, api: Any, web: Any, register: Callable[[Any], Any]) -> None:
        web.delete()
        register(plugin_with({"entry.before_restore": raising(HookRejected("not today"))}, "keeper"))

        response = api.post(f"{ENTRIES}{web.pk}/restore/")

        assert (response.status_code, response.json()["plugin"]) == (400, "keeper")
        assert not Entry.objects.get().is_active


class TestFailures:
    @pytest.mark.parametrize("hook", HOOK_SPECS)
    def test_handler_that_raises_leaves_requests_successful_and_others_running(
        self, api: Any, calls: Calls, register: Callable[[Any], Any], hook: str
    ) -> None:
        register(plugin_with({hook: raising(RuntimeError("broken"))}, "broken"))

        statuses = run_every_hook(api)

        assert statuses == [201, 200, 201, 200, 200, 200, 204, 200, 204, 204]
        assert hooks(calls) == OF_EVERY_HOOK


@pytest.mark.parametrize(("alias", "hook"), HOOK_ALIASES.items())
def test_every_alias_reaches_its_hook(api: Any, alias: str, hook: str) -> None:
    called: list[str] = []
    manager().register_hook(alias, lambda *args: called.append(alias), plugin_id="legacy")
    manager().register_hook(hook, lambda *args: called.append(hook), plugin_id="legacy")
    try:
        run_every_hook(api)
    finally:
        manager().unregister_plugin("legacy")

    assert called.count(alias) == called.count(hook) > 0


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


def raising(error: Exception) -> Handler:
    def handler(*args: Any) -> None:
        raise error

    return handler


def write(api: Any, entry: Any, method: str) -> Any:
    if method == "post":
        return api.post(ENTRIES, {"name": "new", "schema": "Host", "attrs": {"address": "10.0.0.9"}})
    if method == "patch":
        return api.patch(f"{ENTRIES}{entry.pk}/", {"name": "new", "attrs": {"address": "10.0.0.9"}})
    return api.delete(f"{ENTRIES}{entry.pk}/")


def snapshot() -> list[Any]:
    """Return what is stored of entries and their values."""
    entries = Entry.objects.order_by("pk").values_list("name", "note", "is_active")
    versions = AttributeValue.objects.order_by("pk").values_list("parent_entry", "value", "is_latest")
    return [list(entries), list(versions)]
