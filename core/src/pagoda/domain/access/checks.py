"""Refusals: what a user may not do, said with what is needed; without a user it is the host, which may."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from django.core.exceptions import PermissionDenied

from pagoda import running
from pagoda.domain.authority import PluginAuthority, beyond
from pagoda.domain.entity.models import Entity, EntityAttr
from pagoda.domain.entry.models import Entry
from pagoda.domain.user.models import Level
from pagoda.domain.user.permissions import Viewer, effective_level, may_add_entities
from pagoda_plugin_sdk.permissions import Permission
from pagoda_plugin_sdk.rules.saying import say
from pagoda_plugin_sdk.rules.text import listed


def require(user: Viewer | None, obj: Entity | EntityAttr | Entry, level: int) -> None:
    """Refuse unless `user` has `level` on `obj`, in one query at most, in plugin code two.

    Raises:
        PermissionDenied: names the object, the level needed and the level that `user` has.
    """
    if user is not None:
        if running.plugin() is not None and obj.pk is not None:
            # A plugin's code can write anything into the row that it holds
            obj = type(obj)._base_manager.filter(pk=obj.pk).first() or obj
        require_level(user, obj, level, effective_level(user, obj.permission_chain()))


def require_level(user: Viewer | None, obj: Entity | EntityAttr | Entry, level: int, has: int) -> None:
    """Refuse as `require` does where the level that `user` `has` on `obj` is known; no query.

    Raises:
        PermissionDenied: as `require` does; what `user` may not see is not named.
    """
    if user is not None and has < level:
        if has < Level.READABLE:
            refuse_hidden(user)
        _refuse(user, called(obj), level, has)


def refuse_hidden(user: Viewer | None) -> NoReturn:
    """Refuse `user` without naming what it is about.

    Raises:
        PermissionDenied: always.
    """
    if isinstance(user, PluginAuthority):
        beyond(
            user.plugin_id,
            "change what it may not see",
            "acts for itself and may not see what this would change; grant it in PLUGIN_PERMISSIONS",
        )
    raise PermissionDenied(say("You may not see what this would change, or it does not exist."))


def require_attributes(user: Viewer | None, entity_name: str, levels: dict[str, int], level: int) -> None:
    """Refuse unless each of the attributes, by name, has `level`.

    Raises:
        PermissionDenied: names those that have not, the level needed and the level that `user` has.
    """
    refused = {name: has for name, has in levels.items() if has < level}
    if refused:
        names = listed([repr(name) for name in sorted(refused)])
        called_so = say("attribute {names} of entity {entity_name!r}", names=names, entity_name=entity_name)
        _refuse(user, called_so, level, min(refused.values()))


def require_deleting(user: Viewer | None, entries: Sequence[tuple[Entry, int]]) -> None:
    """Refuse unless `user` has Full on each of the entries that are deleted together, given with the level.

    Raises:
        PermissionDenied: names those on which `user` has less.
    """
    refused = [(entry, has) for entry, has in entries if has < Level.FULL]
    if refused:
        names = listed([called(entry) for entry, _ in refused])
        also = say(", which goes with it,") if len(entries) > len(refused) else ""
        _refuse(user, names + also, Level.FULL, min(has for _, has in refused))


def require_creating(user: Viewer | None, obj: object) -> None:
    """Refuse unless `user` may create `obj`, an entity or an entry that is not stored yet; one query at most.

    Raises:
        PermissionDenied: see `require` and `require_adding_entities`.
    """
    if isinstance(obj, Entry):
        require(user, obj.schema, Level.WRITABLE)
    else:
        require_adding_entities(user)


def require_adding_entities(user: Viewer | None) -> None:
    """Refuse unless `user` may add entities, in one query at most.

    Raises:
        PermissionDenied: says who may.
    """
    if user is not None and not may_add_entities(user):
        if isinstance(user, PluginAuthority):
            user.refuse(Permission("entity:write"))
        raise PermissionDenied(
            say(
                "Adding entities takes a right that {user} has not. Ask for a role or a group that "
                "has it (`can_add_entities`, `entity.add_entity`).",
                user=_who(user),
            )
        )


def called(obj: Entity | EntityAttr | Entry) -> str:
    """Return how a refusal calls `obj`."""
    match obj:
        case Entry():
            return say("entry {obj!r} of entity {schema!r}", obj=obj.name, schema=obj.schema.name)
        case EntityAttr():
            return say(
                "attribute {obj!r} of entity {parent_entity!r}",
                obj=obj.name,
                parent_entity=obj.parent_entity.name,
            )
        case Entity():
            return say("entity {obj!r}", obj=obj.name)


def _refuse(user: Viewer | None, what: str, level: int, has: int) -> NoReturn:
    needed, having = Level(level).label, Level(has).label
    text = say(
        "{needed} permission on {what} is needed; {user} has {having!r}.",
        needed=needed.capitalize(),
        what=what,
        user=_who(user),
        having=having,
    )
    if isinstance(user, PluginAuthority):
        beyond(
            user.plugin_id, f"{needed} on {what}", f"acts for itself. {text} Grant it in PLUGIN_PERMISSIONS"
        )
    raise PermissionDenied(say("{text} Ask for a role that grants it.", text=text))


def _who(user: Viewer | None) -> str:
    if isinstance(user, PluginAuthority):
        return user.get_username()
    if user is None or not user.is_authenticated:
        return say("somebody not logged in")
    return say("user {user!r}", user=user.get_username())
