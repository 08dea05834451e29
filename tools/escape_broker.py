"""What a plugin's account tries at Redis with a bare client: a list, for tests to run. Its rights hold it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import amqp
import redis
from redis.exceptions import NoPermissionError


def succeeded(client: redis.Redis, own: str, other: str) -> list[str]:
    """Try all, and return the names of what was not refused."""
    tried = {name: outcome(client, attempt) for name, attempt in attempts(own, other).items()}
    return [name for name, told in tried.items() if told != "held"]


def outcome(client: redis.Redis, attempt: Callable[[redis.Redis], Any]) -> str:
    """Return ``held`` or what became of an attempt; a wrong command is refused as wrong, first."""
    try:
        attempt(client)
    except NoPermissionError:
        return "held"
    except redis.ResponseError as error:
        # Of the server's own configuration, to anybody
        return "held" if "command not allowed" in str(error) else f"failed: {error}"
    return "reached"


def amqp_outcome(connection: Any, attempt: Callable[[Any], Any]) -> str:
    """Return the same of an attempt at RabbitMQ, in a channel of its own: a refusal ends the channel."""
    try:
        attempt(connection.channel())
    except amqp.AccessRefused:
        return "held"
    except amqp.AMQPError as error:
        return f"failed: {error}"
    return "reached"


def attempts(own: str, other: str) -> dict[str, Callable[[redis.Redis], Any]]:
    """Return ``{what is tried: how}`` for the account of plugin `own`'s workers, beside plugin `other`."""
    return {
        "read another queue": lambda client: client.lrange(f"plugin.{other}", 0, -1),
        "take from another queue": lambda client: client.brpop([f"plugin.{other}"], timeout=1),
        "take from the host's queue": lambda client: client.brpop(["core"], timeout=1),
        "take from a queue whose name begins alike": lambda client: client.brpop(
            [f"plugin.{own}2"], timeout=1
        ),
        "forge a job of another plugin": lambda client: client.lpush(f"plugin.{other}", "{}"),
        "forge a job of the host": lambda client: client.lpush("core", "{}"),
        "forge one of priority": lambda client: client.lpush("core\x06\x163", "{}"),
        "move a message": lambda client: client.lmove(f"plugin.{own}", "core"),
        "drop another queue": lambda client: client.delete(f"plugin.{other}"),
        "trim another queue": lambda client: client.ltrim(f"plugin.{other}", 1, 0),
        "write over another queue": lambda client: client.set(f"plugin.{other}", "x"),
        "rename a queue": lambda client: client.rename(f"plugin.{other}", f"plugin.{own}"),
        "copy a queue": lambda client: client.copy(f"plugin.{other}", f"plugin.{own}"),
        "forge a binding": lambda client: client.sadd("_kombu.binding.core", "x"),
        "control workers": lambda client: client.publish("/0.celery.pidbox", "{}"),
        "listen to events": lambda client: client.execute_command("PSUBSCRIBE", "*"),
        "open another's breaker": lambda client: client.set(f"pagoda:breaker:{other}:hook", "{}"),
        "drop another's breaker": lambda client: client.delete(f"pagoda:breaker:{other}:hook"),
        "let its users ask without limit": lambda client: client.set("pagoda:rate:1:user:1", "-999"),
        "read counts of users": lambda client: client.get("pagoda:rate:1:user:1"),
        "read the API's cache": lambda client: client.get(":1:x"),
        "poison the API's cache": lambda client: client.set(":1:x", "x"),
        "empty the database": lambda client: client.flushdb(),
        "empty the server": lambda client: client.flushall(),
        "list keys": lambda client: client.keys(),
        "scan keys": lambda client: client.scan(),
        "draw a key": lambda client: client.randomkey(),
        "run a script": lambda client: client.eval("return redis.call('KEYS', '*')", 0),
        "load a script": lambda client: client.script_load("return 1"),
        "load a function": lambda client: client.function_load(
            "#!lua name=x\nredis.register_function('f', print)"
        ),
        "read the configuration": lambda client: client.config_get(),
        "change the configuration": lambda client: client.config_set("dir", "/"),
        "see accounts": lambda client: client.acl_users(),
        "make an account": lambda client: client.execute_command("ACL", "SETUSER", "x", "on"),
        "take more rights": lambda client: client.execute_command(
            "ACL", "SETUSER", f"pagoda_plugin_{own}", "+@all"
        ),
        "see clients": lambda client: client.client_list(),
        "kill clients": lambda client: client.client_kill_filter(_type="normal"),
        "pause clients": lambda client: client.client_pause(10_000),
        "watch commands": lambda client: client.execute_command("MONITOR"),
        "read the slow log": lambda client: client.slowlog_get(),
        "save elsewhere": lambda client: client.bgsave(),
        "be a replica": lambda client: client.replicaof("127.0.0.1", "1"),
        "stop the server": lambda client: client.shutdown(),
        "load a module": lambda client: client.module_load("/x.so"),
        "debug": lambda client: client.execute_command("DEBUG", "SLEEP", "5"),
        "swap databases": lambda client: client.swapdb(0, 1),
    }


def amqp_attempts(own: str, other: str) -> dict[str, Callable[[Any], Any]]:
    """Return the same for a channel of RabbitMQ."""

    def publish(key: str, exchange: str = "") -> Callable[[Any], Any]:
        return lambda channel: channel.basic_publish_confirm(amqp.Message("{}"), exchange, key)

    return {
        "take from the host's queue": lambda channel: channel.basic_get("core"),
        "consume another queue": lambda channel: channel.basic_consume(f"plugin.{other}"),
        "purge another queue": lambda channel: channel.queue_purge(f"plugin.{other}"),
        "drop another queue": lambda channel: channel.queue_delete(f"plugin.{other}"),
        "declare another queue": lambda channel: channel.queue_declare(f"plugin.{other}", durable=True),
        "listen to events": lambda channel: channel.queue_bind(f"plugin.{own}", "celeryev", "#"),
        "declare an exchange": lambda channel: channel.exchange_declare("x", "topic"),
        "drop the exchange of events": lambda channel: channel.exchange_delete("celeryev"),
        "forge a job of the host": publish("core"),
        "forge a job of another plugin": publish(f"plugin.{other}"),
        "flood its own queue": publish(f"plugin.{own}"),
        "control workers": publish("", "celery.pidbox"),
        "send what is no event": publish("other.x", "celeryev"),
    }
