"""Files written by hand: what is made of them, what is refused and where, and that nothing stays then."""

from __future__ import annotations

import io
import json
import re
from typing import Any

import openpyxl
import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext

from pagoda.audit.models import AuditEvent
from pagoda.domain import changes
from pagoda.domain.changes import Change
from pagoda.domain.entity.models import Entity
from pagoda.domain.entity.services import update_entity
from pagoda.domain.entry.models import Entry
from pagoda.domain.entry.services import create_entry
from pagoda.domain.user.models import Level, User
from pagoda.plugins.overrides import Override, _Bound
from pagoda.transfer.document import TransferFault
from pagoda.transfer.exporting import export
from pagoda.transfer.formats import FORMATS
from pagoda.transfer.importing import ImportOptions, Report, import_file
from pagoda_plugin_sdk.exceptions import HookRejected
from pagoda_plugin_sdk.override import OverrideOperation

pytestmark = pytest.mark.django_db


@pytest.fixture
def ann() -> User:
    return User.objects.create_user("ann")


@pytest.fixture
def host(ann: User) -> Entity:
    ann.user_permissions.add(Permission.objects.get(codename="add_entity"))
    attrs: list[dict[str, Any]] = [
        {"name": "serial", "type": "string"},
        {"name": "ram", "type": "number"},
        {"name": "uplink", "type": "object", "referral": ["Host"]},
        {"name": "tags", "type": "array_string"},
    ]
    return Entity.objects.create_entity(user=ann, name="Host", attrs=attrs)


def run(text: str, user: User | None = None, file_format: str = "csv", **options: Any) -> Report:
    wanted = ImportOptions(file_format=file_format, entity="Host", **options)
    return import_file(io.BytesIO(text.encode()), user, wanted)


def names() -> list[str]:
    return list(Entry.objects.active().order_by("name").values_list("name", flat=True))


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
def test_a_table_by_hand(ann: User, host: Entity, delimiter: str, bom: str) -> None:
    rows = [
        ["name", "ram", "uplink", "tags", "serial"],
        ["leaf", "1.5", "root", '"[""a"", ""b""]"', "007"],
        ["root", "8", "", "", '"=1+1"'],
    ]
    report = run(bom + "\r\n".join(delimiter.join(row) for row in rows), ann)
    assert (report.created, report.refused, report.is_written) == (2, 0, True), report.refusals
    found = {entry.name: entry.get_attrs() for entry in Entry.objects.all()}
    leaf = found["leaf"]
    assert (leaf["ram"], leaf["uplink"]["name"], leaf["tags"]) == (1.5, "root", ["a", "b"])
    assert (leaf["serial"], found["root"]["serial"], found["root"]["ram"]) == ("007", "=1+1", 8)
    assert set(AuditEvent.objects.filter(action="entry.created").values_list("actor", flat=True)) == {"ann"}


BAD = "name,ram,uplink\nok,1,\nbad,many,\nlost,2,nowhere\n,3,\n"
REFUSED = [(3, "ram"), (4, "uplink"), (5, "name")]


def test_one_refused_row_and_nothing_is_written(ann: User, host: Entity) -> None:
    report = run(BAD, ann)
    assert (report.is_written, names()) == (False, [])
    assert (report.refusals[0].row, report.refusals[0].column) == REFUSED[0]
    assert report.refusals[0].reason == "Attribute 'ram': expected a number such as 3 or 3.5, got 'many'"


def test_what_is_refused_is_skipped_where_it_is_asked_for(ann: User, host: Entity) -> None:
    report = run(BAD, ann, is_skipping=True)
    assert (report.is_written, report.created, report.refused) == (True, 1, 3)
    assert {(each.row, each.column) for each in report.refusals} == {*REFUSED}
    assert names() == ["ok"]


