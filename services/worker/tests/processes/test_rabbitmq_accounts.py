"""Workers under their accounts at a real RabbitMQ, where Debian's rabbitmq-server is installed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import kombu
import pytest

from services.worker.tests.processes.test_broker_accounts import HELLO, OTHER, PLUGINS, SHOW, SUBMIT
from tools.escape_broker import amqp_attempts, amqp_outcome
from tools.stack import free_port

if TYPE_CHECKING:
    from services.worker.tests.processes.conftest import Deployment

PROGRAMS = Path("/usr/lib/rabbitmq/bin")
OURS = f"pagoda_plugin_{HELLO}"

pytestmark = pytest.mark.skipif(not PROGRAMS.is_dir(), reason="rabbitmq-server is not installed")


@dataclass
class Rabbit:
    """A RabbitMQ of our own, on loopback."""

    environ: dict[str, str]

    def url(self, name: str = "guest") -> str:
        password = "guest" if name == "guest" else f"secret-of-{name}"
        return f"amqp://{name}:{password}@127.0.0.1:{self.environ['RABBITMQ_NODE_PORT']}//"

    def ctl(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        command = [str(PROGRAMS / "rabbitmqctl"), "-q", "-n", self.environ["RABBITMQ_NODENAME"], *arguments]
        return subprocess.run(command, env=self.environ, capture_output=True, check=False, timeout=60)


@pytest.fixture
def rabbit(deployment: Deployment) -> Iterator[Rabbit]:
    with tempfile.TemporaryDirectory(prefix="pagoda-rabbit-", ignore_cleanup_errors=True) as folder:
        port = free_port()
        environ = {"PATH": os.environ["PATH"], "HOME": folder} | {
            "RABBITMQ_NODENAME": f"pagoda{port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_RELAXED_COMMAND_CHECK": "1",  # it may be ended while it knows of a node
            "ERL_EPMD_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": f"{folder}/db",
            "RABBITMQ_LOG_BASE": f"{folder}/log",
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/plugins",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        }
        server = Rabbit(environ)
        with Path(folder, "out").open("wb") as output:
            command = [str(PROGRAMS / "rabbitmq-server")]
            process = subprocess.Popen(
                command, env=environ, stdout=output, stderr=output, start_new_session=True
            )
        try:
            deployment.wait_until(lambda: server.ctl("await_startup").returncode == 0, "RabbitMQ")
            yield server
        finally:
            server.ctl("stop")
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            subprocess.run(["epmd", "-kill"], env=environ, capture_output=True, check=False, timeout=30)


def test_workers_run_jobs_and_a_plugin_s_account_is_held(deployment: Deployment, rabbit: Rabbit) -> None:
    deployment.environ |= {
        "ENABLED_PLUGINS": "hello-world,inventory",
        "PLUGIN_OPERATION_ID_CONFIG": PLUGINS,
        "BROKER_URL": rabbit.url(),
    }
    assert deployment.run("django", "migrate").returncode == 0
    for line in deployment.run("pagoda.cli", "broker", "acl").stdout.splitlines():
        words = [word.strip("'") for word in line.split()[1:]]
        password = [f"secret-of-{words[1]}"] if words[0] == "add_user" else []
        assert rabbit.ctl(*words, *password).returncode == 0
    processes: list[Any] = []

    def start(account: str, *arguments: str) -> None:
        deployment.environ["BROKER_URL"] = rabbit.url(account)
        processes.append(deployment.start(account, "pagoda_worker.cli", *arguments))

    start("pagoda_dispatcher", "dispatch")
    start("pagoda_core", "run", "--core", "--concurrency", "1")
    deployment.wait_for_log("pagoda_core", " ready.")
    start(OURS, "run", "--plugin", HELLO, "--concurrency", "1")
    deployment.wait_for_log(OURS, " ready.")
    deployment.environ["BROKER_URL"] = rabbit.url("pagoda_api")
    with kombu.Connection(rabbit.url()) as connection:
        for headers in ({"compression": "application/x-gzip"}, {}):
            connection.Producer().publish(
                b"{",
                exchange="",
                routing_key=f"plugin.{HELLO}",
                serializer=None,
                headers=headers,
                content_type="application/json",
                content_encoding="utf-8",
            )
    command = [*deployment.command()[:1], "-c"]
    jobs = [_said(deployment, command, SUBMIT, queue)[-1] for queue in (f"plugin.{HELLO}", "core")]
    for job in jobs:
        deployment.wait_until(
            lambda job=job: _said(deployment, command, SHOW, job)[-2:] == ["finished", "2"],  # type: ignore[misc]
            f"the end of job {job}",
        )
    assert refused(deployment, OURS) == ["it is compressed", "its body is no JSON (JSONDecodeError)"]
    with kombu.Connection(rabbit.url(OURS)) as connection:
        attempts = amqp_attempts(HELLO, OTHER).items()
        told = {name: amqp_outcome(connection, attempt) for name, attempt in attempts}
    assert {name: came for name, came in told.items() if came != "held"} == {}
    for process in processes:
        process.terminate()
    assert [process.wait(timeout=30) for process in processes] == [0, 0, 0]


def refused(deployment: Deployment, name: str) -> list[str]:
    return [
        json.loads(line)["fault"] for line in deployment.log(name).splitlines() if "message_refused" in line
    ]


def _said(deployment: Deployment, command: list[str], code: str, argument: str) -> list[str]:
    environ = deployment.environ | {"PAGODA_LOG_LEVEL": "ERROR"}
    done = subprocess.run(
        [*command, code, argument], env=environ, capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.split()
