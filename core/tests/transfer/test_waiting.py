"""Rows of an import that can't be made without what stands further down in the file."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from pagoda.domain.entry.models import Entry
from pagoda.transfer import importing
from pagoda.transfer.importing import ImportOptions, Report, import_file

pytestmark = pytest.mark.django_db

RACK = {"name": "Rack", "attrs": [{"name": "room", "type": "string", "is_mandatory": True}]}
HOST = {
    "name": "Host",
    "attrs": [
        {"name": "rack", "type": "object", "referral": ["Rack"], "is_mandatory": True},
        {"name": "before", "type": "object", "referral": ["Host"]},
    ],
}
LINK = {"name": "Link", "attrs": [{"name": "to", "type": "object", "is_mandatory": True}]}


def run(entries: list[dict[str, Any]], **options: Any) -> Report:
    text = json.dumps({"entities": [HOST, RACK, LINK], "entries": entries})
    return import_file(io.BytesIO(text.encode()), None, ImportOptions(file_format="json", **options))


def host(name: str, **attrs: Any) -> dict[str, Any]:
    return {"entity": "Host", "name": name, "attrs": {"rack": "r1", **attrs}}


def link(name: str, to: str, entity: str = "Link") -> dict[str, Any]:
    return {"entity": "Link", "name": name, "attrs": {"to": {"entity": entity, "name": to}}}


RACKS = [{"entity": "Rack", "name": "r1", "attrs": {"room": "north"}}]


@pytest.mark.parametrize("options", [{}, {"is_skipping": True}, {"is_preview": True}])
@pytest.mark.parametrize("at_once", [1, 2, 1_000])
def test_a_mandatory_reference_may_be_further_down(
    monkeypatch: pytest.MonkeyPatch, at_once: int, options: dict[str, bool]
) -> None:
    monkeypatch.setattr(importing, "_AT_ONCE", at_once)
    report = run([link("l", "h1", "Host"), host("h1", before="h2"), host("h2"), *RACKS], **options)
    assert (report.created, report.updated, report.refused) == (4, 0, 0), report.refusals
    if not report.is_written:
        assert not Entry.objects.exists()
        return
    found = {entry.name: entry.get_attrs() for entry in Entry.objects.all()}
    assert found["h1"]["rack"]["name"] == found["h2"]["rack"]["name"] == "r1"
    assert (found["h1"]["before"]["name"], found["l"]["to"]["name"]) == ("h2", "h1")


def test_rows_that_wait_for_each_other_are_made_from_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [link(f"l{number}", f"l{number + 1}") for number in range(6)]
    assert run([*rows, link("l6", "r1", "Rack"), *RACKS]).created == 8
    Entry.objects.all().delete()
    monkeypatch.setattr(importing, "_ROUNDS", 3)
    report = run([*rows, link("l6", "r1", "Rack"), *RACKS])
    assert (report.is_written, [each.name for each in report.refusals]) == (False, ["l0", "l1", "l2", "l3"])


def test_what_is_never_there_is_refused_once_and_by_its_row() -> None:
    rows = [host("h1"), host("h2", rack="nowhere"), link("a", "b"), link("b", "a"), *RACKS]
    report = run([*rows, {"entity": "Rack", "name": "r2", "attrs": {}}], is_skipping=True)
    told = {each.row: (each.name, each.column) for each in report.refusals}
    assert told == {2: ("h2", "rack"), 3: ("a", "to"), 4: ("b", "to"), 6: ("r2", "room")}
    assert (report.refused, report.created, Entry.objects.count()) == (4, 2, 2)
    assert all("no entry named" in each.reason for each in report.refusals if each.row < 6)


def test_a_row_with_faults_of_its_own_does_not_wait() -> None:
    report = run([host("h1", nothing=1), *RACKS])
    assert [(each.row, each.column) for each in report.refusals] == [(1, "nothing")]
