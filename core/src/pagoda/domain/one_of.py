"""A column held against any number of values, in one parameter of a statement."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from django.db.models import BooleanField, F, Func

if TYPE_CHECKING:
    from django.db.models.sql.compiler import SQLCompiler


class IsOneOf(Func):
    """Whether a column has one of some texts or, on SQLite, numbers.

    Django's ``__in`` writes a parameter for each: SQLite takes few, and PostgreSQL reads a thousand of them
    as long as it looks for the rows. Any below: what a template of Func would use.
    """

    output_field = BooleanField()

    def __init__(self, column: str, values: Collection[str] | Collection[int]) -> None:
        super().__init__(F(column))
        self._values = list(values)

    def as_postgresql(
        self, compiler: SQLCompiler, *_args: Any, **_context: Any
    ) -> tuple[str, tuple[Any, ...]]:
        """Return the SQL."""
        column, params = compiler.compile(self.get_source_expressions()[0])
        return f"({column} = ANY(%s::text[]))", (*params, self._values)

    def as_sqlite(self, compiler: SQLCompiler, *_args: Any, **_context: Any) -> tuple[str, tuple[Any, ...]]:
        """Return the SQL."""
        column, params = compiler.compile(self.get_source_expressions()[0])
        sql = f"({column} IN (SELECT value FROM JSON_EACH(%s)))"  # noqa: S608 - a column
        return sql, (*params, json.dumps(self._values))
