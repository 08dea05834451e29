"""Who may see and change users, groups, roles and tokens, by whatever way.

Django's permissions (``user.change_user``) let somebody manage a kind of thing. Who gives something has to
have it: nobody makes anybody, or becomes, more than they are. To take away, the permission is enough.
Superusers may everything; where nobody acts the host writes and is not asked.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, Final, NoReturn

from django.contrib.auth.models import AnonymousUser, Group, Permission
from django.core.exceptions import PermissionDenied
from django.db.models import F, IntegerField, Model, Q, QuerySet
from django.db.models.functions import Least
from django.db.models.lookups import GreaterThan

from pagoda.domain.access.checks import require
from pagoda.domain.access.querysets import readable
from pagoda.domain.authority import PluginAuthority
from pagoda.domain.entity.models import Entity, EntityAttr
from pagoda.domain.entry.models import Entry
from pagoda.domain.user.models import ApiToken, GroupNesting, Level, Role, RolePermission, User
from pagoda.domain.user.permissions import Kind, Viewer, groups_of, level_of, may_add_entities, roles_of
from pagoda_plugin_sdk.rules.saying import say
from pagoda_plugin_sdk.rules.text import listed

type Changed = Collection[str]

SUPERUSERS_ALONE: Final = frozenset({"is_superuser", "is_staff"})
"""What superusers alone give and take."""

_WHO_LOGS_IN: Final = frozenset({"username", "password", "email"})
"""By what somebody could become the user: they may not be less than the user is."""

_VERBS: Final = ("view", "add", "change", "delete")


def manages(user: User | AnonymousUser | None, model: type[Model], *verbs: str) -> bool:
    """Return whether `user` has one of Django's permissions on `model`: view, add, change, delete."""
    name = f"{model._meta.app_label}.{{}}_{model._meta.model_name}"
    return user is not None and any(user.has_perm(name.format(verb)) for verb in verbs)


def require_managing(user: User | None, model: type[Model], verb: str) -> None:
    """Refuse unless `user` has Django's permission to do `verb` with rows of `model`.

    Raises:
        PermissionDenied: names the permission.
    """
    if user is not None and not manages(user, model, verb):
        meta = model._meta
        needed = f"{meta.app_label}.{verb}_{meta.model_name}"
        _refuse(
            say(
                "To {verb} a {verbose_name} takes a right that {user} has not",
                verb=verb,
                verbose_name=meta.verbose_name,
                user=_called(user),
            ),
            needed,
        )


def visible[M: Model](rows: QuerySet[M], user: Viewer | None) -> QuerySet[M]:
    """Return those of `rows` that `user` may see: all that they manage; else themselves and what they hold.

    Raises:
        KeyError: `rows` are no users, groups, roles, permissions of roles or tokens.
    """
    model: type[Model] = rows.model
    if isinstance(user, PluginAuthority) and user.names("user:read") is None and model is not ApiToken:
        return rows
    if not isinstance(user, User):
        return rows.none()
    if user.is_superuser or (model is not RolePermission and manages(user, model, *_VERBS)):
        return rows
    if model is RolePermission:
        seen = Q(entity__in=readable(Entity.objects.all(), user).values("pk"))
        seen |= Q(attr__in=readable(EntityAttr.objects.all(), user).values("pk"))
        return rows.filter(seen | Q(entry__in=readable(Entry.objects.all(), user).values("pk")))
    own: dict[type[Model], Q] = {
        User: Q(pk=user.pk),
        Group: Q(pk__in=groups_of(user)),
        Role: Q(pk__in=roles_of(user)),
        ApiToken: Q(user=user.pk),
    }
    return rows.filter(own[model])


def replace_links(links: Any, given: Iterable[Model], user: User | AnonymousUser | None) -> None:
    """Have `links` (the manager of a many-to-many field) be those given; those that `user` can't see stay."""
    rows: QuerySet[Any] = links.all()
    seen, wanted = set(rows if rows.model is Permission else visible(rows, user)), set(given)
    links.remove(*(seen - wanted))
    links.add(*(wanted - seen))


def require_storing(user: User, row: Any, changed: Changed, stored: Any) -> None:
    """Refuse unless `user` may store `row` (Any: of one of the models) with these fields changed.

    `stored` is the row as it is, None for a new one.

    Raises:
        PermissionDenied: says what is missing.
    """
    verb = "add" if stored is None else "change"
    match row:
        case User():
            _require_storing_user(user, row, changed, stored)
        case Group():
            require_managing(user, Group, verb)
        case GroupNesting():
            require_one_of(user, Group, "add", "change")
            require_giving_groups(user, [row.parent_id])
        case Role():
            require_managing(user, Role, verb)
            _require_giving_by(user, row, changed, stored is None)
        case RolePermission():
            require_one_of(user, Role, "add", "change")
            target = row.entity or row.attr or row.entry
            if target is not None:  # the database refuses one that is for nothing
                require(user, target, Level.FULL)
        case ApiToken():
            if row.user_id != user.pk:
                raise PermissionDenied(
                    say("Tokens are made by their owner: log in as the user whom it is for.")
                )


def require_removing(user: User, row: Any) -> None:
    """Refuse unless `user` may delete `row` (Any: of one of the models).

    Raises:
        PermissionDenied: says what is missing.
    """
    match row:
        case User():
            require_managing(user, User, "delete")
            _require_of_superuser(user, row)
        case GroupNesting():
            require_one_of(user, Group, "change", "delete")
        case RolePermission():
            require_one_of(user, Role, "change", "delete")
        case ApiToken():
            if row.user_id != user.pk:
                if not manages(user, User, "change"):  # a new password ends tokens
                    require_managing(user, ApiToken, "delete")
                _require_of_superuser(user, row.user)
        case _:
            require_managing(user, type(row), "delete")


