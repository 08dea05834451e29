"""What binds the models that plugins get to rights, while plugin code asks.

A queryset that plugin code makes, or goes on with, is limited by the database to what the acting user, or the
plugin on its own authority, may see; writes that no service decides about are refused. The host's own code
sees everything, also where a plugin called it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, ClassVar, NoReturn, Protocol, Self, cast

from django.db import models
from django.db.models import sql

from pagoda import running
from pagoda.domain.authority import beyond


class Rights(Protocol):
    """What decides: `pagoda.domain.binding`, which knows the models."""

    def viewer(self) -> object: ...
    def limited(self, rows: models.QuerySet[Any], viewer: Any) -> models.QuerySet[Any]: ...
    def require_writing(self, row: models.Model) -> None: ...
    def require_naming(self, path: Sequence[Any], field: Any) -> None: ...
    def require_loading(self, model: type[models.Model], fields: Collection[str]) -> None: ...
    def hide(self, query: sql.Query) -> None: ...


class _Port:
    """Where `pagoda.domain.binding`, which lies above the models, says what they are bound to."""

    rights: Rights | None = None


def bind_to(rights: Rights) -> None:
    """Bind the models from now on."""
    _Port.rights = rights


class BoundQuery(sql.Query):
    """Names no field, and loads none, that plugin code may not see. Any below: Django's arguments."""

    def names_to_path(self, names: Any, opts: Any, *args: Any, **kwargs: Any) -> Any:
        """Return what leads to a field: filters, values, orders and expressions all ask for it here."""
        found = super().names_to_path(names, opts, *args, **kwargs)
        if (rights := _asked()) is not None:
            rights.require_naming(found[0], found[1])
        return found

    def get_select_mask(self) -> Any:
        """Return which fields of the rows are loaded."""
        if (rights := _asked()) is not None:
            rights.hide(self)
        return super().get_select_mask()


class BoundQuerySet[M: models.Model](models.QuerySet[M]):
    """Rows that plugin code gets as far as it may see them. Any below: Django's arguments."""

    _bound_to: object = None  # whose rights its own query is limited to
    _bound: tuple[object, Any] | None = None  # whoever asked last, and the query limited to what they may see
    _rows: list[Any] | None = None
    _rows_of: object = None  # for whom they were read

    def __init__(self, model: Any = None, query: Any = None, using: Any = None, hints: Any = None) -> None:
        if query is None and model is not None:
            query = BoundQuery(model)
            if unloaded := getattr(model, "UNLOADED", ()):
                query.add_deferred_loading(unloaded)
        super().__init__(model, query, using, hints)

    # A queryset may be made at import and used by one request after another, so each gets its own query and
    # rows. All that Django does with a queryset goes by these two.

    @property
    def query(self) -> Any:
        """Django's query, limited to what whoever asks may see."""
        rights = _asked()
        viewer = None if rights is None else rights.viewer()
        if rights is None or viewer == self._bound_to:
            return super().query
        if self._bound is None or self._bound[0] != viewer:
            query = super().query
            if query.is_sliced or query.combinator:
                _refuse(f"uses {self.model.__name__} rows of a part or union that was made for somebody else")
            with running.as_host():
                self._bound = viewer, rights.limited(self, viewer).query
        return self._bound[1]

    @query.setter
    def query(self, query: Any) -> None:
        models.QuerySet.query.fset(self, query)  # type: ignore[attr-defined]  # a property

    @property
    def _result_cache(self) -> list[Any] | None:
        return self._rows if _viewer() in (None, self._rows_of) else None

    @_result_cache.setter
    def _result_cache(self, rows: list[Any] | None) -> None:
        self._rows, self._rows_of = rows, _viewer()

    def _clone(self) -> Self:
        clone = cast("Self", super()._clone())  # type: ignore[misc]  # not in the stubs
        clone._bound_to = _viewer() or self._bound_to  # noqa: SLF001
        return clone

    def _values(self, *fields: Any, **expressions: Any) -> Self:
        fields = fields or tuple(
            each.attname
            for each in self.model._meta.concrete_fields
            if each.name not in getattr(self.model, "UNLOADED", ())
        )
        return cast("Self", super()._values(*fields, **expressions))  # type: ignore[misc]  # not in the stubs

    # What reads past the rights

    def raw(self, *args: Any, **kwargs: Any) -> Any:
        """Return rows by SQL: for the host alone."""
        _require_host("raw()")
        return super().raw(*args, **kwargs)

    def extra(self, *args: Any, **kwargs: Any) -> Self:
        """Return rows with SQL in the query: for the host alone."""
        _require_host("extra()")
        return cast("Self", super().extra(*args, **kwargs))

    # What writes rows past `Model.save()`, and so past rights, history and hooks

    def update(self, **values: Any) -> int:
        """Change the rows at once: for the host alone."""
        _require_host("update()")
        return super().update(**values)

    update.alters_data = True  # type: ignore[attr-defined]  # as Django's own: not for templates

    def bulk_create(self, *args: Any, **kwargs: Any) -> list[M]:
        """Insert rows at once: for the host alone."""
        _require_host("bulk_create()")
        return super().bulk_create(*args, **kwargs)

    def bulk_update(self, *args: Any, **kwargs: Any) -> int:
        """Change many rows at once: for the host alone."""
        _require_host("bulk_update()")
        return super().bulk_update(*args, **kwargs)

    bulk_update.alters_data = True  # type: ignore[attr-defined]

    def _raw_delete(self, using: str | None) -> int:
        _require_host("_raw_delete()")
        return int(super()._raw_delete(using))

    def delete(self) -> tuple[int, dict[str, int]]:
        """Delete the rows, each as the rights say."""
        rows = self.all()
        with running.as_host():
            return models.QuerySet.delete(rows)

    delete.alters_data = delete.queryset_only = True  # type: ignore[attr-defined]


