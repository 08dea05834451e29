"""A plugin that tries to reach what is not its own; `make escape` prints what held each attempt."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from testcontainers.core.network import Network

from tests.integration.stage import engine, escaping
from tests.integration.stage.client import PASSWORD, Client
from tests.integration.stage.containers import PagodaContainer
from tests.integration.stage.engine import WORKER_IMAGE
from tests.integration.stage.promises import Promises
from tests.integration.stage.servers import Postgres, Redis
from tests.integration.stage.stack import API_PORT, SETTINGS, Stack
from tests.integration.stage.trouble import wire_of
from tools import escape_broker, escape_database

ROOT = Path(__file__).resolve().parents[2]
DATABASE = "confined"
FILL = ROOT / "services" / "worker" / "tests" / "processes" / "probe" / "probe_accounts.py"
ROLES = ("pagoda_api", "pagoda_dispatcher", "pagoda_core", "pagoda_plugin_escapee", "pagoda_plugin_inventory")
USERS = (*ROLES, "pagoda_flower")
OWNER, OPERATOR = (secrets.token_urlsafe(24) for _ in range(2))
PASSWORDS = {user: secrets.token_urlsafe(24) for user in USERS}
HOST_SECRETS = {
    "PAGODA_SECRET_KEY": secrets.token_urlsafe(48),
    "ALERT_URLS": f"json://alerts.example.org/{secrets.token_urlsafe(8)}",
    "PLUGIN_SETTINGS": json.dumps({"inventory": {"skip_filesystem_types": [secrets.token_urlsafe(8)]}}),
    "FLOWER_BASIC_AUTH": f"flower:{secrets.token_urlsafe(18)}",
}
"""In the environment of the host's processes, not in the worker's."""

PLAIN = {
    "PAGODA_ENV": "production",
    "ENABLED_PLUGINS": "hello-world,inventory,trial,neighbour,escapee",
    "PLUGIN_OPERATION_ID_CONFIG": json.dumps(
        json.loads(SETTINGS["PLUGIN_OPERATION_ID_CONFIG"]) | {"escapee": [600, 699]}
    ),
    "PLUGIN_PERMISSIONS": json.dumps({"escapee": ["entry:write:Open"]}),
}
"""What every process may know, as in docker/compose.yaml."""

WITH_PASSWORDS = """
umask 077; mkdir -p /tmp/accounts
for each in $ACCOUNTS; do printf %s "${each#*=}" > "/tmp/accounts/${each%%=*}"; done
export PAGODA_ACCOUNT_PASSWORDS_DIR=/tmp/accounts
exec "$@"
"""
NOTHING = "nothing is there"
REFUSED = "refused: "


@dataclass
class Vault:
    """A Pagoda whose processes have accounts, and in whose tables there is something of everything."""

    stack: Stack
    postgres: Postgres
    redis: Redis
    user: Client
    facts: dict[str, Any]
    names: Mapping[str, list[str]]

    def run(self, client: Client, task: str, **params: Any) -> Any:
        """Have the worker's container try something; return the job's result."""
        job = client.finished(client.post(f"plugins/escapee/run/{task}/", **params)["job"], 120)
        assert job["status_name"] == "DONE", job
        return job["result"]

    def sdk(self, client: Client, where: str, names: list[str]) -> dict[str, str]:
        """Try by the SDK; return ``{attempt: what came of it}``."""
        place, _, authority = where.partition(", ")
        body = {"facts": self.facts, "names": names, "authority": bool(authority)}
        if place == "task":
            return dict(self.run(client, "sdk", **body))
        if place == "endpoint":
            return dict(client.post("plugins/escapee/try/", **body))
        note = " ".join(f"{name}={value}" for name, value in self.facts.items())
        return {name: self._by_hook(client, name, note) for name in names}

    def _by_hook(self, client: Client, name: str, note: str) -> str:
        made = client.post("entries/", name=name, schema=self.facts["open_entity"], note=note)
        return str(made["note"])

    def rows(self) -> dict[str, list[Any]]:
        """Return what no attempt may change."""
        facts, rows = self.facts, self.stack.rows
        job = facts["other_job"]
        return {
            "users": rows(
                "SELECT id, username, password, session_salt, is_superuser FROM user_user ORDER BY id"
            ),
            "roles": rows("SELECT * FROM user_role ORDER BY id"),
            "users of roles": rows("SELECT * FROM user_role_users ORDER BY id"),
            "tokens": rows("SELECT id, user_id, digest FROM user_apitoken ORDER BY id"),
            "entities": rows("SELECT * FROM entity_entity ORDER BY id"),
            "secret": rows("SELECT * FROM entry_entry WHERE schema_id = %s", facts["secret_entity"]),
            "job": rows("SELECT user_id, plugin, queue, operation, status FROM job_job WHERE id = %s", job),
            "log": rows("SELECT * FROM job_joblog WHERE job_id = %s", job),
            "file": rows("SELECT * FROM job_jobfile WHERE job_id = %s", job),
        }


def database_url(user: str, password: str) -> str:
    return f"postgres://{user}:{password}@vault-postgres:5432/{DATABASE}"


def broker_url(user: str, password: str) -> str:
    return f"redis://{user}:{password}@vault-redis:6379/0"


def urls(user: str) -> dict[str, str]:
    """Return the settings of who has an account at both servers."""
    broker = broker_url(user, PASSWORDS[user])
    return {"DATABASE_URL": database_url(user, PASSWORDS[user]), "BROKER_URL": broker, "CACHE_URL": broker}


def prepare(stack: Stack, postgres: Postgres) -> dict[str, Any]:
    """Fill the tables, make users and accounts; return the ids of what is others'."""
    owner = {"DATABASE_URL": database_url("pagoda", OWNER)}
    fill = stack.start(
        "fill",
        engine.API_IMAGE,
        ("python", "-c", FILL.read_text(encoding="utf-8"), '{"neighbour": []}'),
        settings=owner | {"DJANGO_SETTINGS_MODULE": "pagoda.settings"},
    )
    assert fill.exit_code() == 0, fill.log()
    facts: dict[str, Any] = json.loads(fill.log().splitlines()[-1])["facts"]
    stack.containers.pop("fill").remove()
    for name in ("admin", "mallory"):
        stack.run_to_end(
            "pagoda", "manage", "createsuperuser", "--noinput", **owner, DJANGO_SUPERUSER_USERNAME=name,
            DJANGO_SUPERUSER_EMAIL=f"{name}@example.org", DJANGO_SUPERUSER_PASSWORD=PASSWORD,
        )  # fmt: skip
    given = owner | {"ACCOUNTS": " ".join(f"{user}={password}" for user, password in PASSWORDS.items())}
    given["BROKER_URL"] = broker_url("default", OPERATOR)
    for command in (("pagoda", "migrate"), ("pagoda", "broker", "acl", "--apply")):
        stack.run_to_end("sh", "-euc", WITH_PASSWORDS, "sh", *command, **given)
    with postgres.connection(DATABASE) as connection:
        connection.execute(
            "UPDATE user_user SET is_superuser = false, is_staff = false WHERE username = 'mallory'"
        )
        connection.execute("UPDATE entity_entity SET default_permission = 1 WHERE name = 'Secret'")
    (facts["own_user"],) = stack.rows("SELECT id FROM user_user WHERE username = 'mallory'")[0]
    (facts["role"],) = stack.rows("SELECT id FROM user_role")[0]
    (facts["secret_entry"],) = stack.rows("SELECT id FROM entry_entry WHERE name = 'of Secret'")[0]
    return facts


