"""Orders that clients ask for, and cursors: where in an order a page begins, whatever is written meanwhile.

What is not set counts as the highest value, as PostgreSQL's indexes have it.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from django.core.exceptions import ValidationError
from django.db import connection
from django.db.models import BooleanField, F, Field, Func, Q, QuerySet
from django.db.models.expressions import Expression, OrderBy
from django.db.models.functions import Coalesce

from pagoda.domain.entry.models import Entry
from pagoda.domain.search.bounding import refuse_hopeless
from pagoda.domain.search.filters import OWN_FIELDS, index_hint
from pagoda.domain.search.resolving import ATTR, Resolver
from pagoda.domain.search.values import ValueKind, kind_of_values
from pagoda.domain.value_expressions import key_of
from pagoda.domain.value_indexes import has_index
from pagoda_plugin_sdk.exceptions import near_misses
from pagoda_plugin_sdk.rules.saying import say
from pagoda_plugin_sdk.washing import shown

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper
    from django.db.models.sql.compiler import SQLCompiler

MAX_TERMS: Final = 5
_INDEXED: Final = ("id", "name", "updated_time")
_COLUMN: Final = "ordered_by_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One part of an order."""

    value: F | Expression
    kind: ValueKind
    is_descending: bool
    is_nullable: bool

    def order(self) -> OrderBy:
        """Return how the database orders by it."""
        if not self.is_nullable:
            return OrderBy(self.value, descending=self.is_descending)
        nulls = {"nulls_first": True} if self.is_descending else {"nulls_last": True}
        return OrderBy(self.value, descending=self.is_descending, **nulls)

    def same(self, held: Any) -> Q:  # Any: of the kind
        """Return the condition that a row has the same value as the cursor."""
        return Q(_Against(self.value, "IS NULL")) if held is None else Q(_Against(self.value, "=", held))

    def behind(self, held: Any) -> Q:
        """Return the condition that a row comes behind the cursor."""
        if held is None:
            return Q(_Against(self.value, "IS NOT NULL")) if self.is_descending else Q(pk__in=[])
        if self.is_descending:
            return Q(_Against(self.value, "<", held))
        beyond = Q(_Against(self.value, ">", held))
        return beyond | Q(_Against(self.value, "IS NULL")) if self.is_nullable else beyond


class Page(NamedTuple):
    """Some rows in their order, and the cursors of those around; None: there are none."""

    rows: list[Entry]
    next: str | None
    previous: str | None


@dataclass(frozen=True, slots=True)
class Order:
    """A whole order: no two rows are equal in it."""

    text: str
    terms: tuple[Term, ...]

    def applied(self, rows: QuerySet[Entry]) -> QuerySet[Entry]:
        """Return the rows in this order."""
        return rows.order_by(*[term.order() for term in self.terms])

    def page(self, rows: QuerySet[Entry], cursor: str, limit: int) -> Page:
        """Return the rows from a cursor on; "" is the beginning.

        Raises:
            ValidationError: keyed by ``cursor``; it is none, or of another order.
        """
        values, is_back = self._read(cursor) if cursor else ((), False)
        order = self._turned() if is_back else self
        if values:
            rows = rows.filter(order._behind(values))  # noqa: SLF001 - its own class
        columns = {f"{_COLUMN}{index}": term.value for index, term in enumerate(self.terms)}
        found = list(order.applied(rows.annotate(**columns))[: limit + 1])
        has_more, found = len(found) > limit, found[:limit]
        if is_back:
            found.reverse()
        has_next, has_previous = (True, has_more) if is_back else (has_more, bool(values))
        return Page(
            found,
            self._cursor(found[-1], is_back=False) if found and has_next else None,
            self._cursor(found[0], is_back=True) if found and has_previous else None,
        )

    def sorting(self) -> Order:
        """Return it so that PostgreSQL sorts the rows that it finds, and walks along no index for them.

        Of few rows a page is less than the planner thinks: it can't know how far from each other they are in
        such an index, which it would read from one end to the other.
        """
        if connection.vendor != "postgresql":
            return self
        return Order(self.text, tuple(replace(term, value=_Sorted(term.value)) for term in self.terms))

    def _turned(self) -> Order:
        turned = [replace(term, is_descending=not term.is_descending) for term in self.terms]
        return Order(self.text, tuple(turned))

    def _behind(self, values: Sequence[Any]) -> Q:
        condition, same = Q(pk__in=[]), Q()
        for term, held in zip(self.terms, values, strict=True):
            condition |= same & term.behind(held)
            same &= term.same(held)
        first = self.terms[0]
        # Says no more, but an index can begin there.
        return condition & (first.behind(values[0]) | first.same(values[0]))

    def _cursor(self, row: Entry, *, is_back: bool) -> str:
        values = [vars(row)[f"{_COLUMN}{index}"] for index in range(len(self.terms))]
        told = json.dumps([self.text, is_back, values], default=_as_json, separators=(",", ":"))
        return base64.urlsafe_b64encode(told.encode()).decode().rstrip("=")

    def _read(self, cursor: str) -> tuple[tuple[Any, ...], bool]:
        try:
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
            text, is_back, values = json.loads(raw)
            if text != self.text and isinstance(text, str):
                fault = say(
                    "The cursor is of the order {text}, and not of {order}; begin anew without it, or "
                    "ask for its order.",
                    text=shown(text),
                    order=shown(self.text),
                )
                raise ValidationError({"cursor": [fault]}, code="other_order")
            pairs = zip(self.terms, values, strict=True)
            return tuple(_from_json(term, value) for term, value in pairs), bool(is_back)
        except (ValueError, TypeError, ArithmeticError, binascii.Error, RecursionError) as error:
            fault = say("{cursor} is no cursor. Follow the links of the pages.", cursor=shown(cursor))
            raise ValidationError({"cursor": [fault]}, code="invalid") from error


