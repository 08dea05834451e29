"""What code in a worker's container does with bare clients; its source is sent there and runs as a task's."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import amqp
import psycopg
import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

from tools.escape_broker import amqp_attempts, amqp_outcome, attempts, outcome
from tools.escape_database import ATTEMPTS
from tools.escape_database import outcome as sql_outcome

GUESSES = ("", "pagoda", "postgres", "redis", "password", "admin", "secret", "changeme")
FILES = ("/run/secrets", "/var/run/secrets", "/etc/pagoda", "/var/run/docker.sock", "/run/docker.sock")


def main(job_id: int, **arguments: Any) -> dict[str, dict[str, str]]:
    """Return ``{way: {attempt: what came of it}}``; "held" is what it should say."""
    own, other = arguments["own"], arguments["other"]
    facts = arguments["facts"] | {"own_job": job_id, "plugin": own}
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        sql = {each.name: sql_outcome(connection, each, facts) for each in ATTEMPTS}
    is_redis = os.environ["BROKER_URL"].startswith("redis:")
    log_in = _log_in_to_redis if is_redis else _log_in_to_rabbitmq
    return {
        "psycopg": sql,
        "a client of the broker": _at_redis(own, other) if is_redis else _at_rabbitmq(own, other),
        "log in to PostgreSQL": {role: _log_in_to_postgres(role) for role in arguments["roles"]},
        "log in to the broker": {role: log_in(role) for role in arguments["users"]},
        "connect": {name: _connect(*place) for name, place in arguments["places"].items()},
        "files": {path: "reached" if os.access(path, os.R_OK) else "held" for path in FILES},
        "settings": {name: str(getattr(settings, name)) for name in dir(settings) if name.isupper()},
        "command lines": dict(_command_lines()),
    }


def _at_redis(own: str, other: str) -> dict[str, str]:
    with redis.Redis.from_url(os.environ["BROKER_URL"]) as client:
        return {name: outcome(client, attempt) for name, attempt in attempts(own, other).items()}


def _at_rabbitmq(own: str, other: str) -> dict[str, str]:
    url = urlsplit(os.environ["BROKER_URL"])
    with amqp.Connection(
        f"{url.hostname}:{url.port}",
        userid=str(url.username),
        password=str(url.password),
        virtual_host=url.path[1:],
    ) as connection:
        return {name: amqp_outcome(connection, each) for name, each in amqp_attempts(own, other).items()}


def _passwords(role: str) -> Sequence[str]:
    """Return what somebody would guess, and all that stands in the environment."""
    found = {urlsplit(value).password or value for value in os.environ.values()}
    return sorted({role, *GUESSES, *(value for value in found if len(value) < 100)})


def _log_in_to_postgres(role: str) -> str:
    own = urlsplit(os.environ["DATABASE_URL"])
    for password in _passwords(role):
        try:
            psycopg.connect(
                host=own.hostname, port=own.port, dbname=own.path[1:], user=role, password=password or None
            ).close()
        except psycopg.OperationalError as error:
            if "password authentication failed" in str(error) or "no password supplied" in str(error):
                continue
            return f"failed: {error}"
        return "reached"
    return "held"


def _log_in_to_redis(user: str) -> str:
    own = urlsplit(os.environ["BROKER_URL"])
    for password in _passwords(user):
        client = redis.Redis(
            str(own.hostname), own.port or 6379, username=user, password=password, retry=Retry(NoBackoff(), 0)
        )
        try:
            client.ping()
        except redis.AuthenticationError:
            continue
        except redis.RedisError as error:
            return f"failed: {error}"
        finally:
            client.close()
        return "reached"
    return "held"


def _log_in_to_rabbitmq(user: str) -> str:
    own = urlsplit(os.environ["BROKER_URL"])
    for password in _passwords(user):
        connection = amqp.Connection(f"{own.hostname}:{own.port}", userid=user, password=password)
        try:
            connection.connect()
        except amqp.AccessRefused:
            continue
        finally:
            connection.close()
        return "reached"
    return "held"


def _connect(host: str, port: int) -> str:
    try:
        socket.create_connection((host, port), timeout=3).close()
    except OSError:
        return "held"
    return "reached"


def _command_lines() -> Iterable[tuple[str, str]]:
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        yield file.parent.name, file.read_bytes().decode(errors="replace").replace("\0", " ")