@pytest.mark.parametrize("operation", ["create", "update"])
def test_what_a_plugin_does_in_the_host_s_place_is_refused(
    ann: User, host: Entity, operation: OverrideOperation, monkeypatch: pytest.MonkeyPatch
) -> None:
    Entity.objects.create_entity(user=ann, name="Rack")
    replaced = Override(plugin_id="p", operation=operation, handler=lambda context: None, params={})
    monkeypatch.setattr(_Bound, "bindings", {"Host": {operation: replaced}})
    report = run("entity,name\nRack,r\nHost,h", ann, is_skipping=True)
    assert [(each.row, each.reason) for each in report.refusals] == [
        (3, "A plugin does this in the host's place; send it as a request of its own.")
    ]
    assert names() == ["r"]


def test_a_preview_writes_nothing_and_tells_nobody(ann: User, host: Entity) -> None:
    create_entry(ann, host, name="old", attrs={"ram": 1})
    create_entry(ann, host, name="same", attrs={"ram": 1})
    told: list[Any] = []
    changes.changed.connect(lambda change, **_: told.append(change), weak=False, dispatch_uid="preview")
    events = AuditEvent.objects.count()
    report = run("name,ram\nold,2\nsame,1\nnew,3\nbad,x\n", ann, is_preview=True)
    changes.changed.disconnect(dispatch_uid="preview")
    assert (report.created, report.updated, report.unchanged, report.refused) == (1, 1, 1, 1)
    assert (report.is_written, told, names()) == (False, [], ["old", "same"])
    assert AuditEvent.objects.count() == events
    assert Entry.objects.get(name="old").get_attrs()["ram"] == 1


def test_rows_find_their_entries_by_a_key(ann: User, host: Entity) -> None:
    create_entry(ann, host, name="old", attrs={"serial": "X1", "ram": 1})
    report = run("name,serial,ram\nnew name,X1,2\nother,X2,3\n", ann, key="serial")
    assert (report.created, report.updated, names()) == (1, 1, ["new name", "other"])


@pytest.mark.parametrize("is_preview", [True, False])
def test_equal_keys_of_rows_are_one_entry_however_they_are_written(host: Entity, is_preview: bool) -> None:
    update_entity(host, None, attrs=[{"name": "seen", "type": "datetime"}])
    tables = {
        "ram": "name,ram\na,88\nb,88.0\n",
        "seen": "name,seen\nc,2026-01-01T00:00:00Z\nd,2026-01-01T01:00:00+01:00\n",
    }
    for key, table in tables.items():
        report = run(table, key=key, is_preview=is_preview)
        assert (report.created, report.updated, report.refusals) == (1, 1, [])
    rows = [{"entity": "Host", "name": each, "attrs": {"ram": ram}} for each, ram in (("e", 77), ("f", 77.0))]
    report = run(json.dumps({"entries": rows}), None, "json", key="ram", is_preview=is_preview)
    assert (report.created, report.updated) == (1, 1)
    assert names() == ([] if is_preview else ["b", "d", "f"])


def test_the_entities_of_a_file_tell_no_names(ann: User, host: Entity) -> None:
    Entity.objects.filter(pk=host.pk).update(default_permission=Level.NOTHING)
    eve = User.objects.create_user("eve")

    def refused(name: str) -> tuple[list[str], int]:
        report = run(f'#pagoda,"[{{""name"":""{name}""}}]"\nentity,name\n{name},a\n', eve)
        return [each.reason.replace(name, "X") for each in report.refusals], report.refused

    assert refused("Host") == refused("Free")
    assert "Adding entities takes a right" in refused("Host")[0][0]


