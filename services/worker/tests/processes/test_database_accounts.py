"""Accounts on a real PostgreSQL: what a plugin's holds back, and that real workers need no more."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from pagoda_inventory.plugin import InventoryPlugin
from tools.escape_database import ATTEMPTS, HARMLESS, EscapeAttempt, outcome, own_job_statement
from tools.servers import PostgresServer, RedisServer, missing_programs

if TYPE_CHECKING:
    from services.worker.tests.processes.conftest import Console, Deployment

PLUGINS = Path(__file__).parents[4] / "tests" / "integration" / "plugins"
SETTINGS = {
    "PLUGIN_EXAMPLES_DIR": str(PLUGINS),
    "ENABLED_PLUGINS": "trial,neighbour,inventory,hello-world",
    "PLUGIN_OPERATION_ID_CONFIG": json.dumps(
        {"trial": [200, 299], "inventory": [300, 399], "neighbour": [400, 499], "hello-world": [500, 599]}
    ),
    "CUSTOM_TASKS": "{}",
    "PLUGIN_WORKER_CONFIG": "{}",
    "PAGODA_LOG_LEVEL": "INFO",
}
ODD = 'It\'s {odd}, \\ %s and "quoted" $$'
PERMISSIONS = {
    "neighbour": ["entry:write:Open", f"entry:read:{ODD}"],
    "inventory": InventoryPlugin.permissions,
    "trial": ["entry:write:Traced", "job:submit:neighbour"],
    "hello-world-plugin": ["entry:read"],
}
HELLO = "hello-world-plugin"
TRIALS: dict[str, dict[str, Any]] = {
    "succeed": {},
    "fail": {},
    "nap": {"seconds": 0.1},
    "overrun": {},
    "overstay": {},
    "progress": {},
    "write_file": {"text": "a,b"},
    "flaky": {"succeeds_at": 2},
    "effect": {},
    "write_entry": {"entity": "Traced", "name": "made by the trial"},
    "break_off": {},
    "walk": {},
}
ENDINGS = dict.fromkeys((*TRIALS, "scan", "greet", "hello_world_task", "purge_jobs"), "DONE") | {
    "fail": "ERROR",
    "break_off": "ERROR",
    "overrun": "TIMEOUT",
    "overstay": "TIMEOUT",
}
ALLOWED = (
    "SELECT 1 FROM user_user WHERE id = {own_user} AND password = ''",
    "SELECT 1 FROM job_job WHERE id = {own_job}",
    "UPDATE job_job SET progress_percent = 50 WHERE id = {own_job}",
    "UPDATE job_job SET lease_expires_at = NULL, attempt_base = attempt_base + 1 WHERE id = {own_job}",
    "UPDATE job_job SET finished_at = now(), status = 2, lease_expires_at = NULL WHERE id = {own_job}",
    own_job_statement(),
    own_job_statement(user="{own_user}"),
    "INSERT INTO job_joblog (job_id, attempt, level, message, extra) VALUES ({own_job}, 1, '', 'x', '{{}}')",
    "INSERT INTO job_jobfile (job_id, content) VALUES ({own_job}, 'x')",
    "SELECT 1 FROM entity_entity WHERE id = {open_entity}",
    "SELECT 1 FROM entry_entry WHERE schema_id = {open_entity}",
    "SELECT 1 FROM entry_attributevalue v WHERE v.value::text LIKE '%open to all%'",
    "UPDATE entry_entry SET note = 'x'",
    "SELECT 1 FROM fencing_breaker",
    "SELECT 1 FROM entity_entity WHERE name LIKE 'It''s%'",
)


@dataclass(frozen=True)
class Confined:
    """A migrated host on PostgreSQL with an account for everybody."""

    postgres: PostgresServer
    owner: Deployment
    facts: dict[str, Any]

    def url(self, account: str) -> str:
        return self.postgres.url.replace("pagoda@", f"{account}@")

    def deployed_as(self, account: str) -> Deployment:
        environ = self.owner.environ | {"DATABASE_URL": self.url(account)}
        return replace(self.owner, environ=environ)

    def connect(self, account: str) -> psycopg.Connection:
        return psycopg.connect(self.url(account), autocommit=True)

    def make_accounts(self, permissions: dict[str, list[str]], **environ: str) -> dict[str, Any]:
        done = self.owner.run("probe_accounts", json.dumps(permissions), **environ)
        assert done.returncode == 0, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return answer

    def refusals(self) -> list[str]:
        """Return what the server refused so far, as its log has it."""
        log = self.postgres.folder.with_suffix(".log").read_text()
        return re.findall(r"ERROR:  (.*(?:denied|violates row-level).*)", log)


@pytest.fixture(scope="module")
def confined(bare: Deployment) -> Iterator[Confined]:
    """Give the tests of this module one host; its jobs go over a Redis."""
    if missing := missing_programs():
        pytest.skip(f"Debian's packages {', '.join(missing)} are not installed")
    with tempfile.TemporaryDirectory(prefix="pagoda-accounts-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # PostgreSQL runs as a user of its own
        postgres, redis = PostgresServer(folder / "data"), RedisServer(folder / "redis")
        try:
            postgres.start()
            redis.start()
            bare.environ |= SETTINGS | {"DATABASE_URL": postgres.url, "BROKER_URL": redis.url}
            host = Confined(postgres, bare, {})
            made = host.make_accounts(PERMISSIONS)
            yield replace(host, facts=made["facts"])
        finally:
            redis.stop()
            postgres.stop()


@pytest.fixture(scope="module")
def facts(confined: Confined) -> Iterator[dict[str, Any]]:
    """Give what the attempts are about: ids of what is others'."""
    with confined.connect("pagoda") as owner:
        yield {**confined.facts, "plugin": "neighbour", "other_pid": owner.info.backend_pid}