def start_worker(stack: Stack, cage: Network) -> PagodaContainer:
    """Start the escapee's worker in the cage, with nothing of the host's in its environment."""
    worker = PagodaContainer(
        "worker-escapee",
        WORKER_IMAGE,
        ("pagoda-worker", "run", "--plugin", "escapee"),
        environment=PLAIN | urls("pagoda_plugin_escapee"),
        network=cage,
        options={"mem_limit": "384m", "pids_limit": 64},
    )
    stack.containers["worker-escapee"] = worker
    return worker.start()


@pytest.fixture(scope="module")
def vault(network: Network) -> Iterator[Vault]:
    """Accounts are the whole server's, so it has a PostgreSQL and a Redis of its own."""
    with (
        engine.network(is_internal=True) as cage,
        Postgres(network, "vault-postgres", password=OWNER) as postgres,
        Redis(network, "vault-redis", password=OPERATOR) as redis,
    ):
        with postgres.connection("postgres") as connection:
            connection.execute(f"CREATE DATABASE {DATABASE}")
        settings = PLAIN | HOST_SECRETS | urls("pagoda_api")
        with Stack(network, postgres, DATABASE, redis, settings) as stack:
            facts = prepare(stack, postgres)
            stack.start_api()
            stack.start_dispatcher(settings=urls("pagoda_dispatcher"))
            for server in (postgres, redis):
                wire_of(cage, server).connect(server.get_wrapped_container(), aliases=[server.alias])
            start_worker(stack, cage)
            stack.wait_ready()
            user = Client(lambda: stack.containers["api"].address(API_PORT))
            user.log_in("mallory")
            names = stack.client.get("plugins/escapee/try/")
            made = Vault(stack, postgres, redis, user, facts, names)
            facts["own_ended"] = user.finished(user.post("plugins/escapee/run/environment/")["job"])["id"]
            yield made
            user.close()
            for server in (postgres, redis):
                wire_of(cage, server).disconnect(server.get_wrapped_container())


