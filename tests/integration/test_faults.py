"""Faults under load: what is accepted finishes once, and nobody has to lend a hand."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network

from tests.integration.stage.containers import PagodaContainer
from tests.integration.stage.engine import WORKER_IMAGE
from tests.integration.stage.load import RECOVERY_SECONDS, Load
from tests.integration.stage.promises import Promises
from tests.integration.stage.servers import Postgres, RabbitMq, Redis
from tests.integration.stage.stack import Stack
from tests.integration.stage.trouble import RESTARTED, cut_off, kill_main, started_at, stopped
from tests.integration.stage.waiting import wait_until

TEMPLATE = "migrated"
BROKERS = ["redis", pytest.param("rabbitmq", marks=pytest.mark.rabbitmq)]
FAULT_SECONDS = 10  # longer than the lease of 6 s
WORKERS = ("worker-trial", "worker-trial-2")
OTHER_IDS = (
    '{"hello-world": [200, 299], "inventory": [300, 399], "trial": [600, 699], "neighbour": [500, 599]}'
)


@dataclass(frozen=True, slots=True)
class Hurt:
    """A Pagoda with two of everything that may be doubled, and the servers under it."""

    stack: Stack
    postgres: Postgres
    broker: Redis | RabbitMq

    @property
    def worker(self) -> PagodaContainer:
        return self.stack.containers[WORKERS[0]]


@pytest.fixture(scope="module", params=BROKERS)
def broker_server(request: pytest.FixtureRequest, network: Network) -> Iterator[Redis | RabbitMq]:
    """Run a broker that only these tests hurt; Redis keeps its data over a restart."""
    if request.param == "rabbitmq":
        yield request.getfixturevalue("rabbitmq")
        return
    with Redis(network, "redis-hurt", options=("--appendonly", "yes")) as server:
        yield server


@pytest.fixture(scope="module")
def hurt(network: Network, postgres: Postgres, broker_server: Redis | RabbitMq) -> Iterator[Hurt]:
    with Stack(network, postgres, postgres.copy_of(TEMPLATE), broker_server) as stack:
        stack.start_api(**RESTARTED)
        for name in WORKERS:
            size = {"PLUGIN_WORKER_CONFIG": '{"trial": {"concurrency": 2}}'}
            stack.start_worker("trial", name, settings=size, **RESTARTED)
        for name in ("dispatcher", "dispatcher-2"):
            stack.start_dispatcher(name, **RESTARTED)
        stack.wait_ready()
        yield Hurt(stack, postgres, broker_server)


@pytest.fixture
def load(hurt: Hurt) -> Load:
    """Thirty jobs, some of which have run."""
    load = Load(hurt.stack)
    load.submit(30)
    load.some_started()
    return load


@pytest.mark.smoke
def test_a_worker_killed_in_the_midst_of_a_job(hurt: Hurt, load: Load, promise: Promises) -> None:
    before = started_at(hurt.worker)
    kill_main(hurt.worker)
    wait_until(lambda: started_at(hurt.worker) != before, 30, lambda: "not started again")
    promise(f"kill -9 of a worker, {hurt.stack.broker}", load.assert_recovered())


def test_a_worker_that_is_frozen_for_longer_than_its_lease(hurt: Hurt, load: Load, promise: Promises) -> None:
    with hurt.worker.paused():
        time.sleep(FAULT_SECONDS)
    promise(f"docker pause of a worker, {hurt.stack.broker}", load.assert_recovered())


@pytest.mark.parametrize("who", ["worker", "broker", "database"])
def test_a_cut_network(hurt: Hurt, load: Load, network: Network, promise: Promises, who: str) -> None:
    victims: dict[str, tuple[DockerContainer, str]] = {
        "worker": (hurt.worker, WORKERS[0]),
        "broker": (hurt.broker, hurt.broker.alias),
        "database": (hurt.postgres, hurt.postgres.alias),
    }
    container, alias = victims[who]
    with cut_off(container, network, alias):
        if who == "broker":
            load.submit(10)  # accepted all the same
        time.sleep(FAULT_SECONDS)
    promise(f"{who} cut off for {FAULT_SECONDS} s, {hurt.stack.broker}", load.assert_recovered())


def test_a_broker_that_restarts_with_its_data(hurt: Hurt, load: Load, promise: Promises) -> None:
    with stopped(hurt.broker):
        load.submit(10)
    promise(f"broker restarted, {hurt.stack.broker}", load.assert_recovered())


def test_a_broker_that_loses_its_data(hurt: Hurt, load: Load, promise: Promises) -> None:
    if not isinstance(hurt.broker, Redis):
        pytest.skip("RabbitMQ's queues are durable; the promise is Redis'")
    hurt.broker.exec(["redis-cli", "flushall"])
    with stopped(hurt.broker):
        load.submit(10)
    promise(f"broker restarted without its data, {hurt.stack.broker}", load.assert_recovered())


def test_a_database_that_restarts(hurt: Hurt, load: Load, promise: Promises) -> None:
    with stopped(hurt.postgres):
        time.sleep(2)
    hurt.postgres.wait_until_it_answers()
    promise(f"PostgreSQL restarted, {hurt.stack.broker}", load.assert_recovered())


def test_memory_that_runs_out(hurt: Hurt, promise: Promises) -> None:
    """The kernel ends the job's process; the job is tried again, then ends with the cause, and others run."""
    stack = hurt.stack
    size = {"PLUGIN_WORKER_CONFIG": '{"trial": {"concurrency": 1, "memory_mb": 4096}}'}
    limits = {"mem_limit": "320m", "memswap_limit": "320m", **RESTARTED}
    with stopped(stack.containers[WORKERS[0]]), stopped(stack.containers[WORKERS[1]]):
        small = stack.start_worker("trial", "worker-small", settings=size, **limits)
        job = stack.client.finished(stack.client.submit("eat_memory"), 2 * RECOVERY_SECONDS)
        after = Load(stack)
        after.submit(5)
        figure = after.assert_recovered()
        small.remove()
        del stack.containers["worker-small"]
    assert (job["status_name"], job["attempt"]) == ("ERROR", 2)
    assert "SIGKILL" in job["error"] or "lost" in job["error"]
    promise(f"out of memory, {stack.broker}", f"ERROR after 2 attempts ({job['error']}); then {figure}")


