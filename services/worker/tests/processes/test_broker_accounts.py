"""Workers under their accounts at a real Redis, and what a plugin's account tries there by hand."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import redis
import requests

from pagoda.fencing.breaker import CircuitBreaker
from pagoda.fencing.policy import Policy
from pagoda.fencing.rows import Row
from pagoda.fencing.store import RedisStore, StoreUnavailable
from tools.escape_broker import succeeded
from tools.servers import RedisServer
from tools.stack import free_port

if TYPE_CHECKING:
    from services.worker.tests.processes.conftest import Deployment

PLUGINS = '{"hello-world-plugin": [200, 219], "inventory": [220, 239]}'
ONE = '{"hello-world-plugin": [200, 219]}'
HELLO, OTHER = "hello-world-plugin", "inventory"
LOGIN = ("eva", "secret-enough")
HOSTS = ("pagoda_api", "pagoda_dispatcher", "pagoda_core", "pagoda_flower")
SUBMIT = """
import sys, django
django.setup()
from pagoda.jobs.core_tasks import submit_canary
print(submit_canary(sys.argv[1], None).pk)
"""
SHOW = """
import sys, django
django.setup()
from pagoda.jobs.models import Job
job = Job.objects.get(pk=sys.argv[1])
print(job.phase.value, job.status)
"""


@dataclass
class Accounts:
    """A deployment whose processes have accounts, at a Redis whose operator has another."""

    server: RedisServer
    folder: Path
    deployment: Deployment

    def url(self, name: str) -> str:
        password = (self.folder / name).read_text()
        return f"redis://{name}:{password}@127.0.0.1:{self.server.port}/0"

    def client(self, name: str) -> redis.Redis:
        return redis.Redis.from_url(self.url(name))

    @property
    def operator(self) -> redis.Redis:
        return redis.Redis.from_url(self.server.url)

    def acl(self, *arguments: str, **environ: str) -> str:
        environ = {"BROKER_URL": self.server.url} | environ
        done = self.deployment.run("pagoda.cli", "broker", "acl", *arguments, **environ)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    def start(self, account: str, *arguments: str) -> Any:
        self.deployment.environ |= {"BROKER_URL": self.url(account), "CACHE_URL": self.url(account)}
        return self.deployment.start(account, "pagoda_worker.cli", *arguments)

    def python(self, code: str, argument: str) -> list[str]:
        command = [sys.executable, "-c", code, argument]
        environ = self.deployment.environ | {
            "BROKER_URL": self.url("pagoda_api"),
            "PAGODA_LOG_LEVEL": "ERROR",
        }
        ran = subprocess.run(command, env=environ, capture_output=True, text=True, check=True, timeout=60)
        return ran.stdout.split()


@pytest.fixture
def accounts(deployment: Deployment) -> Iterator[Accounts]:
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    deployment.environ |= {"ENABLED_PLUGINS": "hello-world,inventory", "PLUGIN_OPERATION_ID_CONFIG": PLUGINS}
    with tempfile.TemporaryDirectory(prefix="pagoda-accounts-") as name:
        server, folder = RedisServer(Path(name) / "redis"), Path(name) / "passwords"
        folder.mkdir()
        for account in (*HOSTS, f"pagoda_plugin_{HELLO}", f"pagoda_plugin_{OTHER}"):
            (folder / account).write_text(f"secret-of-{account}")
        server.start()
        deployment.environ["PAGODA_ACCOUNT_PASSWORDS_DIR"] = str(folder)
        assert deployment.run("django", "migrate").returncode == 0
        yield Accounts(server, folder, deployment)
        server.stop()


def test_workers_run_jobs_under_their_accounts(accounts: Accounts) -> None:
    said = accounts.acl("--apply")
    assert f"pagoda_plugin_{HELLO}" in said
    assert "secret-of" not in said + accounts.acl()
    accounts.deployment.environ["FLOWER_BASIC_AUTH"] = ":".join(LOGIN)
    port = free_port()
    processes = [
        accounts.start(f"pagoda_plugin_{HELLO}", "run", "--plugin", HELLO, "--concurrency", "1"),
        accounts.start("pagoda_core", "run", "--core", "--concurrency", "1"),
        accounts.start("pagoda_dispatcher", "dispatch"),
        accounts.start("pagoda_flower", "flower", "--bind", f"127.0.0.1:{port}"),
    ]
    for name in (f"pagoda_plugin_{HELLO}", "pagoda_core"):
        accounts.deployment.wait_for_log(name, " ready.")
    jobs = [accounts.python(SUBMIT, queue)[-1] for queue in (f"plugin.{HELLO}", "core")]
    for job in jobs:
        accounts.deployment.wait_until(
            lambda job=job: accounts.python(SHOW, job)[-2:] == ["finished", "2"],  # type: ignore[misc]
            f"the end of job {job}",
        )
    accounts.deployment.wait_until(
        lambda: f"{HELLO}@" in _flower(port, "/workers") and "core.canary" in _flower(port, "/api/tasks"),
        "worker and job in Flower",
    )
    for process in processes:
        process.terminate()
    assert [process.wait(timeout=30) for process in processes] == [0, 0, 0, 0]
    assert accounts.operator.acl_log() == []  # nobody was refused anything


def _flower(port: int, path: str) -> str:
    try:
        return requests.get(f"http://127.0.0.1:{port}{path}", auth=LOGIN, timeout=20).text
    except requests.ConnectionError:
        return ""


def test_a_plugin_s_account_is_held(accounts: Accounts) -> None:
    accounts.acl("--apply")
    operator = accounts.operator
    operator.lpush(f"plugin.{OTHER}", "theirs")
    operator.lpush("core", "hosts")
    before = operator.dbsize()
    client = accounts.client(f"pagoda_plugin_{HELLO}")
    assert succeeded(client, HELLO, OTHER) == []
    assert (operator.dbsize(), operator.llen("core"), operator.llen(f"plugin.{OTHER}")) == (before, 1, 1)
    assert client.llen(f"plugin.{HELLO}") == 0
    assert client.set(f"pagoda:breaker:{HELLO}:task", "{}")
    assert client.getrange(f"pagoda:breaker:{OTHER}:task", 0, 10) == b""


def test_a_plugin_that_is_taken_out_loses_its_account(accounts: Accounts) -> None:
    accounts.acl("--apply")
    assert accounts.client(f"pagoda_plugin_{OTHER}").ping()
    said = accounts.acl("--apply", ENABLED_PLUGINS="hello-world", PLUGIN_OPERATION_ID_CONFIG=ONE)
    assert f"Account 'pagoda_plugin_{OTHER}' is gone" in said
    with pytest.raises(redis.AuthenticationError):
        accounts.client(f"pagoda_plugin_{OTHER}").ping()
    assert accounts.client(f"pagoda_plugin_{HELLO}").ping()


def test_breakers_of_its_plugin_are_shared_and_of_others_decided_alone(
    accounts: Accounts, settings: Any
) -> None:
    accounts.acl("--apply")
    backend = "django.core.cache.backends.redis.RedisCache"
    settings.CACHES = {"default": {"BACKEND": backend, "LOCATION": accounts.url(f"pagoda_plugin_{HELLO}")}}
    store = RedisStore(lambda: [HELLO, OTHER])
    breaker = CircuitBreaker(store, Policy(consecutive_failures=1))
    for plugin in (HELLO, OTHER):
        breaker.fail(plugin, "hook", "handler", "oops")
        assert not breaker.admits(plugin, "hook")
    assert [row.plugin for row in store.read_all().values()] == [HELLO]
    with pytest.raises(StoreUnavailable, match="may not") as caught:
        store.swap(*[Row(plugin=OTHER, surface="hook")] * 2)
    assert type(caught.value) is StoreUnavailable  # it answers, and goes on to be asked