def read_order(text: str, resolver: Resolver, rows: QuerySet[Entry]) -> Order:
    """Return the order that a text such as ``-attr.ram,name`` says; "" is by id.

    Raises:
        ValidationError: keyed by ``ordering``; it names what is unknown or has no order, or `rows` are too
            many to be sorted without an index.
    """
    fields = [part.strip() for part in text.split(",")] if text else []
    if len(fields) > MAX_TERMS:
        raise _refused(
            say(
                "It has {count:,} parts, at most {max_terms} are allowed.",
                count=len(fields),
                max_terms=MAX_TERMS,
            )
        )
    resolver.prepare(field.removeprefix("-") for field in fields)
    terms, slow = [], []
    for field in fields:
        term, hint = _term(field.removeprefix("-"), resolver, is_descending=field.startswith("-"))
        terms.append(term)
        slow += [hint] if hint and len(terms) == 1 else []  # behind an ordered term few rows are equal
    if "id" not in {field.removeprefix("-") for field in fields}:
        # In the direction of what it is behind: an index that has both is read from either end.
        is_descending = bool(terms) and terms[-1].is_descending
        pk = Term(value=F("pk"), kind=ValueKind.NUMBER, is_descending=is_descending, is_nullable=False)
        terms.append(pk)
    refuse_hopeless("ordering", rows, slow)
    return Order(",".join(fields), tuple(terms))


def _term(field: str, resolver: Resolver, *, is_descending: bool) -> tuple[Term, str]:
    if field in OWN_FIELDS:
        is_user = field == "created_user"
        column = F("created_user__username" if is_user else field)
        hint = (
            ""
            if field in _INDEXED
            else say("{field!r} has no index; order by {indexed}", field=field, indexed=", ".join(_INDEXED))
        )
        own = Term(value=column, kind=OWN_FIELDS[field], is_descending=is_descending, is_nullable=is_user)
        return own, hint
    if not field.startswith(ATTR):
        misses = near_misses(field, OWN_FIELDS)
        known = ", ".join([*OWN_FIELDS, "attr.<name>"])
        raise _refused(
            say(
                "There is no field {field}.{misses} There are: {known}.",
                field=shown(field),
                misses=misses,
                known=known,
            )
        )
    name = field.removeprefix(ATTR)
    attrs = resolver.attributes("ordering", name)
    kinds = {None if attr.attr_type.is_array else kind_of_values(attr.attr_type) for attr in attrs}
    kind = kinds.pop()
    if kinds:
        raise _refused(
            say("Attribute {name} has several types; say of which entity (`entity`).", name=shown(name))
        )
    if kind is None:
        raise _refused(
            say("Attribute {name} is a list or a reference, which have no order.", name=shown(name))
        )
    values = [key_of(attr.pk, attr.attr_type) for attr in attrs]
    value: Expression = values[0] if len(values) == 1 else Coalesce(*values, output_field=Field())
    hints = [index_hint(attr) for attr in attrs if not has_index(attr)]
    if not hints and (resolver.entity_ids is None or len(values) > 1):
        hints = [say("an index of {name!r} has the entries of one entity; say which (`entity`)", name=name)]
    term = Term(value=value, kind=kind, is_descending=is_descending, is_nullable=True)
    return term, hints[0] if hints else ""


def _refused(fault: str) -> ValidationError:
    return ValidationError({"ordering": [fault]}, code="invalid")


def _as_json(value: Any) -> Any:
    return str(value) if isinstance(value, Decimal) else value.isoformat()


def _from_json(term: Term, value: Any) -> Any:
    if value is None and term.is_nullable:
        return None
    if term.kind is ValueKind.NUMBER:
        if isinstance(value, str) and len(value) < 400:
            return Decimal(value)
        if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) >= 2**1023:
            raise ValueError
        return value
    if term.kind is ValueKind.BOOLEAN and value in (0, 1):
        return value
    if not isinstance(value, str) or "\0" in value:
        raise ValueError
    is_own = term.kind is ValueKind.INSTANT and isinstance(term.value, F)
    return datetime.fromisoformat(value) if is_own else value


class _Sorted(Func):
    """A value as it is, but for the planner, which finds no index of it."""

    function = "GREATEST"  # of one


class _Against(Func):
    """A value of a row against one of a cursor."""

    output_field = BooleanField()

    def __init__(self, of: F | Expression, sign: str, held: Any = None) -> None:
        super().__init__(of)
        self.sign, self.held = sign, held

    def as_sql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, *_args: Any, **_context: Any
    ) -> tuple[str, tuple[Any, ...]]:
        """Return the SQL; Any: what a template of Func would use."""
        sql, params = compiler.compile(self.get_source_expressions()[0])
        if self.held is None:
            return f"({sql} {self.sign})", tuple(params)
        held = self.held
        if isinstance(held, datetime):
            held = connection.ops.adapt_datetimefield_value(held)
        if isinstance(held, Decimal) and connection.vendor == "sqlite":
            held = float(held)
        return f"({sql} {self.sign} %s)", (*params, held)
