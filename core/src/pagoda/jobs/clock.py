"""The database's clock. Times of jobs come from it alone, so that machines with wrong clocks agree."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.db import connection
from django.db.models import DateTimeField, ExpressionWrapper
from django.db.models.expressions import Combinable
from django.db.models.functions import Now


def after(seconds: float) -> Combinable:
    """Return the moment `seconds` from now as an expression for the ORM; negative ones lie in the past."""
    return ExpressionWrapper(Now() + timedelta(seconds=seconds), output_field=DateTimeField())


def sql_now() -> str:
    """Return the expression for this moment in the database's SQL, for statements with parameters."""
    return "STATEMENT_TIMESTAMP()" if _is_postgresql() else "STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f', 'now')"


def sql_after(seconds: str = "%s", *, base: str | None = None) -> str:
    """Return the expression for `base` (a column, by default now) plus `seconds` (a column or parameter)."""
    if _is_postgresql():
        return f"({base or 'STATEMENT_TIMESTAMP()'} + {seconds} * INTERVAL '1 second')"
    return (
        f"STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f', {base or chr(39) + 'now' + chr(39)}, {seconds} || ' seconds')"
    )


def database_now() -> datetime:
    """Return the database's time, in UTC."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {sql_now()}", [])
        return parse_moment(cursor.fetchone()[0])


def parse_moment(value: datetime | str) -> datetime:
    """Return the moment that the database gave, text in SQLite, in UTC."""
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _is_postgresql() -> bool:
    return connection.vendor == "postgresql"
