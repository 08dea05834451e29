"""What is wrong with the database itself, told from what it says to a statement."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.db import Error, InterfaceError, OperationalError


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageFault:
    """Why the database does not do what it is asked, whoever asks."""

    code: str
    text: str


READ_ONLY = StorageFault(code="database_read_only", text="The database can only be read now")
FULL = StorageFault(code="database_full", text="The database has no space left on its disk")
BUSY = StorageFault(code="database_busy", text="The database is busy")
AWAY = StorageFault(code="database_unavailable", text="The database does not answer")

_SQLITE = {
    "readonly database": READ_ONLY,
    "database or disk is full": FULL,
    "is locked": BUSY,
    "disk i/o error": AWAY,
    "unable to open database file": AWAY,
}
# https://www.postgresql.org/docs/current/errcodes-appendix.html
_SQLSTATES = {
    "25006": READ_ONLY,
    "53100": FULL,
    "53": BUSY,  # memory, connections
    "08": AWAY,
    "57P": AWAY,  # it shuts down or starts
    "58": AWAY,  # an error of its system
}


def storage_fault(error: BaseException | None) -> StorageFault | None:
    """Return the database's own fault that `error`, or what it was raised from, stands for."""
    for each in _chain(error):
        if isinstance(each, Error) and (
            fault := _fault(each, str(getattr(each.__cause__, "sqlstate", None) or ""))
        ):
            return fault
    return None


def _fault(error: Error, sqlstate: str) -> StorageFault | None:
    for prefix in (sqlstate, sqlstate[:3], sqlstate[:2]):
        if prefix in _SQLSTATES:
            return _SQLSTATES[prefix]
    text = str(error).lower()
    for part, fault in _SQLITE.items():
        if not sqlstate and part in text:
            return fault
    is_about_a_statement = bool(sqlstate) or type(error.__cause__).__module__ == "sqlite3"
    return AWAY if isinstance(error, OperationalError | InterfaceError) and not is_about_a_statement else None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
