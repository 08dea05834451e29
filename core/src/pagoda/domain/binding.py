"""What plugin code sees of the models that it gets, and which rows it may write itself."""

from __future__ import annotations

from typing import Any, Final

from django.db.models import Model, Q, QuerySet

from pagoda import running
from pagoda.domain import bound
from pagoda.domain.access import accounts
from pagoda.domain.access.checks import require
from pagoda.domain.access.querysets import readable
from pagoda.domain.authority import READING, PluginAuthority, beyond
from pagoda.domain.entity.models import Entity, EntityAttr
from pagoda.domain.entry.models import Attribute, AttributeReference, AttributeValue, Entry
from pagoda.domain.user.models import ApiToken, Level, Role, User
from pagoda.domain.user.permissions import Viewer, acting_viewer

_HIDDEN: Final = ("password", "session_salt")
"""Fields of a user that no plugin code gets."""

_DECIDED: Final = (Entity, Entry, User, Role, ApiToken)
"""Models about whose writes the receivers behind them decide (`tracking`, `guarding`)."""

_INSTEAD: Final = {
    "Attribute": "Entry.set_attrs()",
    "AttributeValue": "Entry.set_attrs()",
    "AttributeReference": "Entry.set_attrs()",
    "Job": "Job.objects.submit()",
}


class ModelRights:
    """Binds the models to the rights of whoever acts."""

    def viewer(self) -> Viewer | None:
        """Return whose rights decide."""
        return acting_viewer()

    def limited(self, rows: QuerySet[Any], viewer: Any) -> QuerySet[Any]:
        """Return those of `rows` that `viewer` may see, without any query more.

        Raises:
            BeyondAuthority: a plugin that acts for itself was granted nothing of the kind.
        """
        model: type[Model] = rows.model
        if isinstance(viewer, PluginAuthority):
            _require_reading(viewer, model)
        if model in (Entity, EntityAttr, Entry):
            return readable(rows, viewer)
        if model is User:
            return accounts.visible(rows, viewer).defer(*_HIDDEN)
        if model in (Role, ApiToken):
            return accounts.visible(rows, viewer)
        return rows.filter(_of_what_is_seen(model, viewer))

    def require_writing(self, row: Model) -> None:
        """Refuse plugin code that stores or removes a row about which nothing else decides.

        Raises:
            PermissionDenied: an attribute of an entity that the acting user may not change.
            BeyondAuthority: a row that services write.
        """
        if isinstance(row, _DECIDED):
            return
        viewer, name = acting_viewer(), type(row).__name__
        if isinstance(row, EntityAttr):
            with running.as_host():
                if isinstance(viewer, PluginAuthority):
                    viewer.require("entity:write", row.parent_entity.name)
                require(viewer, row.parent_entity if row._state.adding else row, Level.FULL)
            return
        instead = _INSTEAD.get(name, "what the SDK offers")
        beyond(running.plugin() or "", f"write {name} rows", f"can't write {name} rows itself: use {instead}")


def _require_reading(plugin: PluginAuthority, model: type[Model]) -> None:
    if model in (User, Role, ApiToken):
        plugin.require("user:read")
    elif model in (Entity, EntityAttr):
        plugin.require_one_of(READING["entity"])
    elif model in (Entry, Attribute, AttributeValue, AttributeReference):
        plugin.require_one_of(READING["entry"])


def _of_what_is_seen(model: type[Model], viewer: Viewer) -> Q:
    """Return the condition for rows that hang on others: on what `viewer` may see."""
    entries = readable(Entry.objects.order_by(), viewer).values("pk")
    attrs = readable(EntityAttr.objects.order_by(), viewer).values("pk")
    match model.__name__:
        case "Attribute":
            return Q(parent_entry__in=entries, schema__in=attrs)
        case "AttributeValue":
            return Q(parent_entry__in=entries, parent_attr__schema__in=attrs)
        case "AttributeReference":
            of_value = Q(value__parent_entry__in=entries, value__parent_attr__schema__in=attrs)
            return of_value & (Q(entry__isnull=True) | Q(entry__in=entries))
        case "Job":
            return _jobs("", viewer)
        case _:
            return _jobs("job__", viewer)


def _jobs(prefix: str, viewer: Viewer) -> Q:
    """Return the condition for the jobs of a user, or, for the plugin that asks, its own without a user."""
    own = Q(**{f"{prefix}plugin": running.plugin() or ""})
    if isinstance(viewer, PluginAuthority):
        return own
    if not isinstance(viewer, User):
        return own & Q(**{f"{prefix}user": None})
    if viewer.is_superuser and viewer.is_active:
        return Q()
    return Q(**{f"{prefix}user": viewer.pk}) | (own & Q(**{f"{prefix}user": None}))


def bind() -> None:
    """Bind the models from now on."""
    bound.bind_to(ModelRights())
