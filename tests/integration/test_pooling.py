"""API, workers and commands behind a PgBouncer that pools by transaction."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from testcontainers.core.network import Network

from tests.integration.conftest import TEMPLATE, migrate
from tests.integration.stage.load import Load
from tests.integration.stage.pooling import POOL, Pooled
from tests.integration.stage.promises import Promises
from tests.integration.stage.servers import Redis
from tests.integration.stage.stack import Stack
from tests.integration.stage.traffic import Traffic

POOLED = {"DATABASE_POOLING": "transaction"}
SIZE = {"PLUGIN_WORKER_CONFIG": '{"trial": {"concurrency": 4}}'}
BACKENDS = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
CLIENTS = 2 + 2 * 5 + 2
"""Processes that use the database: of the API, of two workers with a parent each, of two dispatchers."""


@pytest.fixture
def pooled(network: Network) -> Iterator[Pooled]:
    with Pooled(network) as server:
        migrate(server, network)  # through the pooler, too
        yield server


def test_many_processes_share_few_connections(
    network: Network, pooled: Pooled, redis: Redis, promise: Promises
) -> None:
    with Stack(network, pooled, TEMPLATE, redis, POOLED) as stack:
        stack.start_api()
        for name in ("worker-trial", "worker-trial-2"):
            stack.start_worker("trial", name, settings=SIZE)
        for name in ("dispatcher", "dispatcher-2"):
            stack.start_dispatcher(name)
        stack.wait_ready()
        traffic = Traffic(stack)
        traffic.serve(stack.containers["api"])
        with traffic.running():
            traffic.pass_by(400)
            ((backends,),) = stack.rows(BACKENDS, TEMPLATE)

        assert traffic.wrong == []
        assert set(traffic.answers) <= {"200", "201", "202"}
        assert traffic.read_back() == traffic.values
        assert 0 < backends <= POOL < CLIENTS
        jobs = Load(stack, traffic.jobs).assert_recovered()
        for command in ("entries verify", "audit seal", "audit verify"):  # these read by pieces
            stack.run_to_end("pagoda", *command.split())
        logs = "".join(container.log() for container in stack.containers.values())
        assert "prepared statement" not in logs
        assert "OperationalError" not in logs
    answered = sum(traffic.answers.values())
    promise(
        "PgBouncer by transaction",
        f"{CLIENTS} processes on {backends} connections, {answered} requests, none failed; jobs: {jobs}",
    )
