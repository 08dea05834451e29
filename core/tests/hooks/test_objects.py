"""What handlers change of objects in memory: undone where they fail, never shown where nobody stored it."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils.functional import SimpleLazyObject

from pagoda import running
from pagoda.domain.acting import acting_as
from pagoda.domain.entity.models import Entity
from pagoda.domain.entity.services import update_entity
from pagoda.domain.entry.models import Entry
from pagoda.domain.entry.services import update_entry
from pagoda.domain.user.models import User
from pagoda.hooks.bridge import filter_entity_attrs, filter_entry_attrs
from pagoda.hooks.manager import HookManager

pytestmark = pytest.mark.django_db


@pytest.fixture
def user() -> User:
    return User.objects.create(username="somebody", email="stored@example.com", is_superuser=True)


@pytest.fixture
def entry(user: User) -> Entry:
    entity = Entity.objects.create_entity(user=user, name="customer", note="stored")
    return Entry.objects.create_entry(user=user, schema=entity, name="first", note="stored")


def spoil(*args: Any) -> None:
    """Change every object among the arguments in memory."""
    for held in args:
        if isinstance(held, User):
            held.email = "spoilt@example.com"
        if isinstance(held, Entry | Entity):
            held.note = "spoilt"
        if isinstance(held, Entry):
            held.schema.note = "spoilt"


def spoil_and_fail(*args: Any) -> None:
    spoil(*args)
    raise RuntimeError("oops")


class Seen:
    """Handlers that note what the objects are like, and store them."""

    def __init__(self) -> None:
        self.values: list[str] = []

    def note(self, *args: Any) -> None:
        for held in args:
            if isinstance(held, User):
                self.values.append(held.email)
            if isinstance(held, Entry | Entity):
                self.values.append(held.note)
            if isinstance(held, Entry):
                self.values.append(held.schema.note)

    def save(self, *args: Any) -> None:
        self.note(*args)
        for held in args:
            if isinstance(held, User | Entry | Entity):
                type(held)._base_manager.filter(pk=held.pk).update(
                    **{
                        field.attname: getattr(held, field.attname)
                        for field in held._meta.concrete_fields
                        if not field.primary_key
                    }
                )


ENTRY_HOOKS = ["entry.before_update", "entry.after_update", "entry.validate"]


@pytest.mark.parametrize("hook", [*ENTRY_HOOKS, "entry.before_delete", "entry.after_delete"])
def test_the_next_handler_gets_objects_as_before_one_that_failed(
    bridged: HookManager, user: User, entry: Entry, hook: str
) -> None:
    seen = Seen()
    bridged.register_hook(hook, spoil_and_fail, plugin_id="bad")
    bridged.register_hook(hook, seen.save, plugin_id="good")
    with acting_as(user):
        if "delete" in hook:
            entry.delete()
        else:
            update_entry(entry, user, name="second")
    assert seen.values
    assert "spoilt" not in str(seen.values)
    stored = Entry.objects.get(pk=entry.pk)
    assert (stored.note, stored.schema.note) == ("stored", "stored")
    assert User.objects.get(pk=user.pk).email == user.email == "stored@example.com"


@pytest.mark.parametrize("hook", ["entity.before_update", "entity.after_update"])
def test_entities_too(bridged: HookManager, user: User, entry: Entry, hook: str) -> None:
    seen = Seen()
    bridged.register_hook(hook, spoil_and_fail, plugin_id="bad")
    bridged.register_hook(hook, seen.save, plugin_id="good")
    entity = update_entity(entry.schema, user, name="product")
    assert "spoilt" not in str(seen.values)
    assert entity.note == Entity.objects.get(pk=entity.pk).note == "stored"


@pytest.mark.parametrize("handler", [spoil, spoil_and_fail])
@pytest.mark.parametrize("hook", ENTRY_HOOKS)
def test_what_nobody_stored_is_not_shown(
    bridged: HookManager, user: User, entry: Entry, hook: str, handler: Any
) -> None:
    bridged.register_hook(hook, handler, plugin_id="bad")
    shown = update_entry(entry, user, name="second")
    assert (shown.name, shown.note) == ("second", "stored")
    assert user.email == "stored@example.com"
    assert Entry.objects.get(pk=entry.pk).note == "stored"


def test_what_a_handler_stored_is_shown(bridged: HookManager, user: User, entry: Entry) -> None:
    def stamp(_entity_name: Any, _user: Any, entry: Entry) -> None:
        if entry.note != "stamped":
            entry.note = "stamped"
            entry.save()

    def stamp_elsewhere(_entity_name: Any, _user: Any, entry: Entry) -> None:
        entry.name = "in memory alone"

    bridged.register_hook("entry.after_update", stamp, plugin_id="good")
    bridged.register_hook("entry.after_update", stamp_elsewhere, plugin_id="careless")
    bridged.register_hook("entry.after_update", spoil_and_fail, plugin_id="bad")
    shown = update_entry(entry, user, name="second")
    stored = Entry.objects.get(pk=entry.pk)
    assert (shown.name, shown.note) == (stored.name, stored.note) == ("second", "stamped")


def test_a_plain_save_keeps_what_it_is_about_to_store(bridged: HookManager, entry: Entry) -> None:
    bridged.register_hook("entry.before_update", spoil_and_fail, plugin_id="bad")
    entry.name = "second"
    entry.save()
    stored = Entry.objects.get(pk=entry.pk)
    assert (entry.name, entry.note) == (stored.name, stored.note) == ("second", "stored")


def test_attributes_that_a_plugin_keeps_on_an_object_stay(bridged: HookManager, entry: Entry) -> None:
    seen: list[Any] = []

    def remember(_name: Any, _user: Any, _data: Any, entry: Any) -> None:
        entry.name_before = entry.name

    bridged.register_hook("entry.before_update", remember, plugin_id="good")
    bridged.register_hook("entry.after_update", lambda _name, _user, entry: seen.append(entry.name_before))
    update_entry(entry, None, name="second")
    assert seen == ["first"]


@pytest.mark.parametrize("handler", [spoil, spoil_and_fail])
def test_showing_an_object_does_not_change_it(bridged: HookManager, entry: Entry, handler: Any) -> None:
    seen = Seen()
    for hook in ("entry.get_attrs", "entity.get_attrs"):
        bridged.register_hook(hook, handler, plugin_id="bad")
        bridged.register_hook(hook, seen.note, plugin_id="good")
    shown = [{"name": "a"}]
    assert filter_entry_attrs(entry, shown, is_retrieve=True) == shown
    assert filter_entity_attrs(entry.schema, shown) == shown
    if handler is spoil_and_fail:
        assert seen.values == ["stored", "stored", "stored"]
    assert entry.note == "stored"


def test_a_user_that_is_read_when_first_used(bridged: HookManager, user: User, entry: Entry) -> None:
    seen = Seen()

    def spoil_user(_name: Any, user: Any, *_args: Any) -> None:
        user.email = "spoilt@example.com"
        raise RuntimeError("oops")

    def look(_name: Any, user: Any, *_args: Any) -> None:
        seen.values.append(user.email)

    bridged.register_hook("entry.after_update", spoil_user, plugin_id="bad")
    bridged.register_hook("entry.after_update", look, plugin_id="good")
    lazy: Any = SimpleLazyObject(running.as_host()(lambda: User.objects.get(pk=user.pk)))
    bridged.execute_hook("entry.after_update", "customer", lazy, entry)
    assert seen.values == ["stored@example.com"]


def test_nothing_is_read_where_nothing_was_changed(
    bridged: HookManager, entry: Entry, django_assert_num_queries: Any
) -> None:
    bridged.register_hook("entry.get_attrs", lambda *_args: None, plugin_id="good")
    with django_assert_num_queries(0):
        filter_entry_attrs(entry, [{"name": "a"}], is_retrieve=True)
