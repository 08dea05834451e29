"""What a user may do, as conditions for queries and as a level.

A user's level on an entity, attribute or entry is the highest of its default, what the user's roles were
granted, and Full on what is of an entity of their own; on an attribute and on an entry it is no more than on
their entity. Superusers have every level; users that are not active, and whoever is not logged in, none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeGuard

from django.contrib.auth.models import AnonymousUser, Group, Permission
from django.db.models import BooleanField, Case, Exists, F, Func, IntegerField, Q, Value, When
from django.db.models.expressions import Combinable, RawSQL
from django.db.models.functions import Coalesce, Greatest

from pagoda import running
from pagoda.domain.acting import acting_authority, acting_user
from pagoda.domain.authority import READING, PluginAuthority, beyond
from pagoda.domain.user.models import GroupNesting, Level, Role, RolePermission, User

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper
    from django.db.models.sql.compiler import SQLCompiler

type Viewer = User | AnonymousUser | PluginAuthority
type Kind = Literal["entity", "attr", "entry"]


def viewer(user: Viewer | None) -> Viewer:
    """Return `user`; nobody is an anonymous user."""
    return AnonymousUser() if user is None else user


def acting_viewer() -> Viewer | None:
    """Return whose rights decide what the calling code may see and do; None: the host, which may everything.

    In plugin code, and what it calls, that is the acting user, nobody where nobody acts, and the plugin where
    it acts for itself.
    """
    if running.innermost() is None:
        return acting_user()
    return acting_authority() or acting_user() or AnonymousUser()


def require_acting_for(user: object) -> None:
    """Refuse where plugin code does something in the name of somebody else than who acts; None names nobody.

    Raises:
        BeyondAuthority: it does.
    """
    plugin_id, acting = running.plugin(), acting_user()
    if (
        plugin_id is not None
        and user is not None
        and getattr(user, "pk", None) is not None
        and user != acting
    ):
        whom = "nobody" if acting is None else repr(acting.get_username())
        beyond(plugin_id, "act for another user", f"acts for {whom} here, and for no other user")


def reader() -> Viewer | None:
    """Return for whom the calling code reads: plugin code as `acting_viewer`, the host, None, all."""
    return None if running.asking() is None else acting_viewer()


def person(who: Viewer | None) -> User | None:
    """Return the user that `who` is, as rows name their makers; None for whoever is none."""
    return who if isinstance(who, User) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Guarded:
    """One thing that permissions are granted on."""

    kind: Kind
    id: int
    default: int  # its default_permission
    owner_id: int | None  # of its entity, or of itself
    entity_name: str  # of its entity, or its own


class _Granted(Func):
    """The highest level that a user's roles were granted on a thing, by the thing's id; null if none.

    Written as SQL because a query holds several of these: made of querysets, most of a read's time went into
    composing them.
    """

    def __init__(self, user_id: int, kind: Kind, thing_id: str) -> None:
        super().__init__(F(thing_id), output_field=IntegerField())
        self.user_id = user_id
        self.kind = kind

    def as_sql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, *_args: Any, **_context: Any
    ) -> tuple[str, tuple[str | int, ...]]:
        """Return the subquery; Any: what a template of Func would use."""
        thing_id, params = compiler.compile(self.get_source_expressions()[0])
        grants = _GRANTS.format(target=connection.ops.quote_name(f"{self.kind}_id"), thing_id=thing_id)
        return f"(SELECT MAX(granted.level) {grants})", (*params, self.user_id, self.user_id)


class _IsGranted(_Granted):
    """Whether a user's roles were granted a level on a thing.

    PostgreSQL looks at a user's grants once for all rows where they are many, and for each row where they are
    few, as it can't for the highest level.
    """

    def __init__(self, user_id: int, kind: Kind, thing_id: str, level: int) -> None:
        super().__init__(user_id, kind, thing_id)
        self.output_field = BooleanField()
        self.level = level

    def as_sql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, *_args: Any, **_context: Any
    ) -> tuple[str, tuple[str | int, ...]]:
        thing_id, params = compiler.compile(self.get_source_expressions()[0])
        grants = _GRANTS.format(target=connection.ops.quote_name(f"{self.kind}_id"), thing_id=thing_id)
        sql = f"EXISTS (SELECT 1 {grants} AND granted.level >= %s)"
        return sql, (*params, self.user_id, self.user_id, self.level)


_MEMBER_OF: Final = (
    f'WITH RECURSIVE member_of(id) AS (SELECT group_id FROM "{User.groups.through._meta.db_table}"'  # noqa: S608
    f' WHERE user_id = %s UNION SELECT nested.parent_id FROM "{GroupNesting._meta.db_table}" nested'
    " JOIN member_of ON member_of.id = nested.group_id) SELECT id FROM member_of"
)
"""The groups that a user is in, and those that these are nested in; UNION ends it whatever the rows are."""
_HELD: Final = (
    f'SELECT held.id FROM "{Role._meta.db_table}" held WHERE held.is_active AND (held.id IN ('  # noqa: S608
    f'SELECT role_id FROM "{Role.users.through._meta.db_table}" WHERE user_id = %s) OR held.id IN ('
    f'SELECT role_id FROM "{Role.groups.through._meta.db_table}" WHERE group_id IN ({_MEMBER_OF})))'
)
"""The active roles that a user holds, by themselves or by a group; for parameters twice the user's id."""
_GRANTS: Final = (
    f'FROM "{RolePermission._meta.db_table}" granted'
    f" WHERE granted.{{target}} = {{thing_id}} AND granted.role_id IN ({_HELD})"
)