@pytest.fixture(scope="module")
def before(vault: Vault) -> dict[str, list[Any]]:
    return vault.rows()


@pytest.fixture(scope="module")
def elsewhere(vault: Vault, before: object) -> dict[str, str]:
    """Return what the same code comes to in an endpoint: what is read, for an administrator."""
    client, names = vault.stack.client, vault.names
    refused = vault.sdk(vault.user, "endpoint", [*names["hashes"], *names["writes"]])
    return refused | vault.sdk(client, "endpoint", names["reads"])


def is_right(there: str) -> bool:
    """Return whether the code reaches something elsewhere, or is refused by name: it is no wrong code."""
    return there.startswith(("reached", REFUSED))


@pytest.fixture(scope="module")
def brought_along(vault: Vault, before: object) -> Iterator[dict[str, dict[str, str]]]:
    """Return what bare clients in the worker's container came to."""
    sources = {
        "tools": None,
        "tools.escape_database": escape_database,
        "tools.escape_broker": escape_broker,
        "escaping": escaping,
    }
    modules = {
        name: "" if module is None else Path(str(module.__file__)).read_text(encoding="utf-8")
        for name, module in sources.items()
    }
    api = vault.stack.containers["api"].get_wrapped_container()
    api.reload()
    address = next(iter(api.attrs["NetworkSettings"]["Networks"].values()))["IPAddress"]
    with vault.postgres.connection(DATABASE) as owner:
        vault.facts["other_pid"] = owner.info.backend_pid
        arguments = {
            "own": "escapee",
            "other": "inventory",
            "facts": vault.facts,
            "roles": [*(role for role in ROLES if "escapee" not in role), "pagoda", "postgres"],
            "users": [*(user for user in USERS if "escapee" not in user), "default"],
            "places": {"the API by name": ["api", API_PORT], "the API by address": [address, API_PORT]},
        }
        yield vault.run(vault.user, "call", modules=modules, arguments=arguments)


WHERE = ("endpoint", "endpoint, own authority", "hook", "task", "task, own authority")