@pytest.fixture(scope="module")
def account(confined: Confined) -> Iterator[psycopg.Connection]:
    """Connect with the account of a plugin that was granted the entries of one entity."""
    with confined.connect("pagoda_plugin_neighbour") as connection:
        yield connection


class TestAttempts:
    """What code in a plugin's worker tries with the account of its own."""

    @pytest.mark.parametrize("attempt", ATTEMPTS, ids=[each.name for each in ATTEMPTS])
    def test_it_is_held(
        self, attempt: EscapeAttempt, account: psycopg.Connection, facts: dict[str, Any]
    ) -> None:
        assert outcome(account, attempt, facts) == "held"

    @pytest.mark.parametrize("attempt", HARMLESS, ids=[each.name for each in HARMLESS])
    def test_nothing_else_holds_it(
        self,
        attempt: EscapeAttempt,
        confined: Confined,
        account: psycopg.Connection,
        facts: dict[str, Any],
    ) -> None:
        """As the owner the statement reaches something, so that it was the account that held it."""
        account.execute("SELECT 1")  # somebody else's statement
        with confined.connect("pagoda") as owner:
            assert outcome(owner, attempt, facts) != "held"

    def test_what_a_worker_does_is_not_held(self, account: psycopg.Connection, facts: dict[str, Any]) -> None:
        """So the refusals above are not those of an account that may do nothing."""
        for statement in ALLOWED:
            assert outcome(account, EscapeAttempt(statement, statement, ""), facts) == "reached 1 row(s)", (
                statement
            )

    def test_no_function_of_the_owner_s_looks_into_temporary_tables_first(self, confined: Confined) -> None:
        with confined.connect("pagoda") as owner:
            paths = owner.execute(
                "SELECT proname, array_to_string(proconfig, ',') FROM pg_proc WHERE prosecdef"
            ).fetchall()
        assert len(paths) > 5
        assert [name for name, path in paths if not str(path).endswith(", pg_temp")] == []

    def test_the_door_takes_what_was_granted_alone(self, confined: Confined, facts: dict[str, Any]) -> None:
        granted = "SELECT id FROM pagoda_worker.submit_job('{}')"
        job = {"plugin": "neighbour", "queue": "plugin.neighbour", "operation": 400, "operation_name": "x"}
        job |= {"params": "{}", "text": "", "status": 5, "task_id": "", "target_type": 0, "request_id": ""}
        job |= dict.fromkeys(("registry_digest", "idempotency_key", "singleton_key", "serial_key"), "")
        job |= {"is_waiting": False, "max_attempts": 1, "soft_limit_seconds": 1, "hard_limit_seconds": 2}
        inventory = {"plugin": "inventory", "queue": "plugin.inventory"}
        cases: tuple[tuple[dict[str, Any], str], ...] = (
            ({}, "reached 1 row(s)"),  # trial may submit neighbour's
            (inventory, "held"),
            ({"queue": "plugin.inventory"}, "held"),
            ({"user_id": facts["other_user"]}, "held"),
            ({"user_id": facts["own_user"]}, "held"),  # of another plugin's running job
            ({**inventory, "operation": 91}, "reached 1 row(s)"),  # a deferred hook, as it writes entries
            ({"plugin": "gone", "queue": "plugin.gone", "operation": 91}, "held"),
        )
        with confined.connect("pagoda_plugin_trial") as trial:
            for change, expected in cases:
                text = json.dumps(job | change).replace("{", "{{").replace("}", "}}")
                assert outcome(trial, EscapeAttempt("", granted.replace("{}", text), ""), {}) == expected, (
                    change
                )
        with confined.connect("pagoda_plugin_hello-world-plugin") as hello:  # it writes nothing
            text = json.dumps(job | inventory | {"operation": 91}).replace("{", "{{").replace("}", "}}")
            assert outcome(hello, EscapeAttempt("", granted.replace("{}", text), ""), {}) == "held"


