"""What plugin code tries by the SDK, wherever it runs: each attempt is undone, and says what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.core.exceptions import ObjectDoesNotExist, PermissionDenied
from django.db import DatabaseError, transaction
from django.db.models import F

from pagoda_plugin_sdk import models
from pagoda_plugin_sdk.authority import authority_of
from pagoda_plugin_sdk.exceptions import PluginSecurityError

Facts = Mapping[str, Any]
NOTHING = "nothing is there"

# Any: what is tried is what their types do not have
Attribute: Any = models.Attribute
AttributeValue: Any = models.AttributeValue
Entity: Any = models.Entity
EntityAttr: Any = models.EntityAttr
Entry: Any = models.Entry
Job: Any = models.Job
User: Any = models.User


class _Undone(Exception):
    """Takes back what an attempt did."""


def tried(name: str, facts: Facts) -> str:
    """Return ``refused: ...``, that nothing is there, ``reached: ...``, or ``failed: ...``."""
    found: Any = None
    try:
        with transaction.atomic():
            found = ATTEMPTS[name](facts)
            found = list(found) if hasattr(found, "__iter__") else found
            raise _Undone
    except _Undone:
        is_nothing = found is not None and (not found or str(found).startswith("[0, {"))  # none deleted
        return NOTHING if is_nothing else f"reached: {found!r}"[:200]
    except (PluginSecurityError, PermissionDenied) as error:
        return f"refused: {type(error).__name__}"
    except ObjectDoesNotExist:
        return NOTHING
    except DatabaseError as error:
        if getattr(error.__cause__, "sqlstate", "") == "42501":
            return "refused: account at the database"
        return f"failed: {type(error).__name__}: {error}"
    except Exception as error:  # noqa: BLE001 - a wrong attempt is told, too
        return f"failed: {type(error).__name__}: {error}"


def _changed(row: Any, **fields: Any) -> Any:
    for name, value in fields.items():
        setattr(row, name, value)
    return row


def _boss(facts: Facts) -> Any:
    """Return a forged row of another user, whom the SDK does not show."""
    return User(pk=int(facts["other_user"]), username="boss", is_superuser=True)


def _secret(facts: Facts) -> Any:
    return Entity(pk=int(facts["secret_entity"]), name="Secret", default_permission=8)


def _entry(facts: Facts) -> Any:
    return Entry(
        pk=int(facts["secret_entry"]),
        name="of Secret",
        schema_id=int(facts["secret_entity"]),
        default_permission=8,
    )


def _me(facts: Facts) -> Any:
    return User.objects.get(pk=int(facts["own_user"]))


def _as(plugin: str, use: Callable[[], Any]) -> Any:
    with authority_of(plugin):
        return use()


def _entry_hidden(facts: Facts) -> Any:
    return Entry.objects.filter(schema_id=int(facts["secret_entity"]))


READS: dict[str, Callable[[Facts], Any]] = {
    "list a hidden entity": lambda f: Entity.objects.filter(name="Secret"),
    "get a hidden entity by its id": lambda f: Entity.objects.get(pk=int(f["secret_entity"])).name,
    "list the attributes of a hidden entity": lambda f: EntityAttr.objects.filter(
        parent_entity_id=int(f["secret_entity"])
    ),
    "reach them from a forged entity": lambda f: _secret(f).attrs.all(),
    "list hidden entries": _entry_hidden,
    "count hidden entries": lambda f: _entry_hidden(f).count(),
    "ask whether there are hidden entries": lambda f: _entry_hidden(f).exists(),
    "reach hidden entries from a forged entity": lambda f: _secret(f).entries.all(),
    "take hidden entries by the base manager": lambda f: Entry._base_manager.filter(
        schema_id=int(f["secret_entity"])
    ),
    "unite hidden entries": lambda f: _entry_hidden(f).union(_entry_hidden(f).order_by()),
    "take hidden entries by raw()": lambda f: Entry.objects.raw(
        "SELECT * FROM entry_entry WHERE schema_id = %s", [int(f["secret_entity"])]
    ),
    "take hidden values by extra()": lambda f: (
        Entry.objects.filter(name="of Open")
        .extra(
            select={
                "it": "SELECT max(value::text) FROM entry_attributevalue WHERE value::text LIKE '%%secret%%'"
            }
        )
        .exclude(pk=None)
        .values_list("it", flat=True)
    ),
    "list hidden attributes of entries": lambda f: Attribute.objects.filter(
        parent_entry_id=int(f["secret_entry"])
    ),
    "list hidden values": lambda f: AttributeValue.objects.filter(parent_entry_id=int(f["secret_entry"])),
    "read the values of a forged entry": lambda f: _entry(f).get_attrs(),
    "list other users": lambda f: User.objects.filter(pk=int(f["other_user"])),
    "follow an entry to who made it": lambda f: Entry.objects.get(name="of Open").created_user.username,
    "select who made it along": lambda f: (
        Entry.objects.select_related("created_user").get(name="of Open").created_user.username
    ),
    "read names of users through entries": lambda f: [
        name
        for name in Entry.objects.filter(name="of Open").values_list("created_user__username", flat=True)
        if name
    ],
    "guess names of users through entries": lambda f: Entry.objects.filter(
        name="of Open", created_user__username__startswith="b"
    ),
    "list jobs of others": lambda f: Job.objects.filter(pk=int(f["other_job"])),
    "read another job's log": lambda f: Job.objects.get(pk=int(f["other_job"])).logs.all(),
    "read a forged job's log": lambda f: Job(pk=int(f["other_job"])).logs.all(),
    "refresh a forged job": lambda f: _refreshed(Job(pk=int(f["other_job"]))),
    "refresh a forged entry": lambda f: _refreshed(_entry(f)),
    "refresh a forged user": lambda f: _refreshed(_boss(f)),
}
"""What administrators may see, and this plugin's user may not."""

