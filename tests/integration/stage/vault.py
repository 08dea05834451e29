"""A Pagoda each of whose processes has an account of its own at the database and at the broker."""

from __future__ import annotations

import contextlib
import json
import re
import secrets
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import amqp
import psycopg
import redis
from testcontainers.core.network import Network

from tests.integration.stage import engine
from tests.integration.stage.client import PASSWORD, Client
from tests.integration.stage.containers import PagodaContainer
from tests.integration.stage.engine import WORKER_IMAGE
from tests.integration.stage.servers import USER, Postgres, RabbitMq, Redis
from tests.integration.stage.stack import API_PORT, SETTINGS, Stack
from tests.integration.stage.trouble import wire_of

DATABASE = "confined"
FILL = Path(__file__).resolve().parents[3] / "services/worker/tests/processes/probe/probe_accounts.py"
ROLES = ("pagoda_api", "pagoda_dispatcher", "pagoda_core", "pagoda_plugin_escapee", "pagoda_plugin_inventory")
USERS = (*ROLES, "pagoda_flower")
LATE = "probe"
"""A plugin that is there, and is enabled when the release runs."""

OWNER, OPERATOR = (secrets.token_urlsafe(24) for _ in range(2))
PASSWORDS = {user: secrets.token_urlsafe(24) for user in (*USERS, f"pagoda_plugin_{LATE}")}
HOST_SECRETS = {
    "PAGODA_SECRET_KEY": secrets.token_urlsafe(48),
    "ALERT_URLS": f"json://alerts.example.org/{secrets.token_urlsafe(8)}",
    "PLUGIN_SETTINGS": json.dumps({"inventory": {"skip_filesystem_types": [secrets.token_urlsafe(8)]}}),
    "FLOWER_BASIC_AUTH": f"flower:{secrets.token_urlsafe(18)}",
}
"""In the environment of the host's processes, not in a worker's."""

RANGES = json.loads(SETTINGS["PLUGIN_OPERATION_ID_CONFIG"]) | {"escapee": [600, 699]}
PLAIN = {
    "PAGODA_ENV": "production",
    "ENABLED_PLUGINS": "hello-world,inventory,trial,neighbour,escapee",
    "PLUGIN_OPERATION_ID_CONFIG": json.dumps(RANGES),
    "PLUGIN_PERMISSIONS": json.dumps({"escapee": ["entry:write:Open"]}),
}
"""What every process may know, as in docker/compose.yaml."""

WITH_LATE = {
    "ENABLED_PLUGINS": f"{PLAIN['ENABLED_PLUGINS']},{LATE}",
    "PLUGIN_OPERATION_ID_CONFIG": json.dumps(RANGES | {LATE: [700, 799]}),
}

WITH_PASSWORDS = """
umask 077; mkdir -p /tmp/accounts
for each in $ACCOUNTS; do printf %s "${each#*=}" > "/tmp/accounts/${each%%=*}"; done
export PAGODA_ACCOUNT_PASSWORDS_DIR=/tmp/accounts
exec "$@"
"""