@pytest.mark.parametrize("where", WHERE)
def test_by_the_sdk(where: str, vault: Vault, elsewhere: dict[str, str], attempted: Promises) -> None:
    """Held is what the host refuses, and what is not there for this user but for an administrator."""
    names = [name for names in vault.names.values() for name in names]
    found = vault.sdk(vault.user, where, names)
    escaped = {}
    for name in names:
        there = elsewhere[name]
        is_held = found[name].startswith(REFUSED) or (found[name] == NOTHING and is_right(there))
        how = "filtered for its user" if found[name] == NOTHING else found[name].removeprefix(REFUSED)
        attempted(f"{where}: {name}", how if is_held else f"NOT HELD: {found[name]}; elsewhere: {there}")
        if not is_held:
            escaped[name] = found[name], there
    assert len(names) >= 80
    assert escaped == {}


@pytest.mark.parametrize(
    "way", ["psycopg", "redis", "log in to PostgreSQL", "log in to Redis", "connect", "files"]
)
def test_by_bare_clients(way: str, brought_along: dict[str, dict[str, str]], attempted: Promises) -> None:
    by = {each.name: each.held_by for each in escape_database.ATTEMPTS} if way == "psycopg" else {}
    default = {
        "redis": "its account at Redis", "connect": "a network of its own", "files": "not in its container"
    }.get(way, "password refused")  # fmt: skip
    for name, told in brought_along[way].items():
        attempted(f"task, {way}: {name}", by.get(name, default) if told == "held" else f"NOT HELD: {told}")
    assert brought_along[way]
    assert {name: told for name, told in brought_along[way].items() if told != "held"} == {}


def test_the_statements_reach_something_for_the_owner(vault: Vault, brought_along: object) -> None:
    """So that it was the account that held them; the rest was refused by name."""
    facts = vault.facts | {"own_job": vault.facts["own_ended"], "plugin": "escapee"}
    with vault.postgres.connection(DATABASE) as owner, owner.transaction(force_rollback=True):
        owner.execute("INSERT INTO audit_pendingevent VALUES (12345679)")  # the rest is sealed meanwhile
        told = {each.name: escape_database.outcome(owner, each, facts) for each in escape_database.HARMLESS}
    assert {name for name, came in told.items() if came == "held"} == set()


def test_secrets_are_not_in_its_container(
    vault: Vault, brought_along: dict[str, dict[str, str]], attempted: Promises
) -> None:
    found = vault.run(vault.user, "environment")
    assert found["1"]["DATABASE_URL"] == urls("pagoda_plugin_escapee")["DATABASE_URL"]  # it was read
    assert len(found) > 1
    places = {
        "/proc/*/environ": json.dumps(found),
        "/proc/*/cmdline": json.dumps(brought_along["command lines"]),
        "Django's settings": json.dumps(brought_along["settings"]),
    }
    wanted = HOST_SECRETS | {
        "the administrator's password": PASSWORD,
        "the owner's password at PostgreSQL": OWNER,
        "the operator's password at Redis": OPERATOR,
        **{f"the password of {user}": PASSWORDS[user] for user in USERS if "escapee" not in user},
    }
    wanted["PLUGIN_SETTINGS"] = json.loads(HOST_SECRETS["PLUGIN_SETTINGS"])["inventory"][
        "skip_filesystem_types"
    ][0]
    seen = {
        (place, name) for place, text in places.items() for name, value in wanted.items() if value in text
    }
    for place in places:
        for name in wanted:
            how = "NOT HELD" if (place, name) in seen else "not in its container"
            attempted(f"task, {place}: {name}", how)
    assert seen == set()


def test_nothing_of_others_has_changed(
    vault: Vault, before: dict[str, list[Any]], brought_along: object, promise: Promises, attempted: Promises
) -> None:
    assert vault.rows() == before
    assert all(rows for name, rows in before.items() if name != "users of roles")
    promise("escape: attempts that succeed", f"0 of {len(attempted.figures)}")