def test_rights_are_the_user_s(ann: User, host: Entity) -> None:
    eve = User.objects.create_user("eve")
    report = run("name\nweb\n", eve)
    assert (report.refused, names()) == (1, [])
    assert "Writable permission on entity 'Host' is needed" in report.refusals[0].reason
    create_entry(ann, host, name="web", attrs={"ram": 1})
    Entity.objects.update(default_permission=Level.NOTHING)
    with pytest.raises(TransferFault, match="no entity 'Host'"):
        export(io.BytesIO(), eve, file_format="csv", entities=["Host"])
    assert export(io.BytesIO(), eve, file_format="csv") == 0
    host.attrs.filter(name="ram").update(default_permission=Level.NOTHING)
    Entity.objects.update(default_permission=Level.READABLE)
    stream = io.BytesIO()
    assert export(stream, eve, file_format="csv") == 1
    assert b"ram" not in stream.getvalue()


@pytest.mark.parametrize(
    ("file_format", "content"),
    [
        ("csv", b"name\n\xff\xfe"),
        ("csv", b"serial\n1\n"),
        ("csv", b'#pagoda,"{"\nname\n'),
        ("json", b'{"entries": [{"name": "a"}, '),
        ("json", b"[" * 100_000),
        ("json", b""),
        ("json", b'[{"name": "a"}]'),
        ("json", b'{"entires": [{"name": "a"}]}'),
        ("yaml", b""),
        ("yaml", b"entities: []\nentries: [{name: a}]\n"),
        ("csv", b""),
        ("csv", b"\n\n"),
        ("csv", b"\xef\xbb\xbf \r\n\t\r\n"),
        ("csv", b"#pagoda,[]\n\n"),
        ("json", b"\n\n"),
        ("yaml", b"\n\n"),
        ("csv", b"name,serial,serial\na,1,2\n"),
        ("yaml", b"--- {name: [}"),
        ("yaml", b"--- " + b"[" * 1000),
        ("yaml", b"a: &a [1]\nb: [*a, *a]\n"),
        ("yaml", b"--- !!python/object/apply:os.system ['true']\n"),
        ("yaml", b"--- !!map abc\n"),
        ("xlsx", b"PK no workbook"),
        ("xlsx", b""),
    ],
)
def test_a_broken_file_is_refused_in_words(host: Entity, file_format: str, content: bytes) -> None:
    wanted = ImportOptions(file_format=file_format, entity="Host")
    with pytest.raises(TransferFault):
        import_file(io.BytesIO(content), None, wanted)
    assert names() == []


@pytest.mark.parametrize(
    ("file_format", "content", "told"),
    [
        ("json", b'{"entries": [{"name": "a"}, {"name": "b", "name": "c"}]}', "'name' twice in item 2"),
        ("json", b'{"entries": [{"name": "a", "attrs": {"ram": 1, "ram": 2}}]}', "'ram' twice in item 1"),
        ("json", b'{"entries": [], "entries": [{"name": "a"}]}', "'entries' twice in its object"),
        ("json", b'{"entities": [{"name": "a"}], "entries": [{"name": "b", "name": "c"}]}', "in item 1;"),
        ("json", b'{"entries": ["a", null, {"name": "b", "name": "c"}]}', "'name' twice in item 3"),
        ("yaml", b"---\nname: a\n---\nname: b\nattrs:\n  ram: 1\n  ram: 2\n", "'ram' twice in line 7"),
        ("csv", b"name,ram,attr.ram\na,1,2\n", "'ram' and 'attr.ram' of the table are of one attribute"),
        ("csv", b"name,ram,attr. ram\na,1,2\n", "of one attribute"),
        ("csv", b"name,attr.\na,1\n", "'attr.' of the table names no attribute"),
        ("csv", b" name,name \na,1\n", "two columns 'name'"),
        ("csv", "name,serial\na,1\n".encode("utf-16"), "save it as UTF-8"),
        ("yaml", "name: a\n".encode("utf-16"), "save it as UTF-8"),
        ("csv", b'#pagoda,"[{""name"": 1, ""name"": 2}]"\nname\na\n', "'name' is twice"),
        ("csv", "name,serial\na,Stra\u00dfe\n".encode("cp1252"), "save it as UTF-8"),
    ],
)
def test_what_would_be_read_as_something_else_is_refused(
    host: Entity, file_format: str, content: bytes, told: str
) -> None:
    with pytest.raises(TransferFault, match=re.escape(told)):
        import_file(io.BytesIO(content), None, ImportOptions(file_format=file_format, entity="Host"))
    assert names() == []


