"""What binds the models that plugins get to rights, while plugin code asks.

A queryset that plugin code makes, or goes on with, is limited by the database to what the acting user, or the
plugin on its own authority, may see; writes that no service decides about are refused. The host's own code
sees everything, also where a plugin called it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NoReturn, Protocol, Self, cast

from django.db import models

from pagoda import running
from pagoda.domain.authority import beyond


class Rights(Protocol):
    """What decides: `pagoda.domain.binding`, which knows the models."""

    def viewer(self) -> object: ...
    def limited(self, rows: models.QuerySet[Any], viewer: Any) -> models.QuerySet[Any]: ...
    def require_writing(self, row: models.Model) -> None: ...


class _Port:
    """Where `pagoda.domain.binding`, which lies above the models, says what they are bound to."""

    rights: Rights | None = None


def bind_to(rights: Rights) -> None:
    """Bind the models from now on."""
    _Port.rights = rights


class BoundQuerySet[M: models.Model](models.QuerySet[M]):
    """Rows that plugin code gets as far as it may see them. Any below: Django's arguments."""

    _bound_to: object = None  # whose rights limit it

    def __init__(self, model: Any = None, query: Any = None, using: Any = None, hints: Any = None) -> None:
        super().__init__(model, query, using, hints)
        if model is not None and query is None:
            self._bind()

    def _clone(self) -> Self:
        clone = cast("Self", super()._clone())  # type: ignore[misc]  # not in the stubs
        clone._bound_to = self._bound_to  # noqa: SLF001 - of this class
        clone._bind()  # noqa: SLF001
        return clone

    def _bind(self) -> None:
        """Limit it to what whoever asks may see, unless it is: one made at import is when it is used."""
        if running.asking() is None or _Port.rights is None:
            return
        viewer = _Port.rights.viewer()
        if viewer == self._bound_to:
            return
        if self.query.is_sliced or self.query.combinator:
            _refuse(f"uses {self.model.__name__} rows of a part or union that was made for somebody else")
        self._bound_to = viewer
        with running.as_host():
            self.query = _Port.rights.limited(self, viewer).query

    # What runs the query without a clone

    def _fetch_all(self) -> None:
        self._bind()
        super()._fetch_all()

    def iterator(self, chunk_size: int | None = None) -> Iterator[M]:
        """Yield the rows without keeping them."""
        self._bind()
        return super().iterator(chunk_size)

    def count(self) -> int:
        """Return how many there are."""
        self._bind()
        return super().count()

    def exists(self) -> bool:
        """Return whether there are any."""
        self._bind()
        return super().exists()

    def aggregate(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return figures of all rows."""
        self._bind()
        return super().aggregate(*args, **kwargs)

    def resolve_expression(self, *args: Any, **kwargs: Any) -> Any:
        """Return it as a part of another query."""
        self._bind()
        return super().resolve_expression(*args, **kwargs)

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
        self._bind()
        with running.as_host():
            return super().delete()

    delete.alters_data = delete.queryset_only = True  # type: ignore[attr-defined]


class BoundModel(models.Model):
    """A row whose own methods are the host's, whoever calls them. Any below: Django's arguments."""

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Store the row."""
        _require_writing(self)
        with running.as_host():
            super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Remove the row, and what hangs on it."""
        _require_writing(self)
        with running.as_host():
            return super().delete(*args, **kwargs)

    def full_clean(self, *args: Any, **kwargs: Any) -> None:
        """Check the row, also against those that whoever asks may not see."""
        with running.as_host():
            super().full_clean(*args, **kwargs)

    def validate_unique(self, *args: Any, **kwargs: Any) -> None:
        """Check the row against all others."""
        with running.as_host():
            super().validate_unique(*args, **kwargs)

    def validate_constraints(self, *args: Any, **kwargs: Any) -> None:
        """Check the row against all others."""
        with running.as_host():
            super().validate_constraints(*args, **kwargs)


def _require_writing(row: models.Model) -> None:
    if running.asking() is not None and _Port.rights is not None:
        _Port.rights.require_writing(row)


def _require_host(what: str) -> None:
    if running.asking() is not None:
        _refuse(f"calls {what}, which passes by rights, history and hooks: change and save each row instead")


def _refuse(what: str) -> NoReturn:
    beyond(running.plugin() or "", "write past the services", what)