def groups_of(user: User) -> RawSQL:
    """Return the ids of the groups that `user` is in, those that these are nested in among them."""
    return RawSQL(_MEMBER_OF, [user.pk])  # noqa: S611 - a constant


def roles_of(user: User) -> RawSQL:
    """Return the ids of the active roles that `user` holds, by themselves or by a group."""
    return RawSQL(_HELD, [user.pk, user.pk])  # noqa: S611 - a constant


def may(user: Viewer, level: int, kind: Kind, prefix: str = "") -> Q:
    """Return the condition that `user` has `level` on the thing at `prefix` (``"schema__"``) by itself.

    It adds neither a query nor a row: grants are looked up by a subquery.
    """
    if isinstance(user, PluginAuthority):
        return _authorized(user, level, kind, prefix)
    if not _is_granted(user):
        return Q(Value(_fixed_level(user) >= level))
    allowed = Q(**{f"{prefix}default_permission__gte": level})
    allowed |= Q(_IsGranted(user.pk, kind, f"{prefix}pk", level))
    return allowed | _is_owner(user, kind, prefix)


def level_of(user: Viewer | None, kind: Kind, prefix: str = "") -> Combinable:
    """Return the expression of the level that `user` has on the thing at `prefix` itself; None: the host."""
    if user is None:
        return Value(int(Level.FULL), output_field=IntegerField())
    if isinstance(user, PluginAuthority):
        levels = [
            When(_authorized(user, level, kind, prefix), then=Value(int(level)))
            for level in (Level.FULL, Level.READABLE)
        ]
        return Case(*levels, default=Value(int(Level.NOTHING)), output_field=IntegerField())
    if not _is_granted(user):
        return Value(_fixed_level(user), output_field=IntegerField())
    granted = Coalesce(_Granted(user.pk, kind, f"{prefix}pk"), 0)
    owned = Case(When(_is_owner(user, kind, prefix), then=Value(int(Level.FULL))), default=Value(0))
    return Greatest(F(f"{prefix}default_permission"), granted, owned, output_field=IntegerField())


_OWNERS: Final[dict[Kind, str]] = {
    "entity": "owner",
    "attr": "parent_entity__owner",
    "entry": "schema__owner",
}


_NAMES: Final[dict[Kind, str]] = {"entity": "name", "attr": "parent_entity__name", "entry": "schema__name"}
"""The name of a thing's entity."""


def _authorizing(kind: Kind, level: int) -> tuple[str, ...]:
    """Return what gives a plugin the level on things of `kind`.

    Whether it changes entities or entries is asked where a change begins (`pagoda.domain.changes`).
    """
    if level > Level.READABLE:
        return ("entry:write",) if kind == "entry" else ("entry:write", "entity:write")
    return READING["entry" if kind == "entry" else "entity"]


