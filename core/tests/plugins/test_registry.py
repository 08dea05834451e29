from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sentry_sdk
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport

from pagoda.plugins.records import PluginRecord, PluginRefused, PluginStatus, ReasonCode
from pagoda_plugin_sdk import Plugin
from pagoda_plugin_sdk.decorators import entity_hook, entry_hook
from pagoda_plugin_sdk.task_config import PluginTaskConfig
from pagoda_plugin_sdk.task_registry import PluginTaskRegistry

Start = Callable[..., Any]


class Watcher(Plugin):
    id = "watcher"
    name = "Watcher"
    version = "2.1.0"
    api_v2_patterns = "watcher.urls"

    @entry_hook("after_create", entity="customer", priority=50)
    def on_entry(self, entity_name: str, user: object, entry: object, **kwargs: object) -> None: ...

    @entity_hook("after_create")
    def on_entity(self, user: object, entity: object) -> None: ...


class Broken(Watcher):
    id = "broken"
    task_config = PluginTaskConfig("broken", "no_such_module_anywhere", {"scan": (0, "scan")})


def test_a_plugin_is_registered_and_undone_whole(start: Start) -> None:
    started = start()

    undo = started.registry.register(Watcher())

    assert started.registry.get("watcher").is_active
    assert [r.handler.__name__ for r in started.hooks.handlers("entry.after_create", "customer")] == [
        "on_entry"
    ]
    assert [r.handler.__name__ for r in started.hooks.handlers("entity.after_create")] == ["on_entity"]

    undo()

    assert started.registry.records == ()
    assert started.handlers() == set()


def test_a_plugin_that_can_not_be_registered_leaves_nothing(start: Start) -> None:
    started = start()

    with pytest.raises(PluginRefused, match=r"fails to load task function 'no_such_module_anywhere\.scan'"):
        started.registry.register(Broken())

    assert started.registry.records == ()
    assert started.handlers() == set()
    assert PluginTaskRegistry.get_all_configs() == {}


def test_an_id_is_registered_once(start: Start) -> None:
    registry = start().registry
    registry.register(Watcher())

    with pytest.raises(PluginRefused) as caught:
        registry.register(Watcher())

    assert caught.value.reason_code is ReasonCode.DUPLICATE_NAME
    assert len(registry.records) == 1


def test_plugins_registered_later_run_after_the_others_at_equal_priority(packages: Any, start: Start) -> None:
    packages.install("first")
    started = start("first")

    started.registry.register(type("Late", (Watcher,), {"id": "late"})())

    assert [record.id for record in started.registry.records] == ["first", "late"]
    assert [record.order for record in started.registry.records] == [0, 1]


def test_only_active_plugins_have_urls(packages: Any, start: Start) -> None:
    packages.install("bad", "raise RuntimeError\n")
    registry = start("bad").registry
    registry.register(Watcher())

    (urls,) = registry.urls

    assert (urls.plugin_id, urls.names, urls.api_v2_patterns, urls.url_patterns) == (
        "watcher",
        ("watcher",),
        "watcher.urls",
        None,
    )


def test_a_reported_fault_leaves_the_plugin_active(start: Start) -> None:
    registry = start().registry
    registry.register(Watcher())

    registry.report_fault("watcher", ReasonCode.URLS_FAILED, "its URL module fails to import")

    record = registry.get("watcher")
    assert record.is_active
    assert [(fault.code, fault.text) for fault in record.faults] == [
        ("urls_failed", "its URL module fails to import")
    ]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (PluginStatus.SKIPPED, PluginStatus.ACTIVE),
        (PluginStatus.DISCOVERED, PluginStatus.ACTIVE),
        (PluginStatus.ACTIVE, PluginStatus.LOADED),
        (PluginStatus.ACTIVE, PluginStatus.SKIPPED),
    ],
)
def test_a_status_changes_along_the_table_alone(before: PluginStatus, after: PluginStatus) -> None:
    record = PluginRecord(id="x", status=before)

    with pytest.raises(ValueError, match=f"Plugin 'x' is {before} and can't become {after}; it can become "):
        record.move(after)

    assert record.status is before


class Kept(Transport):
    """Keeps what would be sent."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[Any] = []

    def capture_envelope(self, envelope: Envelope) -> None:
        self.events.append(envelope.get_event())


def test_a_skipped_plugin_is_one_event_with_the_plugin_named(packages: Any, start: Start) -> None:
    packages.install("bad", "raise RuntimeError('no start')\n")
    kept = Kept()
    with sentry_sdk.isolation_scope() as scope:
        scope.set_client(sentry_sdk.Client(transport=kept, default_integrations=False))
        start("bad")

    (event,) = kept.events
    assert event["tags"] == {"plugin": "bad", "surface": "load", "reason_code": "import_failed"}
    assert [value["type"] for value in event["exception"]["values"]] == ["RuntimeError", "PluginRefused"]
