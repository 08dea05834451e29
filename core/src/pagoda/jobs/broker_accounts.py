"""The accounts that processes have at the broker: what each may do there, and how an operator makes them.

A plugin's worker takes jobs from its own queue, sends events, reads breakers, writes its plugin's (which are
in Redis where CACHE_URL names one). What it has for other queues, the dispatcher publishes.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from pydantic import SecretStr

from pagoda.config.accounts import API, CORE, DISPATCHER, FLOWER, PLUGIN_PREFIX, plugin_account
from pagoda.config.redis_package import redis_package
from pagoda.fencing.store import RedisStore
from pagoda.jobs.operations import CORE_QUEUE

SEPARATOR = "\x06\x16"
"""Kombu's: a queue in Redis is a list per priority, `queue`, `queue SEPARATOR 3`, ..."""

CONNECTION = ("+ping", "+select", "+multi", "+exec", "+discard", "+watch", "+unwatch")
CACHE = (
    "+get",
    "+set",
    "+setex",
    "+psetex",
    "+del",
    "+mget",
    "+mset",
    "+exists",
    "+incrby",
    "+expire",
    "+ttl",
)
"""What Django's cache asks for, for code that uses it in the API."""

HOST = (*CONNECTION, "+publish", "+lpush", "+llen", "+getrange", "+incr", "+expireat", *CACHE)
HOST_KEYS = (f"~{CORE_QUEUE}", f"~{CORE_QUEUE}{SEPARATOR}*", "~plugin.*", "~pagoda:*", "~:*")
FLOWER_KEYS = ("~celeryev.*", "~*.reply.celery.pidbox*", "~_kombu.binding*")


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerAccount:
    """One account, and what it may do at either broker."""

    name: str
    redis: tuple[str, ...]  # of ACL SETUSER, without its password
    rabbitmq: tuple[str, str, str]  # regular expressions: what it may configure, write and read
    topics: tuple[str, str] = ("", "")  # of the exchange of events: which routing keys it may write and read


def accounts(plugin_ids: Iterable[str], *, database: str = "0") -> list[BrokerAccount]:
    """Return the accounts of the host's processes and of these plugins' workers.

    `database` is the number of Redis' that the broker is in: names of channels begin with it.
    """
    events = f"&/{database}.celeryev/*"
    anything = (".*", ".*", ".*")
    host = (*HOST_KEYS, events, *HOST)
    flower = (
        *(f"~{CORE_QUEUE}", f"~{CORE_QUEUE}{SEPARATOR}*", "~plugin.*", events, f"&/{database}.celery.pidbox"),
        *(
            *CONNECTION,
            "+llen",
            "+publish",
            "+subscribe",
            "+psubscribe",
            "+unsubscribe",
            "+punsubscribe",
            "+time",
        ),
        f"({' '.join(FLOWER_KEYS)} +@read +@write +@scripting +brpop +llen)",
    )
    core = f"(~{CORE_QUEUE} ~{CORE_QUEUE}{SEPARATOR}* +brpop)"
    return [
        BrokerAccount(name=API, redis=host, rabbitmq=anything),
        BrokerAccount(name=DISPATCHER, redis=host, rabbitmq=anything),
        BrokerAccount(name=CORE, redis=(*host, core), rabbitmq=anything),
        BrokerAccount(
            name=FLOWER, redis=flower, rabbitmq=(r"^(celeryev|.*\.?pidbox).*$",) * 3, topics=(".*", ".*")
        ),
        *(_plugins(plugin_id, events) for plugin_id in plugin_ids),
    ]


def _plugins(plugin_id: str, events: str) -> BrokerAccount:
    queue = f"plugin.{plugin_id}"
    mine = f"^{re.escape(queue)}$"
    return BrokerAccount(
        name=plugin_account(plugin_id),
        redis=(
            *(
                f"~{queue}",
                f"~{queue}{SEPARATOR}*",
                f"%R~{RedisStore.PREFIX}*",
                f"~{RedisStore.PREFIX}{plugin_id}:*",
            ),
            *(events, *CONNECTION, "+publish", "+brpop", "+lpush", "+llen", "+getrange", "+set"),
        ),
        rabbitmq=(mine, "^celeryev$", mine),
        topics=(r"^(worker|task)\.", "^$"),
    )


def redis_lines(wanted: Iterable[BrokerAccount]) -> Iterator[str]:
    """Yield what makes the accounts, as redis-cli takes it; a mark stands in for the passwords."""
    for account in wanted:
        rules = " ".join(map(_quoted, ("reset", "on", f">PASSWORD_OF_{account.name}", *account.redis)))
        yield f"ACL SETUSER {_quoted(account.name)} {rules}"


def rabbitmq_lines(wanted: Iterable[BrokerAccount], vhost: str) -> Iterator[str]:
    """Yield what makes the accounts, as a shell takes it; add_user asks for the password."""
    where = f"-p {shlex.quote(vhost)}"
    for account in wanted:
        permissions = " ".join(map(shlex.quote, account.rabbitmq))
        yield f"rabbitmqctl add_user {account.name}"
        yield f"rabbitmqctl set_permissions {where} {account.name} {permissions}"
        if any(account.topics):
            topics = " ".join(map(shlex.quote, account.topics))
            yield f"rabbitmqctl set_topic_permissions {where} {account.name} celeryev {topics}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerAccountsMade:
    """What was done at a Redis."""

    made: list[str]
    removed: list[str]
    without_password: list[str]  # left as they were
    is_kept: bool  # over a restart
    is_open: bool  # anybody may log in as `default`, without a password


def apply(
    client: Any,
    wanted: Iterable[BrokerAccount],
    passwords: Mapping[str, SecretStr],
    *,
    enabled: Set[str] | None,
) -> BrokerAccountsMade:
    """Make the accounts at a Redis, and remove those of plugins that are not enabled. Any: its client.

    `enabled` are the accounts of plugins that stay, also of one that is skipped at this moment; None: all.

    Raises:
        RedisError: it does not answer, or the client's own account may not.
    """
    wanted = list(wanted)
    made = []
    for account in wanted:
        if (password := passwords.get(account.name)) is not None:
            digest = sha256(
                password.get_secret_value().encode()
            ).hexdigest()  # logs of Redis show no password
            client.execute_command(
                "ACL", "SETUSER", account.name, "reset", "on", f"#{digest}", *account.redis
            )
            made.append(account.name)
    names = {account.name for account in wanted}
    known = [
        name.decode() if isinstance(name, bytes) else name for name in client.execute_command("ACL", "USERS")
    ]
    kept = names | (set(known) if enabled is None else enabled)
    removed = [name for name in known if name.startswith(PLUGIN_PREFIX) and name not in kept]
    if removed:
        client.execute_command("ACL", "DELUSER", *removed)
    try:
        client.execute_command("ACL", "SAVE")
    except redis_package().ResponseError:  # it has no file of accounts
        is_kept = False
    else:
        is_kept = True
    default = client.execute_command("ACL", "GETUSER", "default") or {}
    return BrokerAccountsMade(
        made=made,
        removed=removed,
        without_password=sorted(names - set(made)),
        is_kept=is_kept,
        is_open={"on", "nopass"} <= {str(flag) for flag in default.get("flags", ())},
    )


def _quoted(word: str) -> str:
    escaped = "".join(c if c.isprintable() and c not in '"\\' else f"\\x{ord(c):02x}" for c in word)
    return f'"{escaped}"' if escaped != word or " " in word else word