class Vault:
    """A Pagoda whose processes have accounts, and in whose tables there is something of everything."""

    def __init__(self, stack: Stack, postgres: Postgres, broker: Redis | RabbitMq, cage: Network) -> None:
        self.stack, self.postgres, self.broker, self.cage = stack, postgres, broker, cage
        self.user = Client(lambda: stack.containers["api"].address(API_PORT))
        self.facts: dict[str, Any] = {}

    def urls(self, user: str) -> dict[str, str]:
        """Return the settings of who has an account at both servers."""
        broker = self.broker.url(user, PASSWORDS[user])
        found = {"DATABASE_URL": self.database_url(user, PASSWORDS[user]), "BROKER_URL": broker}
        return found | ({"CACHE_URL": broker} if broker.startswith("redis:") else {})

    def database_url(self, user: str, password: str) -> str:
        return f"postgres://{user}:{password}@{self.postgres.alias}:5432/{DATABASE}"

    def make_accounts(self, **settings: str) -> None:
        """Do what an upgrade of the release does at both servers, for the plugins that `settings` enable."""
        given = settings | {"DATABASE_URL": self.database_url("pagoda", OWNER)}
        given["ACCOUNTS"] = " ".join(f"{user}={password}" for user, password in PASSWORDS.items())
        given["BROKER_URL"] = self.broker.url()
        with_passwords = ("sh", "-euc", WITH_PASSWORDS, "sh", "pagoda")
        self.stack.run_to_end(*with_passwords, "migrate", **given)
        if isinstance(self.broker, Redis):
            self.stack.run_to_end(*with_passwords, "broker", "acl", "--apply", **given)
            return
        given["PAGODA_LOG_LEVEL"] = "ERROR"
        printed = self.stack.run_to_end(*with_passwords, "broker", "acl", **given)
        self._as_operator([shlex.split(line)[1:] for line in printed.splitlines()])

    def _as_operator(self, commands: list[list[str]]) -> None:
        """Do at RabbitMQ what docs/operations.md tells an operator to do by hand."""
        assert isinstance(self.broker, RabbitMq)
        known = self.broker.users()
        for verb, *rest in commands:
            account = next(word for word in rest if word.startswith("pagoda_"))
            if account not in PASSWORDS or (verb == "add_user" and account in known):
                continue
            self.broker.control(verb, *rest, *([PASSWORDS[account]] if verb == "add_user" else []))
        named = {word for command in commands for word in command}
        for account in known - named - {USER}:
            self.broker.control("delete_user", account)

    def start_host(self, **settings: str) -> None:
        """Start the API and the dispatcher, or have others of these settings in their place."""
        for name in ("api", "dispatcher"):
            if name in self.stack.containers:
                self.stack.containers.pop(name).remove()
        self.stack.start_api(settings=settings)
        self.stack.start_dispatcher(settings=self.urls("pagoda_dispatcher") | settings)
        self.stack.wait_ready()
        self.user.log_in("mallory")

    def start_worker(self, plugin_id: str, **settings: str) -> PagodaContainer:
        """Start a plugin's worker in the cage, with nothing of the host's in its environment."""
        worker = PagodaContainer(
            f"worker-{plugin_id}",
            WORKER_IMAGE,
            ("pagoda-worker", "run", "--plugin", plugin_id),
            environment=PLAIN | self.urls(f"pagoda_plugin_{plugin_id}") | settings,
            network=self.cage,
            options={"mem_limit": "384m", "pids_limit": 64},
        )
        self.stack.containers[worker.title] = worker
        return worker.start()

    def can_log_in(self, account: str) -> dict[str, bool]:
        """Return for both servers whether they let an account in."""
        return {"database": self._at_database(account), "broker": self._at_broker(account)}

    def _at_database(self, account: str) -> bool:
        host, port = self.postgres.get_container_host_ip(), self.postgres.get_exposed_port(5432)
        try:
            psycopg.connect(
                host=host, port=port, dbname=DATABASE, user=account, password=PASSWORDS[account]
            ).close()
        except psycopg.OperationalError as error:
            if not re.search("authentication failed|not permitted to log in", str(error)):
                raise
            return False
        return True

    def _at_broker(self, account: str) -> bool:
        host, password = self.broker.get_container_host_ip(), PASSWORDS[account]
        try:
            if isinstance(self.broker, Redis):
                with redis.Redis(
                    host, self.broker.get_exposed_port(6379), username=account, password=password
                ) as client:
                    client.ping()
            else:
                address = f"{host}:{self.broker.get_exposed_port(5672)}"
                with amqp.Connection(
                    address, userid=account, password=password, virtual_host=self.broker.vhost
                ):
                    pass
        except (redis.AuthenticationError, amqp.AccessRefused):
            return False
        return True

    def prepare(self) -> None:
        """Fill the tables, make users and accounts; note the ids of what is others'."""
        stack, owner = self.stack, {"DATABASE_URL": self.database_url("pagoda", OWNER)}
        printed = stack.run_to_end(
            *("python", "-c", FILL.read_text(encoding="utf-8"), '{"neighbour": []}'),
            **owner, DJANGO_SETTINGS_MODULE="pagoda.settings",
        )  # fmt: skip
        facts = self.facts
        facts |= json.loads(printed.splitlines()[-1])["facts"]
        for name in ("admin", "mallory"):
            stack.run_to_end(
                "pagoda", "manage", "createsuperuser", "--noinput", **owner, DJANGO_SUPERUSER_USERNAME=name,
                DJANGO_SUPERUSER_EMAIL=f"{name}@example.org", DJANGO_SUPERUSER_PASSWORD=PASSWORD,
            )  # fmt: skip
        self.make_accounts()
        with self.postgres.connection(DATABASE) as connection:
            connection.execute(
                "UPDATE user_user SET is_superuser = false, is_staff = false WHERE username = 'mallory'"
            )
            connection.execute("UPDATE entity_entity SET default_permission = 1 WHERE name = 'Secret'")
        (facts["own_user"],) = stack.rows("SELECT id FROM user_user WHERE username = 'mallory'")[0]
        (facts["role"],) = stack.rows("SELECT id FROM user_role")[0]
        (facts["secret_entry"],) = stack.rows("SELECT id FROM entry_entry WHERE name = 'of Secret'")[0]


@contextlib.contextmanager
def running_vault(network: Network, broker: str) -> Iterator[Vault]:
    """Accounts are the whole server's, so it has a PostgreSQL and a broker of its own."""
    servers = {"redis": Redis, "rabbitmq": RabbitMq}
    with (
        engine.network(is_internal=True) as cage,
        Postgres(network, "vault-postgres", password=OWNER) as postgres,
        servers[broker](network, f"vault-{broker}", password=OPERATOR) as server,
    ):
        with postgres.connection("postgres") as connection:
            connection.execute(f"CREATE DATABASE {DATABASE}")
        with Stack(network, postgres, DATABASE, server, PLAIN | HOST_SECRETS) as stack:
            vault = Vault(stack, postgres, server, cage)
            vault.prepare()
            stack.settings |= vault.urls("pagoda_api")
            wires = [(wire_of(cage, each), each) for each in (postgres, server)]
            for wire, each in wires:
                wire.connect(each.get_wrapped_container(), aliases=[each.alias])
            try:
                vault.start_host()
                stack.start_worker("core", settings=vault.urls("pagoda_core"))  # makes RabbitMQ's exchanges
                vault.start_worker("escapee")
                yield vault
            finally:
                vault.user.close()
                for wire, each in wires:
                    wire.disconnect(each.get_wrapped_container())
