"""Changes of the domain run the hooks: each with its arguments, once."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from django.dispatch import Signal

from pagoda.domain import changes
from pagoda.domain.acting import acting_as
from pagoda.domain.changes import Action, Change, Subject
from pagoda.domain.entity.models import Entity
from pagoda.domain.entry.models import Entry
from pagoda.domain.user.models import User
from pagoda.hooks.bridge import filter_entity_attrs, filter_entry_attrs
from pagoda.hooks.manager import HookManager
from pagoda.hooks.rejections import RejectedByPlugin
from pagoda_plugin_sdk.exceptions import HookRejected
from pagoda_plugin_sdk.hooks import HOOK_SPECS

from .conftest import Calls

USER: Any = SimpleNamespace(username="somebody")
OBJECT: Any = SimpleNamespace(name="customer")
DATA = {"name": "n"}

LIFECYCLE = [name for name, spec in HOOK_SPECS.items() if spec.is_before or spec.is_after]
VALUES = {"entity_name": "customer", "user": USER, "validated_data": DATA, "entry": OBJECT, "entity": OBJECT}


def change(subject: Subject, action: Action, **values: Any) -> Change:
    values = {"instance": OBJECT, "user": USER, "data": dict(DATA), "entity_name": "customer", **values}
    return Change(subject=subject, action=action, **values)


def send(hook: str, **values: Any) -> Change:
    subject, event = hook.split(".")
    phase, action = event.split("_")
    made = change(subject, action, **values)  # type: ignore[arg-type]  # as the hook's name says
    if phase == "before":
        changes.send_changing(made)
    else:
        changes.send_changed(made)
    return made


@pytest.mark.parametrize("hook", LIFECYCLE)
def test_each_change_runs_its_hook_with_the_arguments_of_the_spec(
    bridged: HookManager, calls: Calls, hook: str
) -> None:
    for name in HOOK_SPECS:
        bridged.register_hook(name, calls.handler(name))
    send(hook)
    assert calls.names == [hook]
    assert calls.arguments == [tuple(VALUES[argument] for argument in HOOK_SPECS[hook].arguments)]


@pytest.mark.parametrize("hook", LIFECYCLE)
def test_the_entity_filter_holds(bridged: HookManager, calls: Calls, hook: str) -> None:
    bridged.register_hook(hook, calls.handler("customers"), entity="customer")
    bridged.register_hook(hook, calls.handler("products"), entity="product")
    send(hook)
    send(hook, entity_name="product")
    assert calls.names == ["customers", "products"]


@pytest.mark.parametrize(
    "hook", ["entry.before_create", "entry.before_update", "entity.before_create", "entity.before_update"]
)
def test_a_transform_replaces_the_data_of_the_change(bridged: HookManager, hook: str) -> None:
    bridged.register_hook(hook, lambda *_args: {"name": "other"})
    assert send(hook).data == {"name": "other"}


@pytest.mark.parametrize(
    "hook", ["entry.before_create", "entry.before_delete", "entry.before_restore", "entity.before_update"]
)
def test_a_before_hook_stops_the_change(bridged: HookManager, hook: str) -> None:
    def refuse(*_args: Any) -> None:
        raise HookRejected("no")

    bridged.register_hook(hook, refuse, plugin_id="p")
    with pytest.raises(RejectedByPlugin) as raised:
        send(hook)
    assert (raised.value.plugin_id, raised.value.hook, raised.value.entity) == ("p", hook, "customer")


def test_validation_gets_the_complete_entry(bridged: HookManager, calls: Calls) -> None:
    bridged.register_hook("entry.validate", calls.handler("h"), entity="customer")
    attrs = [{"id": 1, "name": "a", "value": 1}]
    for instance in (None, OBJECT):
        changes.send_validating(
            change("entry", "create", data={"name": "n", "attrs": attrs}, instance=instance)
        )
    assert calls.arguments == [(USER, "customer", "n", attrs, None), (USER, "customer", "n", attrs, OBJECT)]


def test_the_user_is_who_acts_unless_the_change_says(bridged: HookManager, calls: Calls) -> None:
    bridged.register_hook("entity.after_create", calls.handler("h"))
    other: Any = SimpleNamespace(username="other")
    with acting_as(other):
        send("entity.after_create")
        send("entity.after_create", user=None)
    send("entity.after_create", user=None)
    assert [user for user, _ in calls.arguments] == [USER, other, None]


def test_restoring_an_entity_runs_no_hook(bridged: HookManager, calls: Calls) -> None:
    for name in HOOK_SPECS:
        bridged.register_hook(name, calls.handler(name))
    restored = change("entity", "restore")
    changes.send_changing(restored)
    changes.send_changed(restored)
    assert calls.names == []


def test_filters_show_what_the_handlers_leave(bridged: HookManager) -> None:
    entity = Entity(name="customer")
    entry = Entry(name="n", schema=entity)
    shown = [{"name": "a"}]
    assert filter_entry_attrs(entry, shown, is_retrieve=True) is shown
    assert filter_entity_attrs(entity, shown) is shown
    bridged.register_hook(
        "entry.get_attrs", lambda _entry, attrinfo, once: [*attrinfo, {"name": str(once)}], entity="customer"
    )
    bridged.register_hook("entry.get_attrs", lambda *_args: [], entity="product")
    bridged.register_hook("entity.get_attrs", lambda _entity, attrinfo: attrinfo[:0], entity="customer")
    assert filter_entry_attrs(entry, shown, is_retrieve=False) == [{"name": "a"}, {"name": "False"}]
    assert filter_entity_attrs(entity, shown) == []


@pytest.mark.django_db
def test_orm_writes_run_the_hooks_once_each(bridged: HookManager, calls: Calls) -> None:
    for name in HOOK_SPECS:
        bridged.register_hook(name, calls.handler(name))
    user = User.objects.create(username="somebody", is_superuser=True)
    with acting_as(user):
        entity = Entity.objects.create(name="customer")
        entry = Entry.objects.create(name="first", schema=entity)
        entry.note = "changed"
        entry.save()
        entry.delete()
    assert [name for name in calls.names if name != "entry.validate"] == [
        "entity.before_create",
        "entity.after_create",
        "entry.before_create",
        "entry.after_create",
        "entry.before_update",
        "entry.after_update",
        "entry.before_delete",
        "entry.after_delete",
    ]
    assert all(user in arguments for arguments in calls.arguments)


@pytest.mark.django_db
def test_a_refused_write_stores_nothing(bridged: HookManager) -> None:
    def refuse(user: Any, schema_name: Any, name: Any, attrs: Any, instance: Any) -> None:
        raise ValueError(f"{name} is taken")

    bridged.register_hook("entry.validate", refuse, plugin_id="inventory")
    entity = Entity.objects.create(name="customer")
    with pytest.raises(RejectedByPlugin, match=r"Plugin 'inventory' refused entry\.validate of 'customer'"):
        Entry.objects.create_entry(user=None, schema=entity, name="first")
    assert Entry.objects.count() == 0


@pytest.mark.django_db
def test_after_create_sees_the_stored_values(bridged: HookManager) -> None:
    seen: list[Any] = []

    def note(entity_name: Any, user: Any, entry: Entry) -> None:
        seen.append(Entry.objects.get(pk=entry.pk).get_attrs())

    bridged.register_hook("entry.after_create", note)
    entity = Entity.objects.create_entity(
        user=None, name="customer", attrs=[{"name": "city", "type": "string"}]
    )
    Entry.objects.create_entry(user=None, schema=entity, name="first", attrs={"city": "Kyoto"})
    assert seen == [{"city": "Kyoto"}]


@pytest.mark.parametrize(
    ("hook", "signal"),
    [
        ("entry.before_create", changes.changing),
        ("entry.validate", changes.validating),
        ("entry.after_create", changes.changed),
    ],
)
def test_a_signal_is_awaited_where_a_handler_runs(
    bridged: HookManager, calls: Calls, hook: str, signal: Signal
) -> None:
    assert changes.awaited_of("entry", "create", "customer") == set()
    bridged.register_hook(hook, calls.handler("one"), entity="customer")
    assert changes.awaited_of("entry", "create", "customer") == {signal}
    assert changes.awaited_of("entry", "create", "other") == set()


def test_a_signal_is_awaited_by_a_receiver_that_does_not_say(bridged: HookManager) -> None:
    def receive(**_signal: object) -> None:
        pass

    assert changes.awaited_of("entry", "create", "customer") == set()
    changes.changing.connect(receive)
    try:
        assert changes.awaited_of("entry", "create", "customer") == {changes.changing}
    finally:
        changes.changing.disconnect(receive)
