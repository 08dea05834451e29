"""Files made into entities and entries: all rows or none, unless those that are refused are to be skipped."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, nullcontext, suppress
from dataclasses import asdict, dataclass, field
from itertools import batched
from typing import IO, Any, Final

from django.core.exceptions import ValidationError
from django.db import connection, transaction

from pagoda.domain.access.querysets import readable
from pagoda.domain.bulk.items import NAME, read_items
from pagoda.domain.bulk.waiting import KeptTexts
from pagoda.domain.bulk.writing import write_many
from pagoda.domain.changes import untold, without_savepoints
from pagoda.domain.entity.models import Entity
from pagoda.domain.entity.services import create_entity, update_entity
from pagoda.domain.entry.creating import REFUSALS
from pagoda.domain.entry.reading import definitions_of
from pagoda.domain.user.models import User
from pagoda.plugins.overrides import many_fault
from pagoda.transfer.cells import from_cell
from pagoda.transfer.document import FileRow
from pagoda.transfer.exporting import Progress
from pagoda.transfer.formats import FORMATS
from pagoda_plugin_sdk.rules.attr_types import AttrType
from pagoda_plugin_sdk.rules.faults import OF_THE_WHOLE, fault_key
from pagoda_plugin_sdk.rules.text import by_clean_name, clean_name, spellings

_AT_ONCE: Final = 1_000
_ROUNDS: Final = 20  # over rows that wait for others
MAX_TOLD: Final = 100
"""How many refusals a report tells; where none is skipped, the import ends with them."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a row is refused."""

    row: int  # as in the file, from 1; 0: its schema
    entity: str
    name: str
    column: str  # the field or attribute; "" for the row as a whole
    reason: str


@dataclass(slots=True)
class Report:
    """What an import did, or would do."""

    is_written: bool = False
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    refused: int = 0
    entities: list[str] = field(default_factory=list)  # made
    refusals: list[Refusal] = field(default_factory=list)  # the first of them

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions:
    """How a file is read."""

    file_format: str
    entity: str = ""  # of rows that name none
    key: str = NAME  # what finds the entry of a row: its name, or an attribute
    is_skipping: bool = False  # leave refused rows out, and write each thousand rows at once
    is_preview: bool = False  # write nothing, but say what would be written


def import_file(
    stream: IO[bytes],
    user: User | None,
    options: ImportOptions,
    progress: Progress = lambda _rows, _part: None,
) -> Report:
    """Write the entries of a file as `user`, without one as the host; missing entities are made first.

    Raises:
        TransferFault: the file can't be read; nothing is written, when skipping what came before.
    """
    is_whole = options.is_preview or not options.is_skipping
    if is_whole:
        # Where a refusal ends it all, everything is tried again with savepoints, which tell whose it is.
        with suppress(*REFUSALS), without_savepoints():
            return _imported(stream, options, _Import(user, options, progress), is_whole=True)
    return _imported(stream, options, _Import(user, options, progress), is_whole=is_whole)


def _imported(stream: IO[bytes], options: ImportOptions, run: _Import, *, is_whole: bool) -> Report:
    telling = untold() if options.is_preview else nullcontext()
    with telling, transaction.atomic() if is_whole else nullcontext():
        run.read(stream)
        is_written = not (options.is_preview or (is_whole and run.report.refused))
        if not is_written:
            transaction.set_rollback(True)
    run.report.is_written = is_written
    return run.report