class BoundModel(models.Model):
    """A row whose own methods are the host's, whoever calls them. Any below: Django's arguments."""

    UNLOADED: ClassVar[Sequence[str]] = ()
    """Fields that querysets leave out unless they are asked for by name."""

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Store the row."""
        _require_writing(self)
        _as_host(super().save, *args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Remove the row, and what hangs on it."""
        _require_writing(self)
        return _as_host(super().delete, *args, **kwargs)

    def refresh_from_db(
        self, using: str | None = None, fields: Any = None, from_queryset: Any = None
    ) -> None:
        """Load the row again, or fields that were not loaded, as far as whoever asks sees them."""
        if (rights := _asked()) is not None:
            rights.require_loading(type(self), fields or ())
            if from_queryset is None:
                from_queryset = type(self)._default_manager.using(using)
        super().refresh_from_db(using, fields, from_queryset)

    # Against all rows, also those that whoever asks may not see

    def full_clean(self, *args: Any, **kwargs: Any) -> None:
        """Check the row."""
        _as_host(super().full_clean, *args, **kwargs)

    def validate_unique(self, *args: Any, **kwargs: Any) -> None:
        """Check the row against the others."""
        _as_host(super().validate_unique, *args, **kwargs)

    def validate_constraints(self, *args: Any, **kwargs: Any) -> None:
        """Check the row against the others."""
        _as_host(super().validate_constraints, *args, **kwargs)


def _as_host[**P, T](function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    if running.is_plain():
        return function(*args, **kwargs)
    with running.as_host():
        return function(*args, **kwargs)


def _asked() -> Rights | None:
    """Return what decides for the plugin's code that asks; None for the host, which sees everything."""
    return None if running.is_plain() or running.asking() is None else _Port.rights


def _viewer() -> Any:
    """Return whose rights limit what the caller sees; None: the host's."""
    rights = _asked()
    return None if rights is None else rights.viewer()


def _require_writing(row: models.Model) -> None:
    if (rights := _asked()) is not None:
        rights.require_writing(row)


def _require_host(what: str) -> None:
    if _asked() is not None:
        _refuse(f"calls {what}, which passes by rights, history and hooks: use managers, and save each row")


def _refuse(what: str) -> NoReturn:
    beyond(running.plugin() or "", "write past the services", what)