def test_spaces_around_the_name_of_a_column_are_none_of_it(host: Entity) -> None:
    wanted = ImportOptions(file_format="csv", entity="Host")
    assert import_file(io.BytesIO(b" name , ram\na,1\n"), None, wanted).created == 1
    assert Entry.objects.get(name="a").get_attrs()["ram"] == 1


def test_keys_of_different_objects_may_be_equal(host: Entity) -> None:
    entries = [{"name": each, "attrs": {"ram": 1}} for each in "ab"]
    content = json.dumps({"entities": [], "entries": entries}).encode()
    report = import_file(io.BytesIO(content), None, ImportOptions(file_format="json", entity="Host"))
    assert (report.created, names()) == (2, ["a", "b"])


@pytest.mark.parametrize("row", [b"a,1,2", b"a,,,3"])
def test_a_cell_that_no_column_takes_is_refused(host: Entity, row: bytes) -> None:
    wanted = ImportOptions(file_format="csv", entity="Host")
    assert import_file(io.BytesIO(b"name,serial,\n" + row + b"\n"), None, wanted).refused == 1
    assert import_file(io.BytesIO(b"name,serial,\nb,1,\n"), None, wanted).created == 1
    assert names() == ["b"]


def test_lines_before_a_table_that_say_nothing_are_none_of_it(host: Entity) -> None:
    report = run("\n \nname,ram\na,1\nb,many\n", is_skipping=True)
    assert (report.created, [each.row for each in report.refusals], names()) == (1, [5], ["a"])
    book = openpyxl.Workbook()
    sheet: Any = book.create_sheet()
    for number, cell in ((3, "name"), (4, "c"), (5, "")):
        sheet.cell(number, 1, cell)
    stream = io.BytesIO()
    book.save(stream)
    wanted = ImportOptions(file_format="xlsx", entity="Host")
    assert (import_file(stream, None, wanted).created, names()) == (1, ["a", "c"])
    empty = io.BytesIO()
    openpyxl.Workbook().save(empty)
    with pytest.raises(TransferFault, match="empty"):
        import_file(empty, None, wanted)


def test_a_workbook_by_hand(host: Entity) -> None:
    book = openpyxl.Workbook()
    sheet: Any = book.active
    for row in (["name", "ram", "serial"], ["web", 16, 7], [None, None, None], ["db", 1.5, "x"]):
        sheet.append(row)
    stream = io.BytesIO()
    book.save(stream)
    report = import_file(stream, None, ImportOptions(file_format="xlsx", entity="Host"))
    assert (report.created, report.refusals) == (2, [])
    assert Entry.objects.get(name="web").get_attrs()["serial"] == "7"


@pytest.mark.parametrize("file_format", FORMATS)
def test_no_cell_is_a_formula(host: Entity, file_format: str) -> None:
    for number, sign in enumerate("=+-@\t\r"):
        create_entry(None, host, name=f"{number}", note=f"{sign}cmd", attrs={"serial": f"{sign}1"})
    stream = io.BytesIO()
    export(stream, None, file_format=file_format)
    if file_format == "csv":
        cells = [cell for line in stream.getvalue().decode().splitlines()[2:] for cell in line.split(",")]
        assert not [cell for cell in cells if cell.lstrip('"')[:1] in tuple("=+@\t\r") and cell[:3] != '"""']
    if file_format == "xlsx":
        sheets = openpyxl.load_workbook(stream).worksheets
        assert {cell.data_type for sheet in sheets for row in sheet.iter_rows() for cell in row} <= {
            "s",
            "n",
            "inlineStr",
        }


