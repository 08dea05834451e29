"""The table of docs/plugins/values.md: what a value of each type is, wherever a plugin meets one."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group

from pagoda.domain.entity.models import Entity
from pagoda.domain.entry.models import Entry
from pagoda.domain.user.models import Role
from pagoda_plugin_sdk import Plugin
from pagoda_plugin_sdk.decorators import entry_hook, get_attrs_hook, validation_hook
from pagoda_plugin_sdk.rules.attr_types import TYPES

pytestmark = pytest.mark.django_db

DOCS = (Path(__file__).parents[3] / "docs/plugins/values.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `(\w+)` \| (.+) \| `(.+)` \| `(.+)` \|$", re.MULTILINE)
TABLE = {row[0]: (re.findall("`([^`]+)`", row[1]), row[2], row[3]) for row in ROW.findall(DOCS)}


class Watching(Plugin):
    id = name = "watching"

    def __init__(self) -> None:
        super().__init__()
        self.seen: dict[str, Any] = {}

    def note(self, hook: str, attrs: list[dict[str, Any]]) -> None:
        self.seen[hook] = {attr["name"]: attr["value"] for attr in attrs}["it"]

    @entry_hook("before_create")
    def before(self, entity_name: str, user: Any, data: dict[str, Any]) -> None:
        self.note("before", data["attrs"])

    @validation_hook()
    def check(self, user: Any, schema: str, name: str, attrs: list[dict[str, Any]], instance: Any) -> None:
        self.note("validate", attrs)

    @entry_hook("after_create")
    def after(self, entity_name: str, user: Any, entry: Any) -> None:
        self.seen["after"] = entry.get_attrs()["it"]

    @get_attrs_hook("entry")
    def show(self, entry: Any, attrinfo: list[dict[str, Any]], is_retrieve: bool) -> None:
        self.note("get_attrs", attrinfo)


@pytest.fixture
def meanings(make_entity: Any, make_entry: Any) -> dict[str, Any]:
    """What the names in the examples stand for."""
    rack = make_entry(make_entity("Rack"), "r1")
    group, role = Group.objects.create(name="ops"), Role.objects.create(name="admins")
    return {
        "entry": rack,
        "group": group,
        "role": role,
        "schema": rack.schema,
        "date": date,
        "datetime": datetime,
        "UTC": UTC,
    }


def test_table_has_each_type() -> None:
    assert {f"{prefix}{name}" for name in TABLE for prefix in ("", "array_")} == set(TYPES)


@pytest.mark.parametrize("is_array", [False, True], ids=["one", "array"])
@pytest.mark.parametrize("name", TABLE)
def test_value_has_the_forms_of_the_table(
    name: str, is_array: bool, meanings: dict[str, Any], register: Any, superuser_api: Any
) -> None:
    def of(text: str) -> Any:
        value = eval(text, dict(meanings))  # an example of our own page
        return [value] if is_array else value

    given, python, json = TABLE[name][0], of(TABLE[name][1]), of(TABLE[name][2])
    spec: dict[str, Any] = {"name": "it", "type": f"array_{name}" if is_array else name}
    spec |= {"choices": ["red"]} if name == "select" else {"referral": ["Rack"]} if "object" in name else {}
    Entity.objects.create_entity(user=None, name="Host", attrs=[spec])
    plugin = register(Watching())
    sent = of(given[-1].replace("2026-03-31T14:00:00+02:00", "2026-03-31T12:00:00Z"))

    body = {"schema": "Host", "name": "h1", "attrs": {"it": sent}}
    made = superuser_api.post("/api/v2/entries/", body, format="json").json()

    assert [attr["value"] for attr in made["attrs"]] == [json]
    assert plugin.seen == {"before": sent, "validate": json, "after": python, "get_attrs": json}
    entry = Entry.objects.get(name="h1")
    for text in given:
        entry.set_attrs(None, it=None)
        assert entry.get_attrs() == {"it": [] if is_array else None}
        entry.set_attrs(None, it=of(text))
        found = entry.get_attrs()["it"]
        assert (found, type(found)) == (python, type(python))
