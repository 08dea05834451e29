"""What models of the domain share: who made a row, when, whether it still stands, and how it keeps
names and numbers.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import batched
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, Self

from django.conf import settings
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import connection, models, transaction
from django.db.models import JSONField, Model

from pagoda import running
from pagoda.domain.bound import BoundModel, BoundQuerySet
from pagoda_plugin_sdk.rules.scalar_types import kept_number
from pagoda_plugin_sdk.rules.text import MAX_NAME_LENGTH, clean_name, validate_name

_ROWS_AT_ONCE: Final = 5_000
_CHARACTERS_AT_ONCE: Final = 64 * 1024 * 1024  # a value of PostgreSQL's jsonb has 256 MiB at most

if TYPE_CHECKING:
    _Text = models.CharField[str, str]
else:
    _Text = models.CharField


class NameField(_Text):
    """A name: clean once it was checked or is new, whoever saves it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # Any: Django's options
        kwargs.setdefault("max_length", MAX_NAME_LENGTH)
        kwargs.setdefault("validators", [validate_name])
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> tuple[str, str, Any, Any]:  # Any: Django's options
        """Return it as a migration has it: to the database it is text."""
        name, _path, args, kwargs = super().deconstruct()
        return name, "django.db.models.CharField", args, kwargs

    def clean(self, value: Any, model_instance: models.Model | None) -> Any:
        """Return the checked name, clean."""
        return super().clean(clean_name(value), model_instance)

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        """Put the clean name on a new object; one that is stored may have a name of an earlier release."""
        if add:
            setattr(model_instance, self.attname, clean_name(getattr(model_instance, self.attname)))
        return super().pre_save(model_instance, add)


class _KeptNumbers(json.JSONDecoder):
    def __init__(self, **options: Any) -> None:  # Any: json's own options
        super().__init__(parse_int=lambda digits: kept_number(int(digits)), **options)


class StoredJSONField(models.JSONField):
    """JSON with values of attributes in it, which nothing else reads before they are used.

    PostgreSQL writes out ``1e+19``, and Python reads those digits as an integer that no attribute may hold.
    Migrations see Django's own field.
    """

    def __init__(self, *args: Any, **options: Any) -> None:  # Any: Django's own arguments
        super().__init__(*args, **{**options, "decoder": _KeptNumbers})

    def deconstruct(self) -> Any:  # Any: Django's tuple
        """Return what migrations write of it."""
        name, _, args, options = super().deconstruct()
        del options["decoder"]
        return name, "django.db.models.JSONField", args, options


class StampedQuerySet[M: "StampedModel"](BoundQuerySet[M]):
    """Rows that are switched off instead of removed; deleted ones are included."""

    def active(self) -> Self:
        """Return those that are not deleted."""
        return self.filter(is_active=True)

    def delete(self) -> tuple[int, dict[str, int]]:
        """Delete each that is active softly, all or none; return how many there were, as Django does."""
        with transaction.atomic():
            rows = list(self.active())
            for row in rows:
                row.delete()
        return len(rows), {self.model._meta.label: len(rows)} if rows else {}

    delete.queryset_only = True  # type: ignore[attr-defined]  # as Django's own: no Manager.delete()


class StampedModel(BoundModel):
    """A row that knows its maker and that is switched off instead of removed."""

    is_active = models.BooleanField(default=True, editable=False)
    created_time = models.DateTimeField(auto_now_add=True)
    created_user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
    )

    class Meta:
        abstract = True

    def delete(self, *_args: Any, **_kwargs: Any) -> tuple[int, dict[str, int]]:  # Any: Django's arguments
        """Switch the row off; the row and its history stay."""
        self.is_active = False
        self.save(update_fields=["is_active"])
        return 1, {self._meta.label: 1}

    def hard_delete(self) -> None:
        """Remove the row, and what hangs on it, for good."""
        super().delete()


def updated_stamp(is_seen: bool) -> str:
    """Return the field that an update stores besides what it changes.

    The time of a change that not everybody sees who sees the row would tell of it: such an update stores what
    never changes, to lock the row.
    """
    return "updated_time" if is_seen else "created_time"


