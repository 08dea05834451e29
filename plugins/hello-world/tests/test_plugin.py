from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps

from pagoda_hello_world.apps import HelloWorldConfig
from pagoda_hello_world.operations import TASK_CONFIG, HelloWorldOperation
from pagoda_hello_world.plugin import HelloWorldPlugin
from pagoda_hello_world.tasks import hello_world_task
from pagoda_plugin_sdk import HookRejected, PluginTaskRegistry
from pagoda_plugin_sdk.tasks import task_offset, task_options
from pagoda_plugin_sdk.testing import handlers_of, run_hook

ENTRY = SimpleNamespace(name="web-1")


def test_class_is_a_valid_plugin() -> None:
    info = HelloWorldPlugin().get_info()

    assert info["id"] == "hello-world-plugin"
    assert info["django_apps"] == ["pagoda_hello_world"]
    assert (info["url_patterns"], info["api_v2_patterns"]) == (
        "pagoda_hello_world.urls",
        "pagoda_hello_world.api.urls",
    )


def test_every_kind_of_hook_is_handled() -> None:
    assert HelloWorldPlugin().get_info()["hooks"] == [
        "entity.after_create",
        "entity.after_update",
        "entity.get_attrs",
        "entry.after_create",
        "entry.after_delete",
        "entry.after_restore",
        "entry.after_update",
        "entry.before_create",
        "entry.get_attrs",
        "entry.validate",
    ]


@pytest.mark.parametrize("entity_name", ["Greeting", None])
def test_every_handler_takes_the_arguments_of_its_hook(
    entity_name: str | None, plugin: HelloWorldPlugin
) -> None:
    hooks = plugin.get_info()["hooks"]

    found = [handler for hook in hooks for handler in handlers_of(plugin, hook, entity_name)]

    assert len(found) == (10 if entity_name else 7)


def test_deletions_are_handled_in_the_worker() -> None:
    deferred = [handler["hook_name"] for handler in HelloWorldPlugin._hook_handlers if handler["deferred"]]

    assert deferred == ["entry.after_delete"]


def test_new_greeting_gets_a_note(plugin: HelloWorldPlugin) -> None:
    data = run_hook(plugin, "entry.before_create", "Greeting", None, {"name": "Ann"}, entity_name="Greeting")

    assert data == {"name": "Ann", "note": "Hello, Ann!"}


@pytest.mark.parametrize(
    ("entity_name", "data"),
    [("Greeting", {"name": "Ann", "note": "mine"}), ("Host", {"name": "Ann"})],
    ids=["brings a note", "other entity"],
)
def test_other_entries_are_left_as_they_are(
    entity_name: str, data: dict[str, Any], plugin: HelloWorldPlugin
) -> None:
    kept = run_hook(plugin, "entry.before_create", entity_name, None, data, entity_name=entity_name)

    assert kept == data


@pytest.mark.parametrize("name", ["forbidden", "a-FORBIDDEN-thing"])
def test_forbidden_name_is_refused(name: str, plugin: HelloWorldPlugin) -> None:
    with pytest.raises(HookRejected) as caught:
        run_hook(plugin, "validate_entry", None, "Host", name, [], None, entity_name="Host")

    assert str(caught.value) == f"The name {name!r} holds the word 'forbidden'. Choose another one."


def test_other_name_is_accepted(plugin: HelloWorldPlugin) -> None:
    assert run_hook(plugin, "entry.validate", None, "Host", "bidden", [], None, entity_name="Host") is None


@pytest.mark.parametrize(
    ("hook", "arguments", "message"),
    [
        (
            "entry.after_create",
            ("Host", None, ENTRY),
            "Hello, entry 'web-1' of entity 'Host', written by nobody",
        ),
        (
            "entry.after_update",
            ("Host", None, ENTRY),
            "Hello, entry 'web-1' of entity 'Host', written by nobody",
        ),
        (
            "entry.after_restore",
            ("Host", None, ENTRY),
            "Hello, entry 'web-1' of entity 'Host', written by nobody",
        ),
        (
            "entry.after_delete",
            ("Host", None, ENTRY),
            "Goodbye, entry 'web-1' of entity 'Host', deleted by nobody",
        ),
        ("entity.after_create", (None, ENTRY), "Hello, entity 'web-1', written by nobody"),
        ("entity.after_update", (None, ENTRY), "Hello, entity 'web-1', written by nobody"),
    ],
)
def test_writes_are_logged(
    hook: str,
    arguments: tuple[Any, ...],
    message: str,
    plugin: HelloWorldPlugin,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)

    run_hook(plugin, hook, *arguments)

    assert caplog.messages == [message]


def test_log_names_the_user(plugin: HelloWorldPlugin, user: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    run_hook(plugin, "entity.after_create", user, SimpleNamespace(name="Host"))

    assert caplog.messages == ["Hello, entity 'Host', written by ann"]


def test_greeting_is_shown_on_greetings_alone(plugin: HelloWorldPlugin) -> None:
    stored = [{"id": 1, "name": "language", "value": "en"}]

    shown = run_hook(plugin, "entry.get_attrs", ENTRY, stored, True, entity_name="Greeting")
    other = run_hook(plugin, "entry.get_attrs", ENTRY, stored, True, entity_name="Host")

    assert shown == [
        *stored,
        {
            "id": None,
            "name": "greeting",
            "type": "string",
            "value": "Hello, web-1!",
            "is_mandatory": False,
            "is_readable": True,
        },
    ]
    assert other == stored


def test_greeting_is_shown_on_its_entity(plugin: HelloWorldPlugin) -> None:
    shown = run_hook(plugin, "entity.get_attrs", ENTRY, [], entity_name="Greeting")

    assert [(attr["name"], attr["value"]) for attr in shown] == [("greeting", None)]


def test_django_app_registers_the_task_under_the_entry_point_s_name() -> None:
    # The host that these tests run in has made the app ready.
    assert isinstance(apps.get_app_config("pagoda_hello_world"), HelloWorldConfig)
    assert PluginTaskRegistry.get_all_configs() == {"hello-world-plugin": TASK_CONFIG}


def test_task_has_the_declared_offset_and_the_raw_form() -> None:
    offset, function = TASK_CONFIG.tasks["hello_world_task"]

    assert (offset, function) == (HelloWorldOperation.HELLO_WORLD_TASK, "hello_world_task")
    assert (task_offset(hello_world_task), task_options(hello_world_task)) == (0, None)
