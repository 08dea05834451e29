"""What the chart renders, started on this machine: its Job, its workloads, their probes and `helm test`.

PostgreSQL and Redis of this machine stand in for the servers, and SQLite and files, which know no accounts,
where those are not installed; the images are started with the same environment by the integration tests.
"""

from __future__ import annotations

import base64
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis

from pagoda_worker.tether import tethered
from tests.chart.conftest import migration_job
from tools.chart import environment_of, render
from tools.chart.rendering import CHART
from tools.chart.samples import BAD_MIGRATION_FILES
from tools.chart.workloads import containers, pod_spec
from tools.servers import PostgresServer, missing_programs
from tools.stack import free_port

Document = dict[str, Any]

ROOT = Path(__file__).resolve().parents[2]
DATA = "/var/lib/pagoda"
REDIS = "pagoda-redis"
START_SECONDS = 90.0
STOP_SECONDS = 40.0


class Release:
    """A rendered release whose containers are processes of this machine."""

    def __init__(self, documents: list[Document], folder: Path, postgres: PostgresServer | None) -> None:
        self.documents = documents
        self.postgres = postgres
        self.folder = folder
        self.api_port, self.flower_port = free_port(), free_port()
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.redis_port = free_port()
        self.metrics_ports: dict[str, int] = {}

    def run(self, kind: str, name: str, container: str, **changes: str) -> subprocess.CompletedProcess[str]:
        """Run a container to its end."""
        args, env = self._container(kind, name, container, changes)
        return subprocess.run(args, env=env, capture_output=True, text=True, check=False, cwd=self.folder)

    def start(self, deployment: str, **changes: str) -> None:
        """Start the main container of a Deployment."""
        args, env = self._container("Deployment", deployment, None, changes)
        log = (self.folder / f"{deployment}.log").open("wb")
        with log:
            self.processes[deployment] = subprocess.Popen(
                tethered(args), env=env, stdout=log, stderr=log, cwd=self.folder, start_new_session=True
            )

    def start_redis(self) -> None:
        """Start the Redis of the chart in an empty folder, as a new Pod has it."""
        secret, data = self._mounted("StatefulSet", REDIS), tempfile.mkdtemp(dir=self.folder)
        process = environment_of(self.documents, "StatefulSet", REDIS)
        args = [part.replace("/etc/pagoda", str(secret)).replace("/data", data) for part in process.args]
        args += ["--port", str(self.redis_port), "--bind", "127.0.0.1"]
        log = (self.folder / "redis.log").open("wb")
        with log:
            self.processes[REDIS] = subprocess.Popen(
                args, env=dict(process.env) | self._path(), stdout=log, stderr=log
            )
        deadline = time.monotonic() + START_SECONDS
        while not self.may_log_in(process.env["REDIS_PASSWORD"]):
            assert time.monotonic() < deadline, (self.folder / "redis.log").read_text()
            time.sleep(0.1)

    def may_log_in(self, password: str, account: str = "default") -> bool:
        """Return whether the Redis of the chart knows an account by a password."""
        client = redis.Redis(port=self.redis_port, username=account, password=password)
        try:
            return bool(client.ping())
        except redis.ConnectionError:  # an unknown account or password is one, too
            return False
        finally:
            client.close()

    def probe(self, deployment: str, which: str) -> str | None:
        """Return why a probe of a Deployment does not pass, None when it does."""
        document = self.document("Deployment", deployment)
        probe = pod_spec(document)["containers"][0][which]
        if "exec" in probe:
            args = [part.replace(DATA, str(self.data(deployment))) for part in probe["exec"]["command"]]
            done = subprocess.run(args, env=self._path(), capture_output=True, text=True, check=False)
            return None if done.returncode == 0 else done.stderr
        port = self.flower_port if deployment.endswith("flower") else self.api_port
        headers = {header["name"]: header["value"] for header in probe["httpGet"].get("httpHeaders", [])}
        try:
            answer = httpx.get(f"http://127.0.0.1:{port}{probe['httpGet']['path']}", headers=headers)
        except httpx.TransportError as error:
            return str(error)
        return None if answer.status_code < 400 else answer.text

    def wait(self, deployment: str, which: str) -> None:
        """Wait until a probe passes."""
        deadline = time.monotonic() + START_SECONDS
        while reason := self.probe(deployment, which):
            log = (self.folder / f"{deployment}.log").read_text(errors="replace")
            assert self.processes[deployment].poll() is None, log
            assert time.monotonic() < deadline, f"{reason}\n{log}"
            time.sleep(0.2)

    def stop(self) -> dict[str, int]:
        """Ask every process to end, as Kubernetes does; return how they ended."""
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        try:
            return {name: process.wait(STOP_SECONDS) for name, process in self.processes.items()}
        finally:
            for process in self.processes.values():
                process.kill()
            self.processes.clear()

    def document(self, kind: str, name: str) -> Document:
        """Return one object of the release."""
        (found,) = [d for d in self.documents if (d["kind"], d["metadata"]["name"]) == (kind, name)]
        return found

    def data(self, name: str) -> Path:
        """Return the folder that a Pod has at /var/lib/pagoda."""
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        return folder

    def _container(
        self, kind: str, name: str, container: str | None, changes: dict[str, str]
    ) -> tuple[list[str], dict[str, str]]:
        process = environment_of(self.documents, kind, name, container=container)
        env = {**process.env, **self._path(), "PAGODA_DATA_DIR": str(self.data(name))}
        env |= self._servers(process.env)
        if "PAGODA_ACCOUNT_PASSWORDS_DIR" in env:
            env["PAGODA_ACCOUNT_PASSWORDS_DIR"] = str(self._mounted(kind, name))
        if "METRICS_BIND" in process.env:
            self.metrics_ports.setdefault(name, free_port())
            env["METRICS_BIND"] = f"127.0.0.1:{self.metrics_ports[name]}"
        env |= {"API_BIND": f"127.0.0.1:{self.api_port}", "FLOWER_BIND": f"127.0.0.1:{self.flower_port}"}
        (self.folder / "tmp").mkdir(exist_ok=True)
        temporary, data = f"{self.folder}/tmp/", str(self.data(name))
        args = [re.sub("^/tmp/", temporary, part).replace(DATA, data) for part in process.args]
        return args, env | changes

    def _servers(self, env: Mapping[str, str]) -> dict[str, str]:
        if self.postgres is None:
            database, broker = (
                f"sqlite:///{self.folder}/pagoda.sqlite3",
                f"filesystem:///{self.folder}/broker",
            )
            return {"DATABASE_URL": database, "BROKER_URL": broker, "CACHE_URL": ""}
        database = f"@127.0.0.1:{self.postgres.port}/pagoda"
        at_redis = {
            name: env[name].replace("@pagoda-redis:6379", f"@127.0.0.1:{self.redis_port}")
            for name in ("BROKER_URL", "CACHE_URL")
        }
        return at_redis | {"DATABASE_URL": re.sub("@pagoda-postgresql:.*", database, env["DATABASE_URL"])}

    def _mounted(self, kind: str, name: str) -> Path:
        """Return a folder with the Secret that a Pod mounts."""
        volumes = pod_spec(self.document(kind, name))["volumes"]
        (secret,) = [volume["secret"]["secretName"] for volume in volumes if "secret" in volume]
        folder = self.folder / str(secret)
        folder.mkdir(exist_ok=True)
        for key, value in self.document("Secret", secret)["data"].items():
            (folder / key).write_bytes(base64.b64decode(value))
        return folder

    @staticmethod
    def _path() -> dict[str, str]:
        return {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "PAGODA_ENV_FILE": ""}


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Release]:
    has_servers = not missing_programs()
    documents = render({} if has_servers else {"accounts": {"mode": "never"}})
    with tempfile.TemporaryDirectory(prefix="pagoda-chart-") as name:
        Path(name).chmod(0o755)  # PostgreSQL runs as a user of its own
        postgres = PostgresServer(Path(name) / "data", superuser="postgres") if has_servers else None
        if postgres is not None:
            postgres.start()
            first_start(documents, postgres)
        found = Release(documents, tmp_path_factory.mktemp("release"), postgres)
        if postgres is not None:
            found.start_redis()
        yield found
        for process in found.processes.values():
            process.kill()
            process.wait()
        if postgres is not None:
            postgres.stop()


