"""Imports that skip what is refused: a row is written as a whole or not at all, and counted once."""

from __future__ import annotations

import io
from typing import Any

import pytest

from pagoda.domain.entity.models import Entity
from pagoda.domain.entry.models import Entry
from pagoda.domain.entry.services import create_entry
from pagoda.transfer import importing
from pagoda.transfer.importing import ImportOptions, Report, import_file

pytestmark = pytest.mark.django_db


@pytest.fixture
def host() -> Entity:
    attrs: list[dict[str, Any]] = [
        {"name": "s", "type": "string"},
        {"name": "ram", "type": "number"},
        {"name": "ref", "type": "object", "referral": ["Host"]},
    ]
    return Entity.objects.create_entity(user=None, name="Host", attrs=attrs)


@pytest.fixture(params=[1, 2, 1_000], autouse=True)
def at_once(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "_AT_ONCE", request.param)


def run(text: str, **options: Any) -> Report:
    wanted = ImportOptions(file_format="csv", entity="Host", is_skipping=True, **options)
    return import_file(io.BytesIO(text.encode()), None, wanted)


def counts(report: Report) -> tuple[int, int, int, int]:
    return report.created, report.updated, report.unchanged, report.refused


def held() -> dict[str, tuple[str, str]]:
    """Return what active entries hold: their text, and the name of what they refer to."""
    found = ((entry.name, entry.get_attrs()) for entry in Entry.objects.active())
    return {name: (attrs["s"], (attrs["ref"] or {}).get("name", "")) for name, attrs in found}


@pytest.mark.parametrize("is_preview", [True, False])
def test_nothing_of_a_row_is_written_whose_reference_is_refused(host: Entity, is_preview: bool) -> None:
    for name in ("m1", "m2"):
        create_entry(None, host, name=name, attrs={"s": "old"})
    report = run(
        "name,ref,s\nm2,nonexist,changed\nnew,nonexist,x\nm1,,old\nleaf,later,y\nlater,m1,z\n",
        is_preview=is_preview,
    )
    assert counts(report) == (2, 0, 1, 2)
    assert {(each.row, each.name, each.column) for each in report.refusals} == {
        (2, "m2", "ref"),
        (3, "new", "ref"),
    }
    before = {"m1": ("old", ""), "m2": ("old", "")}
    assert held() == (before if is_preview else before | {"leaf": ("y", "later"), "later": ("z", "m1")})
    assert Entry.objects.count() == len(held()), "a refused row was never made"


def test_rows_that_refer_to_each_other_are_made(host: Entity) -> None:
    create_entry(None, host, name="old", attrs={"s": "old"})
    report = run("name,ref,s\nold,a,new\na,b,x\nb,a,y\nself,self,z\nc,b,x\n")
    assert counts(report) == (4, 1, 0, 0), report.refusals
    assert held() == {
        "old": ("new", "a"),
        "a": ("x", "b"),
        "b": ("y", "a"),
        "self": ("z", "self"),
        "c": ("x", "b"),
    }


@pytest.mark.parametrize("is_preview", [True, False])
def test_what_was_made_for_a_row_that_is_refused_is_undone(host: Entity, is_preview: bool) -> None:
    report = run("name,ref,ram\na,b,1\nb,a,many\nc,,1\nd,a,1\n", is_preview=is_preview)
    assert counts(report) == (2, 0, 0, 2)
    assert {(each.row, each.name, each.column) for each in report.refusals} == {
        (2, "a", "ref"),
        (3, "b", "ram"),
    }
    assert held().keys() == (set() if is_preview else {"c", "d"})


def test_rows_of_one_entry_are_written_in_their_order(host: Entity) -> None:
    create_entry(None, host, name="old", attrs={"s": "0"})
    report = run("name,ref,s\nold,later,1\nnew,later,1\nold,,2\nnew,,2\nlater,,x\n")
    assert counts(report) == (2, 3, 0, 0), report.refusals
    assert held() == {"old": ("2", "later"), "new": ("2", "later"), "later": ("x", "")}


@pytest.mark.parametrize("key", ["name", "s"])
def test_a_row_counts_once_where_none_is_skipped(host: Entity, key: str) -> None:
    create_entry(None, host, name="m1", attrs={"s": "1"})
    table = b"name,ref,s\nm1,nonexist,1\nnew,nonexist,2\n"
    wanted = ImportOptions(file_format="csv", entity="Host", key=key)
    report = import_file(io.BytesIO(table), None, wanted)
    assert (counts(report), report.is_written, len(report.refusals)) == ((0, 0, 0, 2), False, 2)
