"""PostgreSQL, Redis and RabbitMQ: each serves many tests, and each test gets a place of its own there."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import psycopg
from psycopg.sql import SQL, Identifier
from testcontainers.community.postgres import PostgresContainer
from testcontainers.community.redis import RedisContainer
from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

from tests.integration.stage.engine import (
    LABELS,
    POSTGRES_IMAGE,
    RABBITMQ_IMAGE,
    REDIS_IMAGE,
    new_name,
    publish,
)
from tests.integration.stage.waiting import wait_until

USER = PASSWORD = "pagoda"
REDIS_DATABASES = 1000

_numbers = itertools.count(1)


class Broker(Protocol):
    """A broker that holds many places, none of which knows of the others."""

    def place(self) -> str:
        """Return BROKER_URL of a new place, for containers of the same network."""
        ...


class Postgres(PostgresContainer):
    """A PostgreSQL."""

    def __init__(self, network: Network, alias: str = "postgres", *, password: str = PASSWORD) -> None:
        super().__init__(
            POSTGRES_IMAGE,
            username=USER,
            password=password,
            dbname="postgres",
            name=new_name(alias),
            network=network,
            network_aliases=[alias],
        )
        self.alias = alias
        publish(self, 5432)
        # Without fsync nothing is lost with a killed process, only with a machine.
        self.with_command(["postgres", "-c", "max_connections=300", "-c", "fsync=off"])
        self.with_kwargs(labels=LABELS)

    def url(self, database: str) -> str:
        """Return DATABASE_URL, for containers of the same network."""
        return f"postgres://{USER}:{self.password}@{self.alias}:5432/{database}"

    def copy_of(self, template: str) -> str:
        """Make a database like `template`, and return its name."""
        name = f"test_{next(_numbers)}"
        with self.connection("postgres") as connection:
            connection.execute(
                SQL("CREATE DATABASE {} TEMPLATE {}").format(Identifier(name), Identifier(template))
            )
        return name

    @contextlib.contextmanager
    def connection(self, database: str) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        """Open a connection of the test's own, where each statement is a transaction."""
        with psycopg.connect(
            host=self.get_container_host_ip(),
            port=self.get_exposed_port(5432),
            user=USER,
            password=self.password,
            dbname=database,
            autocommit=True,
            connect_timeout=5,
        ) as connection:
            yield connection

    def wait_until_it_answers(self) -> None:
        """Wait for it after a restart."""

        def answers() -> bool:
            try:
                with self.connection("postgres"):
                    return True
            except psycopg.OperationalError:
                return False

        wait_until(answers, 60, lambda: "PostgreSQL does not answer")

    def rows(self, database: str, query: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return what a query finds."""
        with self.connection(database) as connection:
            return connection.execute(query.encode(), parameters).fetchall()


class Redis(RedisContainer):
    """A Redis; a place is one of its numbered databases."""

    def __init__(
        self,
        network: Network,
        alias: str = "redis",
        *,
        password: str | None = None,
        options: Sequence[str] = (),
    ) -> None:
        super().__init__(
            REDIS_IMAGE, password=password, name=new_name(alias), network=network, network_aliases=[alias]
        )
        self.alias = alias
        publish(self, 6379)
        login = ["--requirepass", password] if password else []
        self.with_command(["redis-server", "--databases", str(REDIS_DATABASES), *login, *options])
        self.with_kwargs(labels=LABELS)

    def place(self) -> str:
        """Return BROKER_URL of an unused database."""
        return f"redis://{self.alias}:6379/{next(_numbers) % REDIS_DATABASES}"

    def url(self, user: str = "default", password: str = "") -> str:
        """Return BROKER_URL of an account; by default of its operator."""
        return f"redis://{user}:{password or self.password}@{self.alias}:6379/0"


class RabbitMq(DockerContainer):
    """A RabbitMQ; a place is a virtual host."""

    vhost = "/"

    def __init__(self, network: Network, alias: str = "rabbitmq", *, password: str = PASSWORD) -> None:
        super().__init__(RABBITMQ_IMAGE, name=new_name(alias), network=network, network_aliases=[alias])
        self.alias, self.password = alias, password
        publish(self, 5672)
        self.with_envs(RABBITMQ_DEFAULT_USER=USER, RABBITMQ_DEFAULT_PASS=password)
        self.with_kwargs(labels=LABELS, hostname=alias)  # it keeps its data under its name
        self.waiting_for(LogMessageWaitStrategy("Server startup complete").with_startup_timeout(120))

    def place(self) -> str:
        """Return BROKER_URL of a new virtual host."""
        name = f"test_{next(_numbers)}"
        self.control("add_vhost", name)
        self.control("set_permissions", "-p", name, USER, ".*", ".*", ".*")
        return f"amqp://{USER}:{self.password}@{self.alias}:5672/{name}"

    def url(self, user: str = USER, password: str = "") -> str:
        """Return BROKER_URL of an account in the first virtual host; by default of its operator."""
        return f"amqp://{user}:{password or self.password}@{self.alias}:5672//"

    def users(self) -> set[str]:
        """Return the names of all accounts."""
        return {line.split()[0] for line in self.control("-q", "list_users").splitlines() if line}

    def control(self, *command: str) -> str:
        """Run rabbitmqctl; return what it prints."""
        done = self.exec(["rabbitmqctl", *command])
        output: str = done.output.decode(errors="replace")
        assert done.exit_code == 0, f"rabbitmqctl {command[:2]}: {output}"
        return output