def psql(server: PostgresServer, user: str, *arguments: str, text: str = "") -> str:
    env = {
        "PATH": os.environ["PATH"],
        "PGHOST": "127.0.0.1",
        "PGPORT": str(server.port),
        "POSTGRES_USER": user,
    }
    command = ["sh", "-eu", *arguments] if text else ["psql", "-U", user, *arguments]
    env["POSTGRES_PASSWORD"] = "of-the-owner"
    done = subprocess.run(command, env=env, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def first_start(documents: list[Document], server: PostgresServer) -> None:
    """Run what the image runs when the chart's PostgreSQL starts for the first time."""
    (scripts,) = [
        d for d in documents if (d["kind"], d["metadata"]["name"]) == ("ConfigMap", "pagoda-postgresql")
    ]
    psql(server, "postgres", text=scripts["data"]["owner.sh"])


def is_superuser(server: PostgresServer, user: str = "pagoda") -> bool:
    return (
        psql(server, user, "pagoda", "-Atc", "SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        == "t"
    )


def test_the_owner_of_the_tables_is_no_superuser(release: Release) -> None:
    if release.postgres is None:
        pytest.skip("PostgreSQL is not installed")
    assert not is_superuser(release.postgres)
    with pytest.raises(AssertionError, match="to COPY"):
        psql(
            release.postgres,
            "pagoda",
            "pagoda",
            "-c",
            "CREATE TEMP TABLE t (x text); COPY t FROM PROGRAM 'id'",
        )
    nobody = psql(
        release.postgres, "postgres", "-Atc", "SELECT rolpassword IS NULL FROM pg_authid WHERE rolsuper"
    )
    assert nobody == "t"


def test_the_superuser_of_an_earlier_chart_becomes_an_owner(release: Release) -> None:
    """The tables, their rows and rights stay; what migrates afterwards has all it needs."""
    if release.postgres is None:
        pytest.skip("PostgreSQL is not installed")
    with tempfile.TemporaryDirectory(prefix="pagoda-chart-") as name:
        Path(name).chmod(0o755)
        server = PostgresServer(Path(name) / "data")
        server.start()
        try:
            psql(server, "pagoda", "postgres", "-c", "CREATE DATABASE pagoda")
            changes = {"DATABASE_URL": f"postgres://pagoda@127.0.0.1:{server.port}/pagoda"}
            job = job_of(release)
            for _ in range(2):
                done = release.run("Job", job, "migrate", **changes)
                assert done.returncode == 0, done.stderr
                if is_superuser(server):
                    psql(server, "pagoda", "pagoda", "-f", str(CHART / "files" / "postgresql_demote.sql"))
                    assert not is_superuser(server)
            superusers = psql(
                server, "postgres", "-Atc", "SELECT rolname FROM pg_authid WHERE rolsuper AND rolcanlogin"
            )
            assert superusers == "postgres"
            not_moved = (
                "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
                "WHERE n.nspname IN ('public', 'pagoda_worker') AND c.relowner <> 'pagoda'::regrole"
            )
            assert psql(server, "postgres", "pagoda", "-Atc", not_moved) == ""
        finally:
            server.stop()


def job_of(release: Release) -> str:
    return str(migration_job(release.documents)["metadata"]["name"])


WORKLOADS = ["api", "core-worker", "dispatcher", "flower", "worker-hello-world-plugin", "worker-inventory"]


def test_release_from_migrations_to_the_end(release: Release) -> None:
    """One test, as each part needs the one before; `helm test` itself is in the middle."""
    migrate(release)
    if release.postgres is not None:  # and Redis
        lose_the_pod_of_redis(release)
    start(release)
    run_helm_test(release)
    run_load(release)
    read_metrics(release)
    if release.postgres is not None:
        upgrade_plugins(release)
    redis_server = release.processes.pop(REDIS, None)  # it goes last
    try:
        assert release.stop() == dict.fromkeys((f"pagoda-{name}" for name in WORKLOADS), 0)
    finally:
        if redis_server is not None:
            redis_server.kill()
            redis_server.wait()


def migrate(release: Release) -> None:
    name = job_of(release)
    for container in [c["name"] for c in containers(release.document("Job", name))]:
        done = release.run("Job", name, container)
        assert done.returncode == 0, f"{container}: {done.stdout}{done.stderr}"
    assert "account 'admin' made" in done.stdout
    again = release.run("Job", name, "admin")
    assert again.returncode == 0
    assert "account 'admin' is there" in again.stdout


def accounts_of(release: Release) -> dict[str, str]:
    data = release.document("Secret", "pagoda-accounts")["data"]
    return {name: base64.b64decode(value).decode() for name, value in data.items() if "." not in name}


def lose_the_pod_of_redis(release: Release) -> None:
    """Start another in its place, with a disk of its own: nobody makes the accounts anew."""
    release.processes[REDIS].kill()
    release.processes[REDIS].wait()
    release.start_redis()
    passwords = accounts_of(release)
    assert [name for name, password in passwords.items() if not release.may_log_in(password, name)] == []
    assert not release.may_log_in("", "default")
    assert not any(map(release.may_log_in, passwords.values())), "they are no password of `default`"


def upgrade_plugins(release: Release) -> None:
    """Take a plugin away from the running Redis, and give it back: the Job does it, and no restart."""
    before = accounts_of(release)["pagoda_plugin_inventory"]
    account = "pagoda_plugin_inventory"
    client = redis.Redis(port=release.redis_port, username=account, password=before)
    assert client.ping()
    installed = release.documents
    release.documents = render({"plugins": {"inventory": {"enabled": False}}}, existing=installed)
    told = release.run("Job", job_of(release), "accounts")
    assert told.returncode == 0, told.stderr
    assert "Account 'pagoda_plugin_inventory' is gone" in told.stdout
    assert "run this again" not in told.stderr
    assert not release.may_log_in(before, "pagoda_plugin_inventory")
    with pytest.raises(redis.RedisError):
        client.ping()
    client.close()
    without = release.documents
    release.documents = render(existing=without)
    after = accounts_of(release)["pagoda_plugin_inventory"]
    assert after != before
    told = release.run("Job", job_of(release), "accounts")
    assert told.returncode == 0, told.stderr
    assert release.may_log_in(after, "pagoda_plugin_inventory")
    assert not release.may_log_in(before, "pagoda_plugin_inventory")


def start(release: Release) -> None:
    for name in ("check", "wait"):
        done = release.run("Deployment", "pagoda-api", name)
        assert done.returncode == 0, done.stderr
    unreachable = {"DATABASE_URL": "postgres://pagoda:x@127.0.0.1:1/pagoda"}
    for name in WORKLOADS:  # its NetworkPolicy keeps Flower from the database
        release.start(f"pagoda-{name}", **(unreachable if name == "flower" else {}))
    for name in WORKLOADS:
        for which in ("startupProbe", "livenessProbe", "readinessProbe"):
            release.wait(f"pagoda-{name}", which)


def run_helm_test(release: Release) -> None:
    script = release.document("ConfigMap", "pagoda-test")["data"]["smoke_test.py"]
    (release.folder / "smoke_test.py").write_text(script)
    process = environment_of(release.documents, "Pod", "pagoda-test")
    assert process.args == ("python", "/test/smoke_test.py")
    done = in_test_pod(release, release.folder / "smoke_test.py")
    for queue in ("core", "plugin.hello-world-plugin", "plugin.inventory"):
        assert f"{queue}: job " in done.stdout


GAUGES = {
    "pagoda_build_info",
    "pagoda_breaker_state",
    "pagoda_queue_consumers",
    "pagoda_queue_jobs",
    "pagoda_queue_oldest_seconds",
    "pagoda_registry_info",
}


def read_metrics(release: Release) -> None:
    """Read what the monitors of the chart would scrape; Prometheus asks for a Pod's address."""
    ports = {"pagoda-api": release.api_port} | release.metrics_ports
    assert set(ports) == {f"pagoda-{name}" for name in WORKLOADS if name != "flower"}
    told = {name: httpx.get(f"http://127.0.0.1:{port}/metrics") for name, port in ports.items()}
    for name, answer in told.items():
        assert answer.status_code == 200, name
        assert set(re.findall(r"^# HELP (\w+)", answer.text, re.MULTILINE)) >= GAUGES, name
    assert 'pagoda_queue_consumers{queue="plugin.inventory"} 1' in told["pagoda-api"].text
    assert re.search(
        r'pagoda_jobs_total\{.*status="done"', told["pagoda-worker-inventory"].text, re.IGNORECASE
    )


def run_load(release: Release) -> None:
    """Run what `make cluster-test` runs while it upgrades."""
    done = in_test_pod(release, ROOT / "tools" / "chart" / "load.py", LOAD_SECONDS="1")
    assert ", 0 requests failed" in done.stdout


def in_test_pod(release: Release, script: Path, **changes: str) -> subprocess.CompletedProcess[str]:
    env = environment_of(release.documents, "Pod", "pagoda-test").env
    env = {**env, "API_URL": f"http://127.0.0.1:{release.api_port}", **changes}
    done = subprocess.run([sys.executable, script], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


STRICT = {"PAGODA_PLUGIN_STRICT": "true"}


def put_shelves_into_the_image(folder: Path) -> None:
    """Install a plugin whose migration fails."""
    for path, text in BAD_MIGRATION_FILES.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)


@pytest.fixture
def with_bad_migration(tmp_path: Path) -> Release:
    """A release with a plugin whose first migration raises, before its Job has run."""
    put_shelves_into_the_image(tmp_path)
    values = {
        "accounts": {"mode": "never"},
        "migrations": {"waitSeconds": 1},
        "plugins": {"shelves": {"hasTasks": False}},
    }
    return Release(render(values), tmp_path, None)


@pytest.mark.parametrize("changes", [STRICT, {}], ids=["strict", "tolerant"])
def test_new_pods_wait_for_what_the_job_is_to_reach(
    with_bad_migration: Release, changes: dict[str, str]
) -> None:
    release, changes = with_bad_migration, {**changes, "PYTHONPATH": str(with_bad_migration.folder)}

    def wait_in(deployment: str) -> tuple[bool, str]:
        done = release.run("Deployment", deployment, "wait", **changes)
        return done.returncode == 0, done.stdout + done.stderr

    assert release.run("Job", job_of(release), "check", **changes).returncode == 0
    for pods in ("pagoda-api", "pagoda-worker-shelves", "pagoda-dispatcher"):
        assert wait_in(pods)[0] is False  # the Job has not run
    migrated = release.run("Job", job_of(release), "migrate", **changes)
    told = migrated.stdout + migrated.stderr
    assert "Plugin 'shelves': its app 'generated_shelves' can't be migrated" in told
    assert (migrated.returncode == 0) is (changes.get("PAGODA_PLUGIN_STRICT") is None)
    is_ready, told = wait_in("pagoda-api")
    assert is_ready is (migrated.returncode == 0)
    if not is_ready:
        assert "generated_shelves.0001_initial failed" in told
        release.start("pagoda-api", **changes, PAGODA_WAIT_SECONDS="1")
        assert release.processes.pop("pagoda-api").wait(START_SECONDS) != 0
        return
    release.start("pagoda-api", **changes)
    try:
        release.wait("pagoda-api", "readinessProbe")
        text = httpx.get(f"http://127.0.0.1:{release.api_port}/readyz").json()["checks"]["migrations"]["text"]
        assert "generated_shelves.0001_initial failed" in text
    finally:
        release.stop()


def test_the_check_before_an_upgrade_says_what_is_to_come_and_what_is_wrong(release: Release) -> None:
    worker, api = (release.run("Job", "pagoda-check", name) for name in ("worker-image", "check"))
    assert worker.returncode == 0, worker.stderr
    assert api.returncode == 0, api.stderr
    assert "pending migrations: " in api.stdout
    other = {"ENABLED_PLUGINS": "inventory", "PLUGIN_OPERATION_ID_CONFIG": '{"inventory": [300, 399]}'}
    differs = release.run("Job", "pagoda-check", "check", **other)
    assert differs.returncode == 1
    assert "The images run different plugins" in differs.stderr
    faulty = release.run("Job", "pagoda-check", "check", ENABLED_PLUGINS="inventory,nobody-provides-this")
    assert faulty.returncode == 1
    assert "nobody-provides-this" in faulty.stdout


@pytest.fixture
def broken(release: Release) -> Callable[..., subprocess.CompletedProcess[str]]:
    def check(**changes: str) -> subprocess.CompletedProcess[str]:
        return release.run("Deployment", "pagoda-api", "check", **changes)

    return check


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ENABLED_PLUGINS": "hello-world-plugin,inventroy"}, "inventroy"),
        ({"PLUGIN_OPERATION_ID_CONFIG": '{"inventory": [300, 399]}'}, "hello-world-plugin"),
        ({"JOB_LEASE_SECONDS": "0"}, "JOB_LEASE_SECONDS"),
        ({"PLUGIN_SETTINGS": '{"inventory": {"nothing": 1}}'}, "inventory"),
    ],
    ids=["plugin", "range", "setting", "plugin settings"],
)
def test_bad_configuration_stops_a_pod_before_it_replaces_one(
    broken: Callable[..., subprocess.CompletedProcess[str]], changes: dict[str, str], message: str
) -> None:
    done = broken(**changes)

    assert done.returncode != 0
    assert message in done.stdout + done.stderr
