"""Who ends queries of SQLite while it works on them, and how one knows that any database has ended one.

A connection asks one function whether to go on, and tells nobody which: the next who sets one takes the place
of the one before. So it is set here alone, and asks all who have something to say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from django.db import OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper

STEPS: Final = 10_000
"""After how many of its steps SQLite asks whether to go on: some milliseconds."""

_KEPT: Final = "_pagoda_questions"

_QUERY_CANCELED: Final = "57014"
"""What PostgreSQL calls it in every language of its messages."""

type Question = Callable[[], bool]
"""Returns whether the query that runs is to end."""


def end_when(connection: BaseDatabaseWrapper, question: Question) -> None:
    """Have an open connection of SQLite ask `question`, from now on; asking twice changes nothing."""
    questions = _questions(connection)
    if question not in questions:
        questions.append(question)
    if connection.vendor == "sqlite" and connection.connection is not None:  # one that is new has none yet
        connection.connection.set_progress_handler(lambda: any(each() for each in questions), STEPS)


def ask_no_more(connection: BaseDatabaseWrapper, question: Question) -> None:
    """Take back `end_when`."""
    if question in (questions := _questions(connection)):
        questions.remove(question)


@contextmanager
def ending_when(connection: BaseDatabaseWrapper, question: Question) -> Iterator[None]:
    """Have a connection of SQLite ask `question` in the block, beside whatever it asks anyway."""
    connection.ensure_connection()
    end_when(connection, question)
    try:
        yield
    finally:
        ask_no_more(connection, question)


def was_ended(error: OperationalError) -> bool:
    """Return whether a query failed as it was ended for its time, or by whom a connection asks."""
    sqlstate = getattr(error.__cause__, "sqlstate", None)
    return sqlstate == _QUERY_CANCELED if sqlstate else str(error) == "interrupted"


def _questions(connection: BaseDatabaseWrapper) -> list[Question]:
    found: list[Question] | None = getattr(connection, _KEPT, None)  # which Django's proxy passes on
    if found is None:
        found = []
        setattr(connection, _KEPT, found)
    return found