def require_giving(user: User, roles: QuerySet[Role]) -> None:
    """Refuse unless `user` has what `roles` give, or holds them; in a bounded number of queries.

    Raises:
        PermissionDenied: names the roles that give more, as far as `user` sees them.
    """
    others = roles.exclude(pk__in=roles_of(user)).order_by()
    granted = RolePermission.objects.filter(role__in=others.values("pk")).filter(_more_than(user))
    more = Q(pk__in=granted.values("role"))
    if not may_add_entities(user):
        more |= Q(can_add_entities=True)
    beyond = list(others.filter(more).values_list("pk", flat=True))
    if beyond:
        named = visible(Role.objects.filter(pk__in=beyond), user).values_list("name", flat=True)
        names = listed([repr(name) for name in named]) or say("that comes with it")
        _refuse_giving(user, say("Role {names} gives more", names=names))


def require_giving_groups(user: User, group_ids: Collection[int]) -> None:
    """Refuse unless `user` has what the groups and those that they are nested in give.

    Raises:
        PermissionDenied: see `require_giving` and `require_giving_permissions`.
    """
    parents = dict(GroupNesting.objects.values_list("pk", "parent"))
    found: set[int] = set()
    for each in group_ids:
        above: int | None = each
        while above is not None and above not in found:
            found.add(above)
            above = parents.get(above)
    require_giving(user, Role.objects.filter(groups__in=found))
    require_giving_permissions(user, Permission.objects.filter(group__in=found))


def require_giving_permissions(user: User, permissions: QuerySet[Permission]) -> None:
    """Refuse unless `user` has these permissions of Django's.

    Raises:
        PermissionDenied: names those that `user` has not.
    """
    own = user.get_all_permissions()
    names = {f"{app}.{name}" for app, name in permissions.values_list("content_type__app_label", "codename")}
    if names - own:
        _refuse_giving(user, say("Permission {count} is more", count=listed(sorted(names - own))))


def _require_storing_user(user: User, row: User, changed: Changed, stored: User | None) -> None:
    if stored is None:
        require_managing(user, User, "add")
        given = frozenset(name for name in SUPERUSERS_ALONE if getattr(row, name))
    else:
        is_own = row.pk == user.pk
        if is_own and set(changed) == {"password"}:
            return
        require_managing(user, User, "change")
        _require_of_superuser(user, stored)
        given = SUPERUSERS_ALONE & set(changed)
        if _WHO_LOGS_IN & set(changed) and not is_own:
            _require_no_less(user, stored)
    if given:
        fields = ", ".join(f"`{name}`" for name in sorted(given))
        raise PermissionDenied(
            say(
                "Superusers alone set {fields}; {user} is none. Leave it as it is.",
                fields=fields,
                user=_called(user),
            )
        )


def _require_giving_by(user: User, role: Role, changed: Changed, is_new: bool) -> None:
    if role.can_add_entities and "can_add_entities" in changed and not may_add_entities(user):
        _refuse_giving(user, say("Role {role!r} lets its users add entities: that is more", role=role.name))
    if role.is_active and "is_active" in changed and not is_new:
        require_giving(user, Role.objects.filter(pk=role.pk))


def _require_no_less(user: User, other: User) -> None:
    require_giving(user, Role.objects.filter(pk__in=roles_of(other)))
    require_giving_permissions(user, Permission.objects.filter(Q(user=other) | Q(group__in=groups_of(other))))
    owned = Entity.objects.filter(owner=other)
    if owned.exclude(pk__in=readable(owned, user, Level.FULL).values("pk")).exists():
        _refuse_giving(user, say("User {other!r} owns entities: that is more", other=other.username))


def _require_of_superuser(user: User, other: User) -> None:
    if other.is_superuser:
        raise PermissionDenied(
            say(
                "User {other!r} is a superuser: superusers alone change that account, and {user} is none.",
                other=other.username,
                user=_called(user),
            )
        )


def require_one_of(user: User, model: type[Model], *verbs: str) -> None:
    """Refuse unless `user` has Django's permission for one of the verbs.

    Raises:
        PermissionDenied: names the last one.
    """
    if not manages(user, model, *verbs):
        require_managing(user, model, verbs[-1])


_CHAINS: Final[dict[str, tuple[tuple[Kind, str], ...]]] = {
    "entity": (("entity", "entity__"),),
    "attr": (("attr", "attr__"), ("entity", "attr__parent_entity__")),
    "entry": (("entry", "entry__"), ("entity", "entry__schema__")),
}


def _more_than(user: User) -> Q:
    """Return the condition that a role's permission is for a level that `user` has not."""
    more = Q()
    for kind, chain in _CHAINS.items():
        levels = [level_of(user, each, prefix) for each, prefix in chain]
        own = Least(*levels, output_field=IntegerField()) if len(levels) > 1 else levels[0]
        more |= Q(GreaterThan(F("level"), own), **{f"{kind}__isnull": False})
    return more & Q(level__gt=Level.NOTHING)


def _refuse_giving(user: User, what: str) -> NoReturn:
    raise PermissionDenied(
        say(
            "{what} than {user} has, and nobody gives more than they have. Ask a superuser to do it.",
            what=what,
            user=_called(user),
        )
    )


def _refuse(why: str, needed: str) -> NoReturn:
    raise PermissionDenied(
        say("{why}: {needed!r}. Ask for it, or for a group that has it.", why=why, needed=needed)
    )


def _called(user: User) -> str:
    return say("user {user!r}", user=user.get_username())
