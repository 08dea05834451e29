"""Which handlers run, in which order and with what; who may do what."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from pydantic import BaseModel

from pagoda_plugin_sdk import HookRejected, PermissionLevel, Plugin
from pagoda_plugin_sdk.decorators import entity_hook, entry_hook, validation_hook
from pagoda_plugin_sdk.exceptions import PluginError
from pagoda_plugin_sdk.models import Entity, EntityAttr, Entry

ENTRY_EVENTS = [
    f"{when}_{event}" for event in ("create", "update", "delete", "restore") for when in ("before", "after")
]


class Told(list[Any]):
    """What handlers were called with, in order."""


class ListenerSettings(BaseModel):
    limit: int = 3
    word: str = "no"


class Listener(Plugin):
    """Tells of each hook that it hears."""

    id = "listener"
    name = "Listener"
    settings_model = ListenerSettings

    def __init__(self) -> None:
        super().__init__()
        self.told = Told()

    @validation_hook(priority=50)
    def late(self, user: Any, schema_name: str, name: str, attrs: Any, instance: Any) -> None:
        self.told.append(("late", schema_name, name, instance is None))

    @validation_hook(entity="Host", priority=10)
    def early(self, user: Any, schema_name: str, name: str, attrs: Any, instance: Any) -> None:
        self.told.append(("early", {item["name"]: item["value"] for item in attrs}))
        if len(name) > self.settings.limit * 10:
            raise HookRejected(f"{name} is longer than {self.settings.limit * 10}")
        if name.startswith("value"):
            raise ValueError(f"{name} is a value error")
        if name.startswith("validation"):
            raise ValidationError(f"{name} is a validation error")

    @entry_hook("before_create")
    def before_create(self, entity_name: str, user: Any, validated_data: Any) -> Any:
        self.told.append(("before_create", entity_name, sorted(validated_data)))
        return {**validated_data, "note": "seen"} if validated_data["name"] == "noted" else None

    @entry_hook("after_create")
    def after_create(self, entity_name: str, user: Any, entry: Any) -> None:
        self.told.append(("after_create", entity_name, entry.name))

    @entry_hook("before_update")
    def before_update(self, entity_name: str, user: Any, validated_data: Any, entry: Any) -> Any:
        items = [{key: item[key] for key in ("name", "value")} for item in validated_data.get("attrs", [])]
        self.told.append(("before_update", items))

    @entry_hook("after_update")
    def after_update(self, entity_name: str, user: Any, entry: Any) -> None:
        self.told.append(("after_update", entry.name))

    @entry_hook("before_delete")
    def before_delete(self, entity_name: str, user: Any, entry: Any) -> None:
        self.told.append(("before_delete", entry.name))
        if entry.name == "kept":
            raise HookRejected("kept stays")

    @entry_hook("after_delete")
    def after_delete(self, entity_name: str, user: Any, entry: Any) -> None:
        self.told.append(("after_delete", entry.name))

    @entry_hook("before_restore")
    def before_restore(self, entity_name: str, user: Any, entry: Any) -> None:
        self.told.append(("before_restore", entry.name))

    @entry_hook("after_restore")
    def after_restore(self, entity_name: str, user: Any, entry: Any) -> None:
        self.told.append(("after_restore", entry.name))

    @entity_hook("before_create")
    def entity_before(self, user: Any, validated_data: Any) -> Any:
        self.told.append(("entity_before_create", validated_data["name"]))

    @entity_hook("after_create")
    def entity_after(self, user: Any, entity: Any) -> None:
        self.told.append(("entity_after_create", entity.name))

    @entity_hook("before_update")
    def entity_before_update(self, user: Any, validated_data: Any, entity: Any) -> Any:
        self.told.append(("entity_before_update", [item["name"] for item in validated_data["attrs"]]))

    @entity_hook("after_update")
    def entity_after_update(self, user: Any, entity: Any) -> None:
        self.told.append(("entity_after_update", entity.name))


class Second(Plugin):
    """Comes behind the listener."""

    id = "second"
    name = "Second"

    @validation_hook(priority=10)
    def also(self, user: Any, schema_name: str, name: str, attrs: Any, instance: Any) -> None:
        self.told.append(("second",))

    told: Told


@pytest.fixture
def listener(host: Any) -> Any:
    return host.register(Listener(), limit=1)


@pytest.fixture
def told(listener: Any) -> Told:
    told: Told = listener.told
    return told


def test_handlers_of_a_creation_run_in_order(make: Any, told: Told) -> None:
    entity = make.entity(a="string", b="date")
    told.clear()

    make.entry(entity, b="2026-03-31")

    assert told == [
        ("before_create", "Host", ["attrs", "name", "note", "schema"]),
        ("early", {"a": None, "b": "2026-03-31"}),
        ("late", "Host", "web-1", True),
        ("after_create", "Host", "web-1"),
    ]


def test_handlers_of_an_update_see_what_changes(make: Any, told: Told) -> None:
    entry = make.entry(make.entity(a="string", b="date"), a="1")
    told.clear()

    entry.set_attrs(None, a="1", b=date(2026, 3, 31))

    assert told == [
        ("before_update", [{"name": "b", "value": date(2026, 3, 31)}]),
        ("early", {"a": "1", "b": "2026-03-31"}),
        ("late", "Host", "web-1", False),
        ("after_update", "web-1"),
    ]


def test_equal_values_run_no_handler(make: Any, told: Told) -> None:
    entry = make.entry(make.entity(a="string", b="array_number"), a="1", b=[1])
    told.clear()

    entry.set_attrs(None, a="1", b=[1])

    assert told == []


def test_deleting_and_restoring_run_theirs(make: Any, told: Told) -> None:
    entry = make.entry(make.entity())
    told.clear()

    entry.delete()
    entry.restore()

    assert told == [
        ("before_delete", "web-1"),
        ("after_delete", "web-1"),
        ("before_restore", "web-1"),
        ("after_restore", "web-1"),
    ]


def test_entities_run_theirs(make: Any, told: Told) -> None:
    entity = make.entity()
    entity.update_attrs(None, [{"name": "a", "type": "string"}])

    assert told == [
        ("entity_before_create", "Host"),
        ("entity_after_create", "Host"),
        ("entity_before_update", ["a"]),
        ("entity_after_update", "Host"),
    ]


def test_plugins_come_in_their_order_within_a_priority(host: Any, make: Any, told: Told) -> None:
    second = Second()
    second.told = told
    host.register(second)
    entity = make.entity()
    told.clear()

    make.entry(entity)

    assert [name for name, *_ in told] == ["before_create", "early", "second", "late", "after_create"]


def test_handlers_of_another_entity_do_not_run(make: Any, told: Told) -> None:
    entity = make.entity("Other")
    told.clear()

    make.entry(entity)

    assert "early" not in [name for name, *_ in told]


def test_a_before_handler_replaces_the_data(make: Any, listener: Any) -> None:
    assert make.entry(make.entity(), "noted").note == "seen"


@pytest.mark.parametrize("name", ["much-too-long", "value-1", "validation-1"])
def test_a_refusal_stores_nothing(name: str, make: Any, listener: Any) -> None:
    entity = make.entity(a="string")

    with pytest.raises(HookRejected, match=name):
        make.entry(entity, name, a="1")

    assert Entry.objects.count() == 0


def test_a_refused_update_and_deletion_change_nothing(make: Any, listener: Any, host: Any) -> None:
    entry = make.entry(make.entity(a="string"), "kept", a="1")
    host.settings({"limit": 0}, listener)

    with pytest.raises(HookRejected, match="kept is longer than 0"):
        entry.set_attrs(None, a="2")
    with pytest.raises(HookRejected, match="kept stays"):
        entry.delete()

    entry.refresh_from_db()
    assert (entry.is_active, entry.get_attrs()) == (True, {"a": "1"})


def test_settings_are_applied_and_kept(host: Any, listener: Any) -> None:
    assert (listener.settings.limit, listener.settings.word) == (1, "no")

    changed = host.settings({"word": "yes"}, listener)

    assert listener.settings is changed
    assert (changed.limit, changed.word) == (1, "yes")


@pytest.mark.parametrize("values", [{"limit": "many"}, {"limits": 3}], ids=str)
def test_wrong_settings_are_refused_by_field(values: dict[str, Any], host: Any, listener: Any) -> None:
    with pytest.raises(PluginError, match=f"`{next(iter(values))}`"):
        host.settings(values, listener)

    assert listener.settings.limit == 1


def test_a_hook_can_be_run_by_itself(host: Any, listener: Any) -> None:
    with pytest.raises(HookRejected, match="much-too-long is longer than 10"):
        host.run_hook("entry.validate", None, "Host", "much-too-long", [], None)
    data = {"name": "noted", "attrs": []}
    assert host.run_hook("entry.before_create", "Host", None, data)["note"] == "seen"


LEVELS = [PermissionLevel.NOTHING, PermissionLevel.READABLE, PermissionLevel.WRITABLE, PermissionLevel.FULL]


def shut(thing: Any) -> None:
    thing.default_permission = PermissionLevel.NOTHING
    if hasattr(thing, "save"):
        thing.save()


@pytest.mark.parametrize("level", LEVELS, ids=str)
@pytest.mark.parametrize("needed", LEVELS, ids=str)
def test_a_level_includes_the_lower_ones(needed: int, level: int, host: Any, make: Any) -> None:
    entity = make.entity()
    shut(entity)
    entry, ann = make.entry(entity), host.user("ann")

    host.allow(ann, level, entity)

    assert entity.may_permitted(ann, needed) is (needed <= level)
    assert entry.may_permitted(ann, needed) is (needed <= level)


def test_everybody_may_read_what_is_made_without_a_level(host: Any, make: Any) -> None:
    entity, ann = make.entity(), host.user("ann")

    assert [entity.may_permitted(ann, level) for level in LEVELS] == [True, True, False, False]


def test_an_entry_can_be_closed_by_itself(host: Any, make: Any) -> None:
    entity, ann = make.entity(), host.user("ann")
    host.allow(ann, PermissionLevel.FULL, entity)
    entry = make.entry(entity)
    shut(entry)

    assert not entry.may_permitted(ann, PermissionLevel.READABLE)
    host.allow(ann, PermissionLevel.WRITABLE, entry)
    assert entry.may_permitted(ann, PermissionLevel.WRITABLE)


def test_a_superuser_may_everything(host: Any, make: Any) -> None:
    entity, root = make.entity(a="string"), host.user("root", is_superuser=True)
    shut(entity)
    entry = Entry.objects.create_entry(user=root, schema=entity, name="web-1", attrs={"a": "1"})

    entry.set_attrs(root, a="2")
    with host.acting(root):
        entry.delete()

    assert (entry.may_permitted(root, PermissionLevel.FULL), entry.is_active) == (True, False)


def test_who_makes_an_entity_owns_it(host: Any) -> None:
    root, ann = host.user("root", is_superuser=True), host.user("ann")

    with pytest.raises(PermissionDenied, match="Adding entities takes a right that user 'ann' has not"):
        Entity.objects.create_entity(user=ann, name="Host")
    entity = Entity.objects.create_entity(user=root, name="Host")

    assert entity.created_user == root


@pytest.mark.parametrize(
    ("level", "refused"),
    [
        (PermissionLevel.NOTHING, ["create", "update", "delete", "attrs"]),
        (PermissionLevel.READABLE, ["create", "update", "delete", "attrs"]),
        (PermissionLevel.WRITABLE, ["delete", "attrs"]),
        (PermissionLevel.FULL, []),
    ],
    ids=str,
)
@pytest.mark.parametrize("write", ["create", "update", "delete", "attrs"])
def test_a_write_needs_its_level(write: str, level: int, refused: list[str], host: Any, make: Any) -> None:
    entity, ann = make.entity(a="string"), host.user("ann")
    shut(entity)
    entry = make.entry(entity, "web-1", a="1")
    host.allow(ann, level, entity)

    def run() -> None:
        if write == "create":
            Entry.objects.create_entry(user=ann, schema=entity, name="web-2", attrs={"a": "1"})
        elif write == "update":
            entry.set_attrs(ann, a="2")
        elif write == "attrs":
            entity.update_attrs(ann, [{"name": "b", "type": "string"}])
        else:
            with host.acting(ann):
                entry.delete()

    if write in refused:
        needed = "Full" if write in ("delete", "attrs") else "Writable"
        hidden = "You may not see what this would change, or it does not exist."
        text = hidden if level == PermissionLevel.NOTHING else f"{needed} permission on "
        with pytest.raises(PermissionDenied) as caught:
            run()
        assert str(caught.value).startswith(text)
        assert (entry.is_active, Entry.objects.count(), entry.get_attrs()) == (True, 1, {"a": "1"})
    else:
        run()
        assert Entry.objects.count() == 1 + (write == "create")


@pytest.mark.parametrize("level", [PermissionLevel.NOTHING, PermissionLevel.READABLE], ids=str)
def test_an_attribute_needs_its_own_level(level: int, host: Any, make: Any) -> None:
    entity = make.entity(a={"type": "string", "default_permission": level}, b="string")
    ann = host.user("ann")
    host.allow(ann, PermissionLevel.FULL, entity)
    entry = make.entry(entity, a="1")

    expected = ValidationError if level == PermissionLevel.NOTHING else PermissionDenied
    with pytest.raises(expected):
        entry.set_attrs(ann, a="2", b="3")
    entry.set_attrs(ann, b="3")
    assert entry.get_attrs() == {"a": "1", "b": "3"}

    host.allow(ann, PermissionLevel.WRITABLE, EntityAttr.objects.get(parent_entity=entity, name="a"))
    entry.set_attrs(ann, a="2")
    assert entry.get_attrs() == {"a": "2", "b": "3"}


def test_a_reference_to_what_the_writer_may_not_see_is_refused(host: Any, make: Any) -> None:
    secret = make.entity("Secret")
    hidden = make.entry(secret, "hidden")
    shut(secret)
    entity, ann = make.entity(ref="object"), host.user("ann")
    host.allow(ann, PermissionLevel.FULL, entity)

    with pytest.raises(ValidationError, match=f"there is no entry with the id {hidden.id}"):
        Entry.objects.create_entry(user=ann, schema=entity, name="web-1", attrs={"ref": hidden.id})


def test_the_acting_user_is_told_to_handlers(host: Any, make: Any) -> None:
    seen: list[Any] = []

    class Witness(Plugin):
        id = "witness"
        name = "Witness"

        @entry_hook("after_create")
        def see(self, entity_name: str, user: Any, entry: Any) -> None:
            seen.append(getattr(user, "username", None))

    host.register(Witness())
    entity, ann = make.entity(), host.user("ann")
    host.allow(ann, PermissionLevel.WRITABLE, entity)

    Entry.objects.create_entry(user=ann, schema=entity, name="web-1")
    with host.acting(ann):
        make.entry(entity, "web-2")
    make.entry(entity, "web-3")

    assert seen == ["ann", "ann", None]
