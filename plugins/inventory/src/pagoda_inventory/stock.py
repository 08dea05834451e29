"""What the host has stored of one machine, compared with what was found on it."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError

from pagoda_inventory.schema import LAST_SEEN
from pagoda_plugin_sdk import HookRejected
from pagoda_plugin_sdk.models import Entry
from pagoda_plugin_sdk.protocols import EntityProtocol, EntryProtocol, UserProtocol
from pagoda_plugin_sdk.tasks import JobLogger

CLOCK_TOLERANCE = timedelta(minutes=2)
"""The kernel works the time of boot out anew each time it is asked: it moves when the clock is set right."""

Values = Mapping[str, Any]
"""``{attribute name: value}``; Any: a value of the attribute's type."""


@enum.unique
class StockOutcome(enum.Enum):
    """What a scan did with one entry."""

    CREATED = "created"  # found for the first time
    UPDATED = "updated"  # something about it differs from what was stored
    UNCHANGED = "unchanged"  # nothing does
    GONE = "gone"  # was present, is no more
    REFUSED = "refused"  # a validation or another plugin refused the write


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEntry:
    """An entry as it was stored when the scan began."""

    entry: EntryProtocol
    values: Values


class Stock:
    """The entries of one machine. Each is written once at most, and only when something differs."""

    def __init__(
        self, user: UserProtocol | None, entities: Mapping[str, EntityProtocol], log: JobLogger
    ) -> None:
        self._user = user
        self._entities = entities
        self._log = log
        self._stored: dict[str, dict[str, StoredEntry]] = {}
        self._entries: dict[tuple[str, str], EntryProtocol] = {}
        self._outcomes: dict[tuple[str, str], StockOutcome] = {}

    def load(self, entity_name: str, names: Mapping[str, Any]) -> None:
        """Read an entity's entries that `names`, a look-up such as ``name__startswith``, selects."""
        schema = self._entities[entity_name]
        entries = list(Entry.objects.filter(schema=schema, is_active=True, **names).select_related("schema"))
        values = Entry.objects.read_attrs(entries)
        self._stored[entity_name] = {
            entry.name: StoredEntry(entry=entry, values=values[entry.id]) for entry in entries
        }
        self._entries |= {(entity_name, entry.name): entry for entry in entries}

    def entry(self, entity_name: str, name: str) -> EntryProtocol | None:
        """Return an entry that is stored by now."""
        return self._entries.get((entity_name, name))

    def put(self, entity_name: str, name: str, values: Values) -> EntryProtocol | None:
        """Store what was found: create the entry or update what differs. Return it if there is one."""
        found = {**values, "present": True}
        stored = self._stored[entity_name].get(name)
        with self._refusals(entity_name, name):
            if stored is None:
                self._create(entity_name, name, found)
            else:
                self._update(entity_name, stored, found)
        return self.entry(entity_name, name)

    def mark_gone(self, entity_name: str, spared: Collection[str] = ()) -> None:
        """Mark stored entries that were not put, nor `spared`, as not present; nothing is deleted."""
        for name, stored in self._stored[entity_name].items():
            is_found = (entity_name, name) in self._outcomes or name in spared
            if not is_found and stored.values.get("present") is not False:
                with self._refusals(entity_name, name):
                    stored.entry.set_attrs(self._user, present=False)
                    self._outcomes[entity_name, name] = StockOutcome.GONE

    def counts(self) -> dict[str, dict[str, int]]:
        """Return ``{outcome: {entity: entries}}``, zeros left out."""
        counted = Counter((outcome.value, entity) for (entity, _), outcome in self._outcomes.items())
        return {
            outcome.value: {
                entity: counted[outcome.value, entity]
                for entity in self._entities
                if counted[outcome.value, entity]
            }
            for outcome in StockOutcome
        }

    def present(self) -> int:
        """Return how many entries stand for something that was found."""
        found = (StockOutcome.CREATED, StockOutcome.UPDATED, StockOutcome.UNCHANGED)
        return sum(outcome in found for outcome in self._outcomes.values())

    @contextmanager
    def _refusals(self, entity_name: str, name: str) -> Iterator[None]:
        """Go on when a write is refused, as one entry must not cost the others; log it and count it."""
        try:
            yield
        except (HookRejected, ValidationError) as error:
            message = f"{entity_name} {name!r} is refused: {_text(error)}"
            self._log.warning(message, entity=entity_name, entry=name)
            self._outcomes[entity_name, name] = StockOutcome.REFUSED

    def _create(self, entity_name: str, name: str, found: Values) -> None:
        entry = Entry.objects.create_entry(
            user=self._user, schema=self._entities[entity_name], name=name, attrs=found
        )
        self._entries[entity_name, name] = entry
        self._stored[entity_name][name] = StoredEntry(entry=entry, values=found)
        self._outcomes[entity_name, name] = StockOutcome.CREATED

    def _update(self, entity_name: str, stored: StoredEntry, found: Values) -> None:
        name = stored.entry.name
        differing = {key: value for key, value in found.items() if not is_same(stored.values.get(key), value)}
        if differing:
            stored.entry.set_attrs(self._user, **differing)
            values = {**stored.values, **differing}
            self._stored[entity_name][name] = StoredEntry(entry=stored.entry, values=values)
        before = self._outcomes.get((entity_name, name), StockOutcome.UNCHANGED)
        is_news = before is StockOutcome.UNCHANGED and differing.keys() - {LAST_SEEN}
        self._outcomes[entity_name, name] = StockOutcome.UPDATED if is_news else before


def is_same(stored: Any, found: Any) -> bool:
    """Return whether a stored value, as ``Entry.get_attrs()`` gives it, says what was found."""
    if isinstance(stored, datetime) and isinstance(found, datetime):
        return abs(stored - found) <= CLOCK_TOLERANCE
    return bool(_plain(stored) == _plain(found))


def _plain(value: Any) -> Any:
    """Return a value in the one form in which stored and found ones compare: entries by their ids."""
    if isinstance(value, Mapping):
        return value.get("id")
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Entry):
        return value.id
    return None if value == "" else value


def _text(error: HookRejected | ValidationError) -> str:
    return "; ".join(error.messages) if isinstance(error, ValidationError) else str(error)