class _Import:
    """One import."""

    def __init__(self, user: User | None, options: ImportOptions, progress: Progress) -> None:
        self._user, self._options, self._progress = user, options, progress
        self._types: dict[str, Mapping[str, AttrType]] = {}
        self._names: KeptTexts | None = None  # clean ones, of the rows that wait or did
        self.report = Report()

    def read(self, stream: IO[bytes]) -> None:
        """Write what the file says."""
        size = stream.seek(0, 2)
        stream.seek(0)
        document = FORMATS[self._options.file_format].read(stream)
        if not self._make_entities(document.schema):
            return
        with ExitStack() as files:
            later, first = _opened(files), _opened(files)
            self._names = files.enter_context(KeptTexts())
            done = 0
            with KeptTexts() as behind:
                for rows in batched(document.rows, _AT_ONCE):
                    self._write([(row.number, self._item(row)) for row in rows], later, first, behind)
                    _check_references()
                    done += len(rows)
                    self._progress(done, min(stream.tell() / max(size, 1), 0.99))
                    if self._is_over():
                        return
            if not self._options.is_skipping:
                waiting = self._gone_through(first, later, files)
            else:
                waiting = self._pass(first, later, _opened(files))  # once: new rows need not wait in turn
                waiting = self._pass(waiting, later, _opened(files), is_leaving_out=True)
                waiting = self._gone_through(waiting, later, files)
            self._pass(waiting, later, None)
            later.seek(0)
            for lines in batched(later, _AT_ONCE):
                self._write_references([json.loads(line) for line in lines])
                _check_references()

    def _gone_through(self, waiting: IO[bytes], later: IO[bytes], files: ExitStack) -> IO[bytes]:
        """Write the rows that wait for what the file has behind them, and return those that still do.

        Some wait for each other in turn: they are gone through as long as that helps.
        """
        before = 0
        for _ in range(_ROUNDS - 1):
            size = waiting.tell()
            if size == before:
                break
            waiting, before = self._pass(waiting, later, _opened(files)), size
        return waiting

    def _pass[F: IO[bytes] | None](
        self, waiting: IO[bytes], later: IO[bytes], still: F, *, is_leaving_out: bool = False
    ) -> F:
        """Write the rows that wait, as the file's rows are there by now; who has to wait goes to `still`.

        `is_leaving_out` has new entries made without their references to rows that wait, too.
        """
        waiting.seek(0)
        with KeptTexts() as behind:
            for lines in batched(waiting, _AT_ONCE):
                if self._is_over():
                    break
                rows = [json.loads(line) for line in lines]
                self._write(rows, later, still, behind, is_leaving_out=is_leaving_out)
                _check_references()
        return still

    def _is_over(self) -> bool:
        return self.report.refused >= MAX_TOLD and not self._options.is_skipping

    def _make_entities(self, schema: Sequence[Any]) -> bool:
        """Make the entities that are not there yet, and tell whether all could be made."""
        specs = [each for each in schema if isinstance(each, Mapping) and isinstance(each.get("name"), str)]
        active = Entity.objects.active()
        # One that the user may not see is as new as any other: who may not add entities learns no names.
        seen = active if self._user is None else readable(active, self._user)
        named = seen.filter(name__in=spellings(spec["name"] for spec in specs))
        known = set(map(clean_name, named.values_list("name", flat=True)))
        new = [spec for spec in specs if clean_name(spec["name"]) not in known]
        made: list[tuple[Entity, Any]] = []
        name = ""
        try:
            for spec in new:  # all of them before their attributes, which may point to each other
                name = spec["name"]
                own = {key: spec[key] for key in ("note", "default_permission") if key in spec}
                made.append((create_entity(self._user, name=name, **own), spec.get("attrs", [])))
            for entity, attrs in made:
                name = entity.name
                update_entity(entity, self._user, attrs=attrs)
        except REFUSALS as error:
            self._refuse(0, "", name, error)
            return False
        self.report.entities = [entity.name for entity, _ in made]
        return True

    def _write(
        self,
        rows: Sequence[tuple[int, dict[str, Any]]],
        later: IO[bytes],
        waiting: IO[bytes] | None,
        behind: KeptTexts,
        *,
        is_leaving_out: bool = False,
    ) -> None:
        """Write rows, by their numbers; what has to be done again goes to `later` and to `waiting`."""
        items = read_items([raw for _, raw in rows], self._user)
        kinds = {(item.entity, item.op) for item in items if item.entity}
        faults = {(of, op): many_fault(of.pk, of.name, op) for of, op in kinds}
        for item in items:
            # What is skipped is left out as a whole: entries that are there wait, and new ones as they can.
            item.left_out = {} if is_leaving_out or not self._options.is_skipping else None
            item.awaited = self._names if is_leaving_out else None
            if item.entity and (fault := faults[item.entity, item.op]):
                item.result.refuse(ValidationError(fault, code="overridden"))
        is_waiting = self._options.is_skipping and waiting is not None
        write_many(self._user, items, is_atomic=False, waiting=behind if is_waiting else None)
        for (number, raw), item in zip(rows, items, strict=True):
            if item.result.error is not None:
                may_come = (item.lacks and is_waiting) or _lacks_only(item.result.error, item.left_out or {})
                if may_come and waiting is not None and self._names is not None:
                    self._names.add(str(clean_name(raw.get("name"))))
                    waiting.write(json.dumps([number, raw], default=str).encode() + b"\n")
                else:
                    self._refuse(number, raw.get("entity"), raw.get("name"), item.result.error, item.why)
                continue
            setattr(self.report, item.result.status, getattr(self.report, item.result.status) + 1)
            if item.left_out:
                line = [number, item.result.id, raw["entity"], raw["name"], item.left_out, item.result.status]
                later.write(json.dumps(line).encode() + b"\n")

    def _write_references(self, lines: Sequence[list[Any]]) -> None:
        """Set the references to entries that the file has behind those that refer to them."""
        items = read_items([{"op": "update", "id": line[1], "attrs": line[4]} for line in lines], self._user)
        write_many(self._user, items, is_atomic=False)
        refused = [(line, item) for line, item in zip(lines, items, strict=True) if item.result.error]
        for (number, _, entity, name, _, status), item in refused:
            setattr(self.report, status, getattr(self.report, status) - 1)
            if item.result.error is not None:
                self._refuse(number, entity, name, item.result.error)
        if self._options.is_skipping:
            self._undo([line for line, _ in refused])

    def _undo(self, lines: Sequence[list[Any]]) -> None:
        """Delete the entries of rows that were made for others and are refused; tell of those that stay."""
        items = read_items([{"op": "delete", "id": line[1]} for line in lines], self._user)
        write_many(self._user, items, is_atomic=False)
        for (number, _, entity, name, *_), item in zip(lines, items, strict=True):
            if item.result.error is not None:
                self._tell(number, entity, name, item.result.error)

    def _item(self, row: FileRow) -> dict[str, Any]:
        """Return the item of a bulk write that a row asks for."""
        if not isinstance(row.values, Mapping):
            return {"op": "upsert", "row": row.values}
        item = {"op": "upsert", "key": self._options.key, **row.values}
        item.setdefault("entity", self._options.entity)
        if row.is_cells and isinstance(cells := item.get("attrs"), Mapping):
            types = self._types_of(item["entity"])
            item["attrs"] = {
                name: from_cell(of_type, cell) if (of_type := _by_name(types, name)) else cell
                for name, cell in cells.items()
            }
        return item

    def _types_of(self, entity: object) -> Mapping[str, AttrType]:
        name = str(entity)
        if name not in self._types:
            named = Entity.objects.active().filter(name__in=spellings([name]))
            found = named.values_list("pk", "attrs_version").first()
            definitions = definitions_of(dict([found]))[found[0]] if found else ()
            self._types[name] = by_clean_name((each.name, each.type) for each in definitions)
        return self._types[name]

    def _refuse(
        self, number: int, entity: object, name: object, error: Exception, unmet: Exception | None = None
    ) -> None:
        """Count and tell a row that is refused; of a column whose references are `unmet`, that they are."""
        self.report.refused += 1
        self._tell(number, entity, name, error, unmet)

    def _tell(
        self, number: int, entity: object, name: object, error: Exception, unmet: Exception | None = None
    ) -> None:
        known = dict(_reasons(unmet)) if unmet else {}
        for column, reason in _reasons(error):
            if len(self.report.refusals) < MAX_TOLD:
                why = known.get(column, reason)
                told = Refusal(number, str(entity or "")[:200], str(name or "")[:200], column, why)
                self.report.refusals.append(told)


def _opened(files: ExitStack) -> IO[bytes]:
    return files.enter_context(tempfile.TemporaryFile())


def _by_name(types: Mapping[str, AttrType], name: str) -> AttrType | None:
    return types.get(name) or types.get(clean_name(name))


def _check_references() -> None:
    """Have PostgreSQL check the foreign keys of what was written, which it keeps a note of until then.

    Left to the end, the notes of a million rows are half a gigabyte.
    """
    if connection.vendor == "postgresql" and connection.in_atomic_block:
        connection.check_constraints()


def _lacks_only(error: Exception, left_out: Mapping[str, Any]) -> bool:
    """Return whether nothing is wrong but that references are mandatory whose targets are not there yet."""
    columns = {fault_key(str(clean_name(name))) for name in left_out}
    found = {column for column, _ in _reasons(error)}
    return bool(columns) and found <= columns


def _reasons(error: Exception) -> Iterator[tuple[str, str]]:
    if isinstance(error, ValidationError) and hasattr(error, "error_dict"):
        for column, messages in error.message_dict.items():
            yield ("" if column in OF_THE_WHOLE else column), " ".join(messages)
    elif isinstance(error, ValidationError):
        yield "", " ".join(error.messages)
    else:
        yield "", str(error)