def test_a_full_disk(hurt: Hurt, load: Load, promise: Promises) -> None:
    fill = "dd if=/dev/zero of=/var/lib/pagoda/filler bs=1M; dd if=/dev/zero of=/tmp/filler bs=1M; true"
    names = ("api", "dispatcher", *WORKERS)
    for name in names:
        hurt.stack.containers[name].run("sh", "-c", fill)
    load.submit(10)
    figure = load.assert_recovered()
    for name in names:
        hurt.stack.containers[name].run("rm", "-f", "/var/lib/pagoda/filler", "/tmp/filler")
    promise(f"data volume and /tmp full, {hurt.stack.broker}", figure)


@pytest.mark.smoke
def test_two_dispatchers_look_after_the_same_jobs(hurt: Hurt, promise: Promises) -> None:
    """Jobs whose messages are all lost at once are sent again once each, whoever of the two is quicker."""
    load = Load(hurt.stack)
    with stopped(hurt.broker):
        load.submit(50, seconds=0.05)
    promise(f"two dispatchers, {hurt.stack.broker}", load.assert_recovered())


def test_every_container_is_stopped_in_turn_under_load(hurt: Hurt, promise: Promises) -> None:
    load = Load(hurt.stack)
    with _submitting(load):
        for name in ("api", "dispatcher", *WORKERS, "dispatcher-2"):
            with stopped(hurt.stack.containers[name]):
                time.sleep(1)
            time.sleep(2)
        with stopped(hurt.broker):
            time.sleep(1)
    promise(f"rolling docker stop, {hurt.stack.broker}", load.assert_recovered())


@contextlib.contextmanager
def _submitting(load: Load) -> Iterator[None]:
    """Queue jobs from a thread, some five a second, until the block ends."""
    over = threading.Event()

    def submit() -> None:
        for number in itertools.count():
            if over.wait(0.2):
                return
            load.submit_through(f"rolling-{id(load)}-{number}")

    with ThreadPoolExecutor(1) as pool:
        submitting = pool.submit(submit)
        try:
            yield
        finally:
            over.set()
        submitting.result()


def test_a_worker_that_numbers_operations_otherwise_leaves_the_jobs_alone(
    hurt: Hurt, promise: Promises
) -> None:
    stack = hurt.stack
    load = Load(stack)
    with stopped(stack.containers[WORKERS[0]]), stopped(stack.containers[WORKERS[1]]):
        stranger = stack.start(
            "worker-stranger",
            WORKER_IMAGE,
            ("pagoda-worker", "run", "--plugin", "trial"),
            settings={"PLUGIN_OPERATION_ID_CONFIG": OTHER_IDS},
        )
        load.submit(5)
        job = stack.client.until(load.jobs[0], lambda job: job["hold_reason"], RECOVERY_SECONDS)
        stranger.remove()
        del stack.containers["worker-stranger"]
    assert job["phase"] == "queued"
    promise(
        f"worker of another digest, {stack.broker}",
        f"left queued ({job['hold_reason']}); then {load.assert_recovered()}",
    )
