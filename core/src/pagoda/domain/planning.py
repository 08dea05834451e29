"""What PostgreSQL's planner is told: to keep plans of what is run often, and never to compile one."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created


def keeping_plan() -> Any:  # Any: a cursor of Django's
    """Return a cursor for a statement that is run often.

    PostgreSQL keeps its plan for the connection: parsing and planning it costs more than running it.
    """
    if connection.vendor != "postgresql":
        return connection.cursor()
    connection.ensure_connection()
    here: Any = connection  # the stubs know no psycopg
    wrap = here.make_debug_cursor if here.queries_logged else here.make_cursor
    return wrap(here.Database.Cursor(here.connection))  # one that binds on the server, unlike Django's own


def never_compile() -> None:
    """Have each new connection run its plans as they are.

    Who may see a row is asked by subqueries, which the planner takes for dear: it would compile them, for a
    hundred times of what they take. A connection that a pooler lends for a transaction is not this process's.
    """
    connection_created.connect(_run_as_planned, dispatch_uid=__name__)


def _run_as_planned(connection: BaseDatabaseWrapper, **_signal: object) -> None:
    if connection.vendor == "postgresql" and settings.PAGODA.database_pooling != "transaction":
        with connection.cursor() as cursor:
            cursor.execute("SET jit = off")