def _authorized(plugin: PluginAuthority, level: int, kind: Kind, prefix: str) -> Q:
    names = plugin.names(*_authorizing(kind, level))
    return Q(Value(True)) if names is None else Q(**{f"{prefix}{_NAMES[kind]}__in": sorted(names)})


def _authorized_level(plugin: PluginAuthority, thing: Guarded) -> Level:
    for level in (Level.FULL, Level.READABLE):
        names = plugin.names(*_authorizing(thing.kind, level))
        if names is None or thing.entity_name in names:
            return level
    return Level.NOTHING


def _is_owner(user: User, kind: Kind, prefix: str) -> Q:
    return Q(**{prefix + _OWNERS[kind]: user.pk or 0})  # a user that is not stored owns nothing


def effective_level(user: Viewer, chain: Sequence[Guarded]) -> Level:
    """Return the lowest of the levels that `user` has along `chain`, in one query at most."""
    if isinstance(user, PluginAuthority):
        return min(_authorized_level(user, thing) for thing in chain)
    if not _is_granted(user):
        return _fixed_level(user)
    granted = _granted_levels(user, chain)
    levels = [
        Level.FULL
        if thing.owner_id and thing.owner_id == user.pk
        else max(thing.default, granted.get((thing.kind, thing.id), 0))
        for thing in chain
    ]
    return Level(min(levels))


def may_see(user: Viewer, model: type[Group | Role]) -> Q:
    """Return the condition that `user` may see a group or a role: one they hold, or all that they manage."""
    if isinstance(user, PluginAuthority):
        return Q(Value(user.names("user:read") is None))
    if not _is_granted(user):
        return Q() if _fixed_level(user) == Level.FULL else Q(pk__in=[])
    of_model = Q(content_type__app_label=model._meta.app_label, content_type__model=model._meta.model_name)
    managing = Permission.objects.filter(of_model, Q(user=user) | Q(group__in=groups_of(user)))
    held = groups_of(user) if model is Group else roles_of(user)
    return Q(pk__in=held) | Q(Exists(managing))


def may_add_entities(user: Viewer) -> bool:
    """Return whether `user` may make entities: by role, by Django's ``entity.add_entity``, as superuser."""
    if isinstance(user, PluginAuthority):
        return user.names("entity:write") != frozenset()  # the name is held against it once it is known
    if not _is_granted(user):
        return _fixed_level(user) == Level.FULL
    is_permission = Q(content_type__app_label="entity", codename="add_entity")
    by_django = Permission.objects.filter(is_permission, Q(user=user) | Q(group__in=groups_of(user)))
    by_role = Role.objects.filter(pk__in=roles_of(user), can_add_entities=True)
    return bool(by_role.values("pk").order_by().union(by_django.values("pk").order_by()).exists())


def _is_granted(user: Viewer) -> TypeGuard[User]:
    """Return whether defaults and grants decide what `user` may do."""
    return isinstance(user, User) and user.is_active and not user.is_superuser


def fixed_level(user: Viewer | None) -> Level | None:
    """Return the level that `user` has on everything; None: it depends on the thing."""
    if user is None:
        return Level.FULL
    is_limited = isinstance(user, PluginAuthority) or _is_granted(user)
    return None if is_limited else _fixed_level(user)


def _fixed_level(user: Viewer) -> Level:
    return Level.FULL if user.is_active and user.is_superuser else Level.NOTHING


def _granted_levels(user: User, chain: Sequence[Guarded]) -> dict[tuple[Kind, int], int]:
    wanted = Q()
    for thing in chain:
        wanted |= Q(**{thing.kind: thing.id})
    levels: dict[tuple[Kind, int], int] = {}
    granted = RolePermission.objects.filter(wanted, role__in=roles_of(user))
    rows = granted.values_list("entity", "attr", "entry", "level")
    for entity, attr, entry, level in rows:
        key: tuple[Kind, int] = ("entity", entity) if entity else ("attr", attr) if attr else ("entry", entry)
        levels[key] = max(level, levels.get(key, 0))
    return levels
