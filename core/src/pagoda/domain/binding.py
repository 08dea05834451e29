"""What plugin code sees of the models that it gets, and which rows it may write itself."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import Model, Q, QuerySet
from django.db.models.sql import Query

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

_HIDDEN: Final[Mapping[object, frozenset[str]]] = {
    User: frozenset({"password", "session_salt"}),
    ApiToken: frozenset({"digest"}),
    Entry: frozenset({Entry.UNSAVED}),  # of all attributes, whoever may read them
}
"""Fields that no plugin code gets."""

_DECIDED: Final = (Entity, Entry, User, Role)
"""Models about whose writes the receivers behind them decide (`tracking`, `guarding`)."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What plugin code sees of a model whose rows services alone write."""

    seen: Callable[[Viewer], Q]  # the condition for the rows that somebody sees
    instead: str  # of storing a row


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
            return accounts.visible(rows, viewer).defer(*_HIDDEN[User])
        if model in (Role, ApiToken):
            return accounts.visible(rows, viewer)
        return rows.filter(_RULES[model].seen(viewer))

    def require_naming(self, path: Sequence[Any], field: Any) -> None:
        """Refuse a query of plugin code that names what it may not see; Any: Django's parts of a path.

        Raises:
            BeyondAuthority: a hash, or a field of users, or behind them, where not all users are seen.
        """
        self.require_loading(field.model, [field.name])
        users = {info.from_opts.model for info in path[1:]} | ({field.model} if path else set())
        if User in users and not field.primary_key and not _sees_all_users(acting_viewer()):
            beyond(running.plugin() or "", "look through users", f"may not look at {field} from other rows")

    def require_loading(self, model: type[Model], fields: Collection[str]) -> None:
        """Refuse plugin code that loads fields which no plugin's code gets.

        Raises:
            BeyondAuthority: it does.
        """
        if not _HIDDEN.get(model, frozenset()).isdisjoint(fields):
            if model is Entry:
                text = "can't read the column of all values: use Entry.get_attrs() and read_attrs()"
                beyond(running.plugin() or "", "read all values", text)
            beyond(running.plugin() or "", "read hashes", "can't read hashes of passwords and tokens")

    def hide(self, query: Query) -> None:
        """Have `query` load no such fields, and no rows along that a reference would not lead to."""
        names, is_deferring = query.deferred_loading
        if query.model in _HIDDEN and (is_deferring or not names):
            query.deferred_loading = (frozenset(names) | _HIDDEN[query.model], True)
        if query.model is not None and isinstance(query.select_related, dict):
            query.select_related = _followed(query.model, query.select_related)

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
        rule = _RULES.get(type(row))
        instead = rule.instead if rule else "what the SDK offers"
        beyond(running.plugin() or "", f"write {name} rows", f"can't write {name} rows itself: use {instead}")


def _followed(model: type[Model], tree: Mapping[str, Any]) -> dict[str, Any] | bool:
    """Return `tree` without the references that are bound: those load their row themselves."""
    kept = {}
    for name, below in tree.items():
        related = model._meta.get_field(name).related_model
        if isinstance(related, type) and related._meta.base_manager_name is None:
            kept[name] = _followed(related, below) or {}
    return kept or False


def _sees_all_users(viewer: Viewer | None) -> bool:
    if isinstance(viewer, PluginAuthority):
        return viewer.names("user:read") is None
    return isinstance(viewer, User) and (viewer.is_superuser or accounts.manages(viewer, User, "view"))


def _require_reading(plugin: PluginAuthority, model: type[Model]) -> None:
    if model in (User, Role, ApiToken):
        plugin.require("user:read")
    elif model in (Entity, EntityAttr):
        plugin.require_one_of(READING["entity"])
    elif model in (Entry, Attribute, AttributeValue, AttributeReference):
        plugin.require_one_of(READING["entry"])


def _seen_entries(viewer: Viewer) -> QuerySet[Entry, Any]:
    return readable(Entry.objects.order_by(), viewer).values("pk")


def _seen_attrs(viewer: Viewer) -> QuerySet[EntityAttr, Any]:
    return readable(EntityAttr.objects.order_by(), viewer).values("pk")


def _attributes(viewer: Viewer) -> Q:
    return Q(parent_entry__in=_seen_entries(viewer), schema__in=_seen_attrs(viewer))


def _values(viewer: Viewer) -> Q:
    return Q(parent_entry__in=_seen_entries(viewer), parent_attr__schema__in=_seen_attrs(viewer))


def _references(viewer: Viewer) -> Q:
    entries = _seen_entries(viewer)
    of_value = Q(value__parent_entry__in=entries, value__parent_attr__schema__in=_seen_attrs(viewer))
    return of_value & (Q(entry__isnull=True) | Q(entry__in=entries))


_RULES: dict[type[Model], Rule] = {
    Attribute: Rule(_attributes, "Entry.set_attrs()"),
    AttributeValue: Rule(_values, "Entry.set_attrs()"),
    AttributeReference: Rule(_references, "Entry.set_attrs()"),
}


def add_rules(rules: Mapping[type[Model], Rule]) -> None:
    """Bind models of a layer above by rules of its own."""
    _RULES.update(rules)


def bind() -> None:
    """Bind the models from now on."""
    bound.bind_to(ModelRights())
