"""PostgreSQL's primary is killed under load and its standby promoted: what was accepted is there, once."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from testcontainers.core.network import Network

from tests.integration.conftest import TEMPLATE, migrate
from tests.integration.stage.load import Load
from tests.integration.stage.promises import Promises
from tests.integration.stage.replication import Replicated
from tests.integration.stage.servers import Redis
from tests.integration.stage.stack import Stack
from tests.integration.stage.traffic import Traffic

NOTICED_SECONDS = 5
"""Until whoever watches the servers (Patroni, an operator, a person) promotes the standby."""


@pytest.fixture
def replicated(network: Network) -> Iterator[Replicated]:
    with Replicated(network) as server:
        migrate(server, network)
        yield server


def test_a_standby_is_promoted_under_load(
    network: Network, replicated: Replicated, redis: Redis, promise: Promises
) -> None:
    with Stack(network, replicated, TEMPLATE, redis) as stack:
        stack.start_api()
        stack.start_api("api-2")
        for name in ("worker-trial", "worker-trial-2"):
            stack.start_worker("trial", name)
        for name in ("dispatcher", "dispatcher-2"):
            stack.start_dispatcher(name)
        stack.wait_ready()
        stack.wait_answering("api-2")
        traffic = Traffic(stack)
        traffic.serve(stack.containers["api"])
        traffic.serve(stack.containers["api-2"])
        with traffic.running():
            traffic.pass_by(400)
            replicated.lose_primary()
            time.sleep(NOTICED_SECONDS)
            began = time.monotonic()
            replicated.promote()
            traffic.pass_by(1)
            answering = time.monotonic() - began
            done = stack.trial.last()
            traffic.pass_by(100)
            while stack.trial.last() == done:
                time.sleep(0.1)
            working = time.monotonic() - began

        assert traffic.wrong == []
        assert set(traffic.answers) <= {"200", "201", "202", "503 told to wait"}
        assert traffic.read_back() == traffic.values
        jobs = Load(stack, traffic.jobs).assert_recovered()
        stack.run_to_end("pagoda", "audit", "verify")
        waited = traffic.answers["503 told to wait"]
    promise(
        "standby promoted under load",
        f"requests succeed {answering:.1f} s after it, jobs {working:.1f} s; {waited}x 503 meanwhile; "
        f"{len(traffic.values)} entries read back; jobs: {jobs}",
    )