@pytest.mark.parametrize("file_format", sorted(FORMATS))
def test_marks_of_attributes_come_along(host: Entity, file_format: str) -> None:
    marks = {"serial": (True, "null", False), "uplink": (False, "protect", True)}
    for name, (is_indexed, on_delete, is_mandatory) in marks.items():
        host.attrs.filter(name=name).update(
            is_indexed=is_indexed, on_delete=on_delete, is_mandatory=is_mandatory
        )
    stream = io.BytesIO()
    export(stream, None, file_format=file_format)
    Entity.objects.all().delete()
    import_file(stream, None, ImportOptions(file_format=file_format))
    kept = Entity.objects.active().get(name="Host").attrs.filter(name__in=marks)
    assert {attr.name: (attr.is_indexed, attr.on_delete, attr.is_mandatory) for attr in kept} == marks


def test_a_row_refers_to_more_that_stand_behind_it_than_an_answer_names_faults(
    ann: User, host: Entity
) -> None:
    attrs = [
        {"name": name, "type": "array_object", "referral": ["Host"]} for name in ("all", "some", "__all__")
    ]
    update_entity(host, None, attrs=attrs)
    behind = [f"h{number:02}" for number in range(25)]
    links = [{"name": name, "schema": "Host"} for name in behind]
    first = {
        "entity": "Host",
        "name": "first",
        "attrs": {"all": links, "some": links[:2], "__all__": links[:3]},
    }
    rows = [first, *({"entity": "Host", "name": name} for name in behind)]

    report = run(json.dumps({"entries": rows}), ann, "json")

    assert (report.refusals, report.created) == ([], 26)
    held = Entry.objects.get(name="first").get_attrs()
    assert [len(held[name]) for name in ("all", "some", "__all__")] == [25, 2, 3]


def test_all_rows_or_none_take_no_savepoints(host: Entity) -> None:
    """PostgreSQL keeps the memory of each to the end of the transaction: gigabytes of a million rows."""
    rows = "".join(f"h{number},{number}\n" for number in range(2_500))
    with CaptureQueriesContext(connection) as queries:
        report = run(f"name,ram\n{rows}")
    assert (report.is_written, report.created) == (True, 2_500)
    savepoints = [each["sql"] for each in queries if each["sql"].startswith("SAVEPOINT")]
    assert len(savepoints) == 1, "that of the import itself, in the test's transaction"


def test_a_refusal_that_undoes_its_neighbours_is_told_by_its_row(ann: User, host: Entity) -> None:
    def write(change: Change, **_signal: object) -> None:
        """Write for each entry, as a before-hook may, and refuse one."""
        User.objects.filter(pk=ann.pk).update(first_name=change.data["name"])
        if change.data["name"] == "b":
            raise HookRejected("no b")

    changes.changing.connect(write)
    try:
        report = run("name,ram\na,1\nb,2\nc,3\n")
    finally:
        changes.changing.disconnect(write)
    assert (report.is_written, report.created, report.refused) == (False, 2, 1)
    assert [(each.row, each.name, each.reason) for each in report.refusals] == [(3, "b", "no b")]
    assert (names(), User.objects.get(pk=ann.pk).first_name) == ([], "")


def test_a_row_is_refused_for_its_own_faults_not_for_what_it_refers_to_further_down(host: Entity) -> None:
    uplinks = [{"id": each.pk, "is_mandatory": True} for each in host.attrs.filter(name="uplink")]
    report = run("name,ram,uplink\na,much,b\nb,1,\n", is_preview=True)
    assert [(each.row, each.column) for each in report.refusals] == [(2, "ram")]
    update_entity(host, None, attrs=uplinks)
    report = run("name,ram,uplink\na,1,nowhere\n", is_preview=True)
    (refusal,) = report.refusals
    assert (refusal.column, "nowhere" in refusal.reason) == ("uplink", True)