@dataclass
class Processes:
    """A dispatcher and workers, each with an account of its own."""

    confined: Confined
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, account: str, *command: str) -> None:
        deployed = self.confined.deployed_as(account)
        self.running.append(deployed.start(account, "pagoda_worker.cli", *command))

    def stop(self) -> None:
        for process in self.running:
            process.terminate()
        for process in self.running:
            process.wait(60)


@pytest.fixture
def processes(confined: Confined) -> Iterator[Processes]:
    started = Processes(confined)
    started.start("pagoda_dispatcher", "dispatch")
    yield started
    started.stop()


@pytest.fixture
def console(confined: Confined) -> Iterator[Console]:
    with confined.deployed_as("pagoda_api").console() as console:
        yield console


class TestWorkers:
    """Real workers, a dispatcher and whoever submits, each with the account that it has in production."""

    def test_they_need_no_more_than_their_accounts(
        self, confined: Confined, console: Console, processes: Processes
    ) -> None:
        for plugin, account in (("trial", "trial"), ("inventory", "inventory"), ("hello-world", HELLO)):
            processes.start(f"pagoda_plugin_{account}", "run", "--plugin", plugin)
        processes.start("pagoda_core", "run", "--core")
        before = len(confined.refusals())

        jobs = {
            name: console.ask("submit", name, params, "trial", "boss")["id"]
            for name, params in TRIALS.items()
        }
        jobs["scan"] = console.ask("submit", "scan", {}, "inventory", "boss")["id"]
        jobs["greet"] = console.ask("submit", "greet", {"name": "Ann"}, HELLO, "boss")["id"]
        jobs["hello_world_task"] = console.ask("submit", "hello_world_task", {"name": "Bob"}, HELLO)["id"]
        jobs["purge_jobs"] = console.ask("submit", "purge_jobs", {})["id"]

        ended = {name: console.ended(job_id) for name, job_id in jobs.items()}

        assert {name: job["status"] for name, job in ended.items()} == ENDINGS, ended["scan"]
        assert ended["scan"]["result"]["refused"] == {}
        assert "worker_not_confined" not in confined.owner.log("pagoda_plugin_trial")
        assert confined.refusals()[before:] == []

    def test_the_deferred_hook_of_another_plugin_becomes_its_job(
        self, console: Console, processes: Processes
    ) -> None:
        processes.start("pagoda_plugin_trial", "run", "--plugin", "trial")
        processes.start(f"pagoda_plugin_{HELLO}", "run", "--plugin", "hello-world")
        named = {"entity": "Traced", "name": "to be deleted"}
        for task in ("write_entry", "delete_entry"):
            job = console.ask("submit", task, named, "trial", "boss")
            assert console.ended(job["id"])["status"] == "DONE"

        hook = console.ask("latest", HELLO)

        assert hook["text"] == "entry.after_delete: HelloWorldPlugin.log_entry_delete"
        assert console.ended(hook["id"])["status"] == "DONE"

    def test_a_worker_that_was_granted_nothing_says_what_would_help(
        self, confined: Confined, console: Console, processes: Processes
    ) -> None:
        confined.make_accounts(PERMISSIONS | {"trial": []})
        try:
            processes.start("pagoda_plugin_trial", "run", "--plugin", "trial")
            job = console.ask("submit", "write_entry", {"entity": "Traced", "name": "x"}, "trial", "boss")
            error = console.ended(job["id"])["error"]
        finally:
            confined.make_accounts(PERMISSIONS)
        assert error == (
            "PluginSecurityError: The worker of plugin 'trial' may not do this at the database: permission "
            "denied for table entity_entity. If it may, have its class ask for that in `permissions` (or for "
            'entry:write, entity:write) and add PLUGIN_PERMISSIONS={"trial": ["entry:read"]}, then run '
            "`pagoda migrate`."
        )