class TrackedModel(StampedModel):
    """A row whose changes are told: entities and entries."""

    SUBJECT: ClassVar[Literal["entry", "entity"]]
    UNSAVED: ClassVar[str]
    """A column that says what other rows hold: objects come without it, so that none stores an old one."""

    updated_time = models.DateTimeField(auto_now=True)

    class Meta:
        abstract = True

    @classmethod
    def from_db(cls, *args: Any, **kwargs: Any) -> Self:  # Any: Django's arguments
        """Make the object of a row, without the column that no object holds."""
        row = super().from_db(*args, **kwargs)
        row.__dict__.pop(cls.UNSAVED, None)
        return row

    def clean_fields(self, exclude: Iterable[str] | None = None) -> None:
        """Check the fields that objects hold."""
        super().clean_fields({*(exclude or ()), self.UNSAVED})

    def validate_constraints(self, exclude: Iterable[str] | None = None) -> None:
        """Check the row against the others."""
        super().validate_constraints({*(exclude or ()), self.UNSAVED})

    def save(self, *args: Any, **kwargs: Any) -> None:  # Any: Django's arguments
        """Store the row and tell the change in one transaction."""
        if self.pk is None or self._state.adding:
            field: Any = self._meta.get_field(self.UNSAVED)  # no relation
            self.__dict__.setdefault(self.UNSAVED, field.get_default())
        try:
            if transaction.get_connection().in_atomic_block:
                super().save(*args, **kwargs)
                return
            with transaction.atomic():
                super().save(*args, **kwargs)
        finally:
            self.__dict__.pop(self.UNSAVED, None)

    def hard_delete(self) -> None:
        """Remove the row, and what hangs on it, for good; told as a deletion unless it was deleted before.

        Raises:
            ValidationError: it can't be deleted now.
        """
        with running.as_host():
            self.refuse_deletion()  # here, as Django deletes what hangs on the row before it asks the row
        # Django deletes without a savepoint of its own: a refusal would break the block around it.
        with transaction.atomic():
            super().hard_delete()

    def made_by(self, user: Any) -> None:  # Any: a user or None; their model is above this one
        """Note who makes it, before it is stored."""
        self.created_user = user

    @property
    def entity_name(self) -> str:
        """The name of the entity it is, or is an entry of."""
        raise NotImplementedError

    def deletion_fault(self) -> str | None:
        """Return why the row can't be deleted now, None when it can."""
        return None

    def refuse_deletion(self) -> None:
        """Raise ValidationError if the row can't be deleted now."""
        fault = self.deletion_fault()
        if fault is not None:
            raise ValidationError({NON_FIELD_ERRORS: ValidationError(fault, code="in_use")})


def insert_rows(
    model: type[Model],
    alike: Mapping[str, Any],
    names: Sequence[str],
    rows: Sequence[Sequence[Any]],
    computed: Mapping[str, str] = MappingProxyType({}),
) -> list[int]:
    """Insert rows and return their ids in order; no signals are sent.

    Django's ``bulk_create()`` takes a statement for every 100 rows on SQLite, and most of its time goes into
    making objects and a parameter of every value.

    Each has the values `alike` by field, and of the fields `names` its own: JSON values, of a JSON field its
    text. What is `computed` is SQL by field, with ``{n}`` for the n-th thing in a row. What else there is
    gets the database's default. Any: values of every type.

    Raises:
        IntegrityError: a row clashes with another.
    """
    ids: list[int] = []
    sql, params = _statement(model, alike, names, computed) if rows else ("", [])
    for given in _as_json(rows):
        with connection.cursor() as cursor:
            cursor.execute(sql, [*params, given])
            ids += sorted(found[0] for found in cursor.fetchall())  # given in the order of the rows
    return ids


def _as_json(rows: Sequence[Sequence[Any]]) -> Iterator[str]:
    """Return rows as JSON in pieces that a statement takes."""
    for batch in batched(rows, _ROWS_AT_ONCE):
        text = json.dumps(batch)
        if len(text) <= _CHARACTERS_AT_ONCE or len(batch) == 1:
            yield text
            continue
        half = len(batch) // 2
        yield from _as_json(batch[:half])
        yield from _as_json(batch[half:])


def _statement(
    model: type[Model], alike: Mapping[str, Any], names: Sequence[str], computed: Mapping[str, str]
) -> tuple[str, list[Any]]:
    meta, quote = model._meta, connection.ops.quote_name
    # Any: fields of the table, which have no common class with columns in Django's types
    fields: list[Any] = [meta.get_field(name) for name in (*alike, *names, *computed)]
    columns = ", ".join(quote(each.column) for each in fields)
    types = [each.db_type(connection) for each in fields]
    params = [
        json.dumps(value) if isinstance(field, JSONField) else field.get_db_prep_save(value, connection)
        for field, value in zip(fields, alike.values(), strict=False)
    ]
    own = range(len(names))
    if connection.vendor == "postgresql":
        picked = [f"%s::{each}" for each in types[: len(alike)]]
        picked += [f"(r->>{n})::{types[len(alike) + n]}" for n in own]
        place = "(r->>{})::bigint"
        source = "jsonb_array_elements(%s::jsonb) WITH ORDINALITY AS given(r, place)"
    else:
        picked = ["%s"] * len(alike) + [f"JSON_EXTRACT(value, '$[{n}]')" for n in own]
        place = "JSON_EXTRACT(given.value, '$[{}]')"
        source = "(SELECT value, key AS place FROM JSON_EACH(%s)) given"
    places = [place.format(n) for n in range(len(names) + 9)]
    picked += [expression.format(*places) for expression in computed.values()]
    sql = (
        f"INSERT INTO {quote(meta.db_table)} ({columns}) SELECT {', '.join(picked)} "  # noqa: S608 - names of columns
        f"FROM {source} ORDER BY place RETURNING {quote('id')}"
    )
    return sql, params