HASHES: dict[str, Callable[[Facts], Any]] = {
    "read its user's hash": lambda f: _me(f).password,
    "ask for hashes alone": lambda f: [user.password for user in User.objects.only("password")],
    "take the deferred back": lambda f: [user.password for user in User.objects.defer(None)],
    "read hashes as values": lambda f: User.objects.values_list("password", flat=True),
    "rename hashes": lambda f: User.objects.annotate(it=F("password")).values_list("it", flat=True),
    "guess a hash by a filter": lambda f: User.objects.filter(password__startswith="p"),
    "order users by their hashes": lambda f: User.objects.order_by("password"),
    "read hashes through entries": lambda f: Entry.objects.values_list("created_user__password", flat=True),
    "guess a hash through entries": lambda f: Entry.objects.filter(created_user__password__startswith="p"),
    "read salts of sessions": lambda f: User.objects.values_list("session_salt", flat=True),
    "refresh the hash": lambda f: _refreshed(_me(f), "password").password,
    "read tokens through users": lambda f: User.objects.filter(api_tokens__digest__gt="").values_list(
        "api_tokens__digest", flat=True
    ),
}
"""What no plugin gets, not even an administrator's."""

WRITES: dict[str, Callable[[Facts], Any]] = {
    "make an entity": lambda f: Entity.objects.create(name="Mine"),
    "make an entity by the service": lambda f: Entity.objects.create_entity(user=_me(f), name="Mine"),
    "make an entity for another user": lambda f: Entity.objects.create_entity(user=_boss(f), name="Mine"),
    "rename a hidden entity": lambda f: _changed(_secret(f), name="Mine").save(),
    "open a hidden entity": lambda f: _secret(f).save(update_fields=["default_permission"]),
    "delete a hidden entity": lambda f: _secret(f).delete(),
    "add an attribute to it": lambda f: EntityAttr.objects.create(
        name="mine", type=2, parent_entity=_secret(f)
    ),
    "change its attributes": lambda f: _secret(f).update_attrs(_me(f), [{"name": "mine", "type": "string"}]),
    "make an entry of a hidden entity": lambda f: Entry.objects.create(name="mine", schema=_secret(f)),
    "make one by the service": lambda f: Entry.objects.create_entry(
        user=None, schema=_secret(f), name="mine"
    ),
    "change a hidden entry": lambda f: _changed(_entry(f), note="mine").save(),
    "set a hidden entry's values": lambda f: _entry(f).set_attrs(None, text="mine"),
    "delete a hidden entry": lambda f: _entry(f).delete(),
    "remove a hidden entry for good": lambda f: _entry(f).hard_delete(),
    "write an entry for another user": lambda f: Entry.objects.get(name="of Open").set_attrs(
        _boss(f), text="x"
    ),
    "QuerySet.update() of entries": lambda f: Entry.objects.update(note="mine"),
    "QuerySet.update() of entities": lambda f: Entity.objects.update(default_permission=8),
    "bulk_create() entries": lambda f: Entry.objects.bulk_create([Entry(name="mine", schema=_secret(f))]),
    "bulk_update() entries": lambda f: Entry.objects.bulk_update([_entry(f)], ["name"]),
    "write a value row": lambda f: AttributeValue.objects.create(
        parent_attr_id=1, parent_entry_id=int(f["secret_entry"]), value="mine"
    ),
    "remove rows past the rights": lambda f: Entry.objects.all()._raw_delete("default"),
    "make a superuser": lambda f: User.objects.create_superuser("mallory2", password="x"),
    "make a user": lambda f: User.objects.create_user("mallory2"),
    "make its user a superuser": lambda f: _changed(_me(f), is_superuser=True).save(),
    "make itself a superuser by update()": lambda f: User.objects.update(is_superuser=True),
    "bulk_create() a superuser": lambda f: User.objects.bulk_create(
        [User(username="mallory2", is_superuser=True)]
    ),
    "change another user's password": lambda f: _changed(_boss(f), password="x").save(
        update_fields=["password"]
    ),
    "delete another user": lambda f: _boss(f).delete(),
    "take a role": lambda f: _me(f).roles.add(int(f["role"])),
    "make a role": lambda f: _me(f).roles.create(name="mine", can_add_entities=True),
    "give its user a Django permission": lambda f: _me(f).user_permissions.add(1),
    "make itself a token": lambda f: _me(f).api_tokens.create(name="mine", digest="x"),
    "make another user a token": lambda f: _boss(f).api_tokens.create(name="mine", digest="x"),
    "end another plugin's job": lambda f: Job(pk=int(f["other_job"])).update(2),
    "end jobs by update()": lambda f: Job.objects.update(status=2),
    "store a forged job": lambda f: Job.objects.create(plugin="hello-world-plugin", operation=200),
    "delete another job": lambda f: Job(pk=int(f["other_job"])).delete(),
    "run another plugin's job": lambda f: Job(pk=int(f["other_job"])).run(),
    "submit a job of another plugin": lambda f: Job.objects.submit(
        plugin="inventory", operation_name="scan", user=_me(f)
    ),
    "submit a job for another user": lambda f: Job.objects.submit(
        plugin="escapee", operation_name="environment", user=_boss(f)
    ),
    "act on another plugin's authority": lambda f: _as(
        "inventory", lambda: Entity.objects.create(name="Mine")
    ),
    "act on the authority of nobody": lambda f: _as("", lambda: Entity.objects.create(name="Mine")),
    "read users on its own authority": lambda f: _as("escapee", lambda: list(User.objects.all())),
    "write beyond its grant on its own authority": lambda f: _as(
        "escapee", lambda: Entry.objects.create(name="mine", schema=_secret(f))
    ),
}
"""What neither the user may nor the plugin was granted."""


def _refreshed(row: Any, *fields: str) -> Any:
    row.refresh_from_db(fields=fields or None)
    return row


ATTEMPTS = READS | HASHES | WRITES