def test_a_worker_without_an_account_of_its_own_says_so(confined: Confined) -> None:
    processes = Processes(confined)
    processes.start("pagoda", "run", "--plugin", "neighbour")
    try:
        confined.owner.wait_for_log("pagoda", " ready.")
    finally:
        processes.stop()
    assert confined.owner.log("pagoda").count("worker_not_confined") == 1


class TestMaking:
    def test_again_it_changes_nothing_and_locks_nothing(self, confined: Confined) -> None:
        with confined.connect("pagoda") as owner, owner.transaction():
            owner.execute(
                "SELECT 1 FROM job_job, entry_entry, user_user, audit_auditevent"
            )  # held until the end
            answer = confined.make_accounts(PERMISSIONS)
        assert answer["revoked"] == []

    def test_a_plugin_that_is_not_enabled_any_more_loses_rights_and_login(self, confined: Confined) -> None:
        left = {"ENABLED_PLUGINS": "trial", "PLUGIN_OPERATION_ID_CONFIG": '{"trial": [200, 299]}'}
        answer = confined.make_accounts(PERMISSIONS, **left)
        try:
            assert "pagoda_plugin_neighbour" in answer["revoked"]
            with pytest.raises(psycopg.OperationalError, match="is not permitted to log in"):
                confined.connect("pagoda_plugin_neighbour")
            with confined.connect("pagoda") as owner:
                rights = owner.execute(
                    "SELECT 1 FROM information_schema.role_column_grants WHERE grantee = %s UNION ALL "
                    "SELECT 1 FROM pg_policies WHERE %s = ANY (roles)",
                    ["pagoda_plugin_neighbour"] * 2,
                ).fetchall()
            assert rights == []
        finally:
            confined.make_accounts(PERMISSIONS)
        with confined.connect("pagoda_plugin_neighbour") as again:
            assert again.execute("SELECT count(*) FROM entry_entry").fetchall() == [(1,)]

    def test_an_owner_that_may_not_make_roles_is_told_what_to_ask_for(self, confined: Confined) -> None:
        with confined.connect("pagoda") as owner:
            owner.execute("CREATE ROLE keeper LOGIN")
            owner.execute("CREATE DATABASE kept OWNER keeper")
            owner.execute("REVOKE pagoda_plugin FROM pagoda_plugin_trial")
        try:
            url = confined.url("keeper").replace("/postgres", "/kept")
            answer = confined.make_accounts(PERMISSIONS, DATABASE_URL=url)
            assert "".join(answer["faults"]) == (
                "Account 'pagoda_plugin_trial' does not exist, or is no member of 'pagoda_plugin', and this "
                "owner may not make roles. Have a superuser run what `pagoda plugins sql-grants` prints."
            )
        finally:
            confined.make_accounts(PERMISSIONS)

    def test_the_printed_sql_makes_the_account_in_psql(self, confined: Confined) -> None:
        printed = confined.owner.run("pagoda.cli", "plugins", "sql-grants", "neighbour").stdout
        statements = [line for line in printed.splitlines() if not line.startswith("\\")]

        with confined.connect("pagoda") as owner:
            owner.execute("\n".join(statements).encode())

        assert '\\password "pagoda_plugin_neighbour"' in printed
        assert "PASSWORD" not in printed

    def test_the_last_plugin_that_goes_loses_its_account_too(self, confined: Confined) -> None:
        none = {"ENABLED_PLUGINS": "", "PLUGIN_OPERATION_ID_CONFIG": "{}"}
        passwords = {"PAGODA_ACCOUNT_PASSWORDS_DIR": str(PLUGINS.parent)}  # none for any account
        try:
            done = confined.owner.run("pagoda.cli", "migrate", "--no-input", **none, **passwords)
            assert done.returncode == 0, done.stderr
            assert "Account 'pagoda_plugin_trial' lost its rights and its login" in done.stdout
            assert "Account 'pagoda_api' is given no password: put one of 16 characters" in done.stderr
            with pytest.raises(psycopg.OperationalError, match="is not permitted to log in"):
                confined.connect("pagoda_plugin_trial")
        finally:
            confined.make_accounts(PERMISSIONS)

    def test_accounts_of_another_pagoda_are_left_alone(self, confined: Confined) -> None:
        with confined.connect("pagoda") as owner:
            owner.execute("CREATE DATABASE another")
        url = confined.postgres.url.replace("/postgres", "/another")
        done = confined.owner.run("probe_accounts", "{}", DATABASE_URL=url)
        assert "are those of the Pagoda in database 'postgres'" in done.stderr
