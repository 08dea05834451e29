"""Any text in any column is stored as it is, or refused with a message that can be shown."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import transaction
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pagoda.domain.entity import services as entities
from pagoda.domain.entity.models import Entity, EntityAttr
from pagoda.domain.entry import services
from pagoda.domain.entry.models import AttributeReference, Entry
from pagoda.domain.user.models import ApiToken, Role, User
from pagoda_plugin_sdk.rules.text import clean_name
from tools.examples import examples
from tools.kept_rows import made_once

pytestmark = pytest.mark.django_db

type Write = Callable[["World", str], object]  # (what was stored, the field with the text) if it can be told


class World:
    """A user, an entity and an entry to write to; names of new things are kept apart by a number."""

    def __init__(self, user: User) -> None:
        self.user = user
        self.entity = entities.create_entity(
            user,
            name="Thing",
            attrs=[
                {"name": "line", "type": "string"},
                {"name": "page", "type": "text"},
                {"name": "lines", "type": "array_string"},
                {"name": "kind", "type": "select", "choices": ["a"]},
                {"name": "link", "type": "named_object"},
            ],
        )
        self.entry = services.create_entry(user, self.entity, name="thing")

    def attr(self, **spec: Any) -> EntityAttr:
        entities.update_entity(self.entity, self.user, attrs=[spec])
        return self.entity.attrs.latest("id")


def _entry_value(name: str, wrap: Callable[[str], Any] = lambda text: text) -> Write:
    def write(world: World, text: str) -> None:
        services.update_entry(world.entry, world.user, attrs={name: wrap(text)})
        assert world.entry.get_attrs()[name] == wrap(text)

    return write


def _link(world: World, text: str) -> None:
    services.update_entry(world.entry, world.user, attrs={"link": {"name": text, "object": None}})
    stored = AttributeReference.objects.filter(value__parent_entry=world.entry, value__is_latest=True)
    assert [link.name for link in stored] == ([text] if text else [])


def _role(world: World, text: str) -> None:
    role = Role(name=text, note=text)
    role.full_clean()
    role.save()


def _user(world: World, text: str) -> None:
    user = User(username=text, first_name=text, email=f"{text}@example.org", password="x")
    user.full_clean()
    user.save()


WRITES: dict[str, Write] = {
    "entry name": lambda world, text: (services.create_entry(world.user, world.entity, name=text), "name"),
    "entry renamed": lambda world, text: (services.update_entry(world.entry, world.user, name=text), "name"),
    "entry note": lambda world, text: (services.update_entry(world.entry, world.user, note=text), "note"),
    "row of many": lambda world, text: (
        services.create_entries(world.user, world.entity, [{"name": text, "note": text}, {"name": "o"}])[0],
        "name",
    ),
    "string": _entry_value("line"),
    "text": _entry_value("page"),
    "array": _entry_value("lines", lambda text: [text]),
    "select": _entry_value("kind"),
    "named link": _link,
    "unknown attribute": lambda world, text: services.update_entry(world.entry, world.user, attrs={text: 1}),
    "entity name": lambda world, text: (entities.create_entity(world.user, name=text), "name"),
    "entity note": lambda world, text: (entities.update_entity(world.entity, world.user, note=text), "note"),
    "attribute name": lambda world, text: (world.attr(name=text, type="string"), "name"),
    "attribute note": lambda world, text: (world.attr(name="n", type="string", note=text), "note"),
    "attribute type": lambda world, text: (world.attr(name="n", type=text), "type"),
    "attribute key": lambda world, text: (world.attr(name="n", type="string", **{text: 1}), "name"),
    "choice": lambda world, text: world.attr(name="n", type="select", choices=[text]).choices == [text],
    "default": lambda world, text: (world.attr(name="n", type="text", default_value=text), "default_value"),
    "referral": lambda world, text: world.attr(name="n", type="object", referral=[text]),
    "role": _role,
    "user": _user,
    "token name": lambda world, text: (ApiToken.issue(world.user, text, None)[0], "name"),
}
ANY_TEXT = st.text(st.characters()) | st.text(st.characters(categories=["Cs", "Cc", "Cf"]), max_size=5)


@pytest.mark.parametrize("column", WRITES)
@settings(
    max_examples=examples(8, quick=3),
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # each example undoes what it stored
)
@example(text="\x00")
@example(text="a\x00b")
@example(text="\ud800")
@example(text="line\nbreak\x1b[31m")
@example(text="0\r")
@example(text="x" * 1_048_576)
@example(text="x" * 1_048_577)
@example(text="\U0010ffff" * 200)
@given(text=ANY_TEXT)
def test_any_text_is_stored_as_it_is_or_refused(user: User, column: str, text: str) -> None:
    with transaction.atomic():
        world = made_once(World, user)
        try:
            stored = WRITES[column](world, text)
        except ValidationError as refusal:
            assert refusal.messages  # noqa: PT017 - either outcome is right
            told = json.dumps(
                refusal.message_dict if hasattr(refusal, "error_dict") else refusal.messages,
                ensure_ascii=False,
            )
            assert len(told.encode()) < 20_000
        else:
            if isinstance(stored, tuple):
                thing, field = stored
                thing.refresh_from_db()
                kept = {text, clean_name(text)} if field == "name" else {text}  # names: NFC, trimmed (ADR 26)
                assert field == "type" or getattr(thing, field) in kept or column == "attribute key"
        transaction.set_rollback(True)
    assert not Entity.objects.exists()
    assert not Entry.objects.exists()
