"""What is exported and imported into an empty host is the same there, in every format."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pagoda.domain.entity.models import Entity, EntityAttr
from pagoda.domain.entry.models import Attribute, AttributeReference, AttributeValue, Entry
from pagoda.domain.entry.services import create_entries, update_entry, verify
from pagoda.domain.user.models import Role
from pagoda.transfer.exporting import export
from pagoda.transfer.formats import FORMATS
from pagoda.transfer.importing import ImportOptions, import_file
from pagoda_plugin_sdk.rules.attr_types import TYPES
from pagoda_plugin_sdk.rules.text import clean_name, name_fault
from tools.examples import examples

pytestmark = pytest.mark.django_db

EXAMPLES = examples(20, quick=3) if connection.vendor == "sqlite" else examples(5, quick=2)
# Making an example smaller takes minutes there.
PHASES = list(Phase) if connection.vendor == "sqlite" else [Phase.explicit, Phase.reuse, Phase.generate]
CHOICES = ["=1+1", "a", "#N/A", "true"]
AWKWARD = [
    "",
    "=1+1",
    '"quoted"',
    "'",
    "true",
    "null",
    "1",
    "_x000D_",
    "\r\n",
    "[1]",
    "{}",
    "\ufeff",
    " x ",
    "~",
]
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
texts |= st.sampled_from(AWKWARD)
names = texts.filter(lambda text: name_fault(clean_name(text)) is None)
numbers = st.integers(-(2**63) + 1, 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "string": texts,
    "text": texts,
    "boolean": st.booleans(),
    "number": numbers,
    "date": st.dates().map(str),
    "datetime": st.datetimes().map(lambda when: f"{when.isoformat()}+00:00"),
    "select": st.sampled_from(CHOICES),
    "object": st.integers(0, 4),
    "named_object": st.fixed_dictionaries({"name": texts, "object": st.none() | st.integers(0, 4)}),
    "group": st.just("ops"),
    "role": st.just("admins"),
}
VALUES |= {f"array_{name}": st.lists(strategy, max_size=3) for name, strategy in VALUES.items()}
rows = st.lists(
    st.fixed_dictionaries({"name": names, "note": texts}, optional=VALUES),
    min_size=1,
    max_size=5,
    unique_by=lambda row: clean_name(row["name"]),
)


def made(row: dict[str, Any], entries: list[Entry], things: dict[str, Any]) -> dict[str, Any]:
    """Return the values with the objects that they stand for."""

    def value(type_name: str, raw: Any) -> Any:
        if isinstance(raw, list):
            return [value(type_name.removeprefix("array_"), each) for each in raw]
        if type_name == "object":
            return entries[raw % len(entries)]
        if type_name == "named_object":
            return raw | {"object": None if raw["object"] is None else entries[raw["object"] % len(entries)]}
        return things.get(type_name, raw)

    return {name: value(name, raw) for name, raw in row.items() if name in VALUES}


def shown() -> dict[str, Any]:
    """Return all there is, without ids."""

    def plain(value: Any) -> Any:
        if isinstance(value, list):
            return [plain(each) for each in value]
        if isinstance(value, dict):
            return {key: plain(each) for key, each in value.items() if key != "id"}
        return value

    fields = ("name", "type", "index", "choices", "is_mandatory", "default_value", "default_permission")
    attrs = EntityAttr.objects.active().order_by("index").values_list("parent_entity__name", *fields)
    entries = {e.name: (e.schema.name, e.note, plain(e.get_attrs())) for e in Entry.objects.active()}
    return {"attrs": list(attrs), "entries": entries}


def emptied() -> None:
    """Remove every row, without a word to anybody."""
    referral = EntityAttr.referral.through
    for model in (AttributeReference, AttributeValue, Attribute, Entry, referral, EntityAttr, Entity):
        rows: Any = model._default_manager.all()
        rows._raw_delete("default")


@pytest.mark.parametrize("file_format", FORMATS)
@settings(max_examples=EXAMPLES, phases=PHASES, suppress_health_check=list(HealthCheck))
@given(rows=rows)
def test_what_is_imported_into_an_empty_host_is_what_was_exported(
    db: None, file_format: str, rows: list[dict[str, Any]]
) -> None:
    emptied()
    group, _ = Group.objects.get_or_create(name="ops")
    role, _ = Role.objects.get_or_create(name="admins")
    attrs: list[dict[str, Any]] = [
        {"name": name, "type": name, "index": number, "default_permission": 4 if number % 2 else 8}
        | ({"choices": CHOICES} if "select" in name else {})
        | ({"referral": ["Thing"]} if name == "object" else {})
        for number, name in enumerate(TYPES)
    ]
    attrs += [
        {"name": "name", "type": "string", "index": 50},
        {"name": "attr.x", "type": "string", "index": 51},
    ]
    entity = Entity.objects.create_entity(user=None, name="Thing", attrs=attrs)
    entries = create_entries(None, entity, [{key: row[key] for key in ("name", "note")} for row in rows])
    for entry, row in zip(entries, rows, strict=True):
        values = made(row, entries, {"group": group, "role": role})
        update_entry(entry, None, attrs=values | {"name": row["note"], "attr.x": row["name"]})
    before = shown()
    stream = io.BytesIO()
    assert export(stream, None, file_format=file_format) == len(rows)
    emptied()
    report = import_file(io.BytesIO(stream.getvalue()), None, ImportOptions(file_format=file_format))
    assert report.refusals == []
    assert (report.created, report.is_written, report.entities) == (len(rows), True, ["Thing"])
    assert shown() == before
    again = import_file(io.BytesIO(stream.getvalue()), None, ImportOptions(file_format=file_format))
    assert (again.unchanged, again.created, again.updated) == (len(rows), 0, 0)
    assert not verify().wrong
