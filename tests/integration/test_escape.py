"""A plugin that tries to reach what is not its own; `make escape` prints what held each attempt."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from testcontainers.core.network import Network

from tests.integration.stage import escaping
from tests.integration.stage.client import PASSWORD, Client
from tests.integration.stage.promises import Promises
from tests.integration.stage.stack import API_PORT, Stack
from tests.integration.stage.vault import (
    DATABASE,
    HOST_SECRETS,
    LATE,
    OPERATOR,
    OWNER,
    PASSWORDS,
    ROLES,
    USERS,
    WITH_LATE,
    Vault,
    running_vault,
)
from tools import escape_broker, escape_database

NOTHING = "nothing is there"
REFUSED = "refused: "


@dataclass(kw_only=True)
class Escape:
    """The vault, who tries, and what: names of attempts by kind."""

    vault: Vault
    names: Mapping[str, list[str]]

    @property
    def stack(self) -> Stack:
        return self.vault.stack

    def run(self, task: str, **params: Any) -> Any:
        """Have the worker's container try something; return the job's result."""
        user = self.vault.user
        job = user.finished(user.post(f"plugins/escapee/run/{task}/", **params)["job"], 120)
        assert job["status_name"] == "DONE", job
        return job["result"]

    def sdk(self, client: Client, where: str, names: list[str]) -> dict[str, str]:
        """Try by the SDK; return ``{attempt: what came of it}``."""
        place, _, authority = where.partition(", ")
        body = {"facts": self.vault.facts, "names": names, "authority": bool(authority)}
        if place == "task":
            return dict(self.run("sdk", **body))
        if place == "endpoint":
            return dict(client.post("plugins/escapee/try/", **body))
        note = " ".join(f"{name}={value}" for name, value in self.vault.facts.items())
        return {name: self._by_hook(client, name, note) for name in names}

    def _by_hook(self, client: Client, name: str, note: str) -> str:
        made = client.post("entries/", name=name, schema=self.vault.facts["open_entity"], note=note)
        return str(made["note"])

    def rows(self) -> dict[str, list[Any]]:
        """Return what no attempt may change."""
        facts, rows = self.vault.facts, self.stack.rows
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


@pytest.fixture(scope="module", params=["redis", "rabbitmq"])
def escape(network: Network, request: pytest.FixtureRequest) -> Iterator[Escape]:
    with running_vault(network, request.param) as vault:
        made = Escape(vault=vault, names=vault.stack.client.get("plugins/escapee/try/"))
        user = vault.user
        vault.facts["own_ended"] = user.finished(user.post("plugins/escapee/run/environment/")["job"])["id"]
        yield made


@pytest.fixture(scope="module")
def before(escape: Escape) -> dict[str, list[Any]]:
    return escape.rows()


@pytest.fixture(scope="module")
def elsewhere(escape: Escape, before: object) -> dict[str, str]:
    """Return what the same code comes to in an endpoint: what is read, for an administrator."""
    client, names = escape.stack.client, escape.names
    refused = escape.sdk(escape.vault.user, "endpoint", [*names["hashes"], *names["writes"]])
    return refused | escape.sdk(client, "endpoint", names["reads"])


def is_right(there: str) -> bool:
    """Return whether the code reaches something elsewhere, or is refused by name: it is no wrong code."""
    return there.startswith(("reached", REFUSED))


@pytest.fixture(scope="module")
def brought_along(escape: Escape, before: object) -> Iterator[dict[str, dict[str, str]]]:
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
    api = escape.stack.containers["api"].get_wrapped_container()
    api.reload()
    address = next(iter(api.attrs["NetworkSettings"]["Networks"].values()))["IPAddress"]
    with escape.vault.postgres.connection(DATABASE) as owner:
        escape.vault.facts["other_pid"] = owner.info.backend_pid
        arguments = {
            "own": "escapee",
            "other": "inventory",
            "facts": escape.vault.facts,
            "roles": [*(role for role in ROLES if "escapee" not in role), "pagoda", "postgres"],
            "users": [*(user for user in USERS if "escapee" not in user), "default"],
            "places": {"the API by name": ["api", API_PORT], "the API by address": [address, API_PORT]},
        }
        yield escape.run("call", modules=modules, arguments=arguments)


WAYS = {
    "psycopg": "its account at PostgreSQL",
    "a client of the broker": "its account at the broker",
    "log in to PostgreSQL": "password refused",
    "log in to the broker": "password refused",
    "connect": "a network of its own",
    "files": "not in its container",
}
"""With what code in the container tries, and what holds it."""

WHERE = ("endpoint", "endpoint, own authority", "hook", "task", "task, own authority")


@pytest.mark.parametrize("where", WHERE)
def test_by_the_sdk(where: str, escape: Escape, elsewhere: dict[str, str], attempted: Promises) -> None:
    """Held is what the host refuses, and what is not there for this user but for an administrator."""
    names = [name for names in escape.names.values() for name in names]
    found = escape.sdk(escape.vault.user, where, names)
    escaped = {}
    for name in names:
        there = elsewhere[name]
        is_held = found[name].startswith(REFUSED) or (found[name] == NOTHING and is_right(there))
        how = "filtered for its user" if found[name] == NOTHING else found[name].removeprefix(REFUSED)
        attempted(
            f"{escape.stack.broker}, {where}: {name}",
            how if is_held else f"NOT HELD: {found[name]}; elsewhere: {there}",
        )
        if not is_held:
            escaped[name] = found[name], there
    assert len(names) >= 80
    assert escaped == {}


@pytest.mark.parametrize("way", WAYS)
def test_by_bare_clients(
    way: str, escape: Escape, brought_along: dict[str, dict[str, str]], attempted: Promises
) -> None:
    title = f"{escape.stack.broker}, task"
    by = {each.name: each.held_by for each in escape_database.ATTEMPTS} if way == "psycopg" else {}
    for name, told in brought_along[way].items():
        attempted(
            f"{title}, {way}: {name}", by.get(name, WAYS[way]) if told == "held" else f"NOT HELD: {told}"
        )
    assert brought_along[way]
    assert {name: told for name, told in brought_along[way].items() if told != "held"} == {}


def test_the_statements_reach_something_for_the_owner(escape: Escape, brought_along: object) -> None:
    """So that it was the account that held them; the rest was refused by name."""
    facts = escape.vault.facts | {"own_job": escape.vault.facts["own_ended"], "plugin": "escapee"}
    with escape.vault.postgres.connection(DATABASE) as owner, owner.transaction(force_rollback=True):
        owner.execute("INSERT INTO audit_pendingevent VALUES (12345679)")  # the rest is sealed meanwhile
        told = {each.name: escape_database.outcome(owner, each, facts) for each in escape_database.HARMLESS}
    assert {name for name, came in told.items() if came == "held"} == set()


def test_secrets_are_not_in_its_container(
    escape: Escape, brought_along: dict[str, dict[str, str]], attempted: Promises
) -> None:
    found = escape.run("environment")
    assert (
        found["1"]["DATABASE_URL"] == escape.vault.urls("pagoda_plugin_escapee")["DATABASE_URL"]
    )  # it was read
    assert len(found) > 1
    places = {
        "/proc/*/environ": json.dumps(found),
        "/proc/*/cmdline": json.dumps(brought_along["command lines"]),
        "Django's settings": json.dumps(brought_along["settings"]),
    }
    wanted = HOST_SECRETS | {
        "the administrator's password": PASSWORD,
        "the owner's password at PostgreSQL": OWNER,
        "the operator's password at the broker": OPERATOR,
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
            attempted(f"{escape.stack.broker}, task, {place}: {name}", how)
    assert seen == set()


def test_nothing_of_others_has_changed(
    escape: Escape,
    before: dict[str, list[Any]],
    brought_along: object,
    promise: Promises,
    attempted: Promises,
) -> None:
    assert escape.rows() == before
    assert all(rows for name, rows in before.items() if name != "users of roles")
    promise("escape: attempts that succeed", f"0 of {len(attempted.figures)}")


def test_a_plugin_comes_to_the_running_release_and_goes(
    escape: Escape, brought_along: object, promise: Promises
) -> None:
    """By what an upgrade does: with its accounts, while another plugin's worker runs on."""
    vault, account = escape.vault, f"pagoda_plugin_{LATE}"
    neither = {"database": False, "broker": False}
    assert vault.can_log_in(account) == neither

    vault.make_accounts(**WITH_LATE)
    vault.start_host(**WITH_LATE)
    vault.start_worker(LATE, **WITH_LATE)
    client = vault.stack.client
    job = client.finished(client.post(f"plugins/{LATE}/write/", folders=["/tmp"])["job"], 120)
    assert (job["status_name"], job["result"]) == ("DONE", {"/tmp": "allowed"})
    assert escape.run("environment")

    vault.stack.containers.pop(f"worker-{LATE}").remove()
    vault.make_accounts()
    vault.start_host()
    assert vault.can_log_in(account) == neither
    assert vault.can_log_in("pagoda_plugin_escapee") == {"database": True, "broker": True}
    assert escape.run("environment")
    promise(f"accounts: enabled and removed while it runs ({vault.stack.broker})", "has both, then neither")
