"""Jobs on real servers: what a user sees through the API, and what the database and the workers know."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from testcontainers.core.network import Network

from tests.integration.conftest import TEMPLATE
from tests.integration.stage.promises import Promises
from tests.integration.stage.servers import Broker, Postgres
from tests.integration.stage.stack import Stack


@pytest.fixture(scope="module")
def stack(network: Network, postgres: Postgres, broker: Broker) -> Iterator[Stack]:
    """Run one Pagoda for all tests of this file: none of them hurts it."""
    with Stack(network, postgres, postgres.copy_of(TEMPLATE), broker.place()) as made:
        made.start_api()
        made.start_worker("trial", settings={"PLUGIN_WORKER_CONFIG": '{"trial": {"concurrency": 2}}'})
        made.start_worker("neighbour")
        made.start_dispatcher()
        made.start_flower()
        made.wait_ready()
        yield made


def test_a_job_succeeds(stack: Stack, promise: Promises) -> None:
    job = stack.client.finished(stack.client.submit("succeed", {"a": 1}))

    assert job["status_name"] == "DONE"
    assert job["result"] == {"host": stack.host_of("worker-trial"), "params": {"a": 1}}
    assert stack.traces("succeed", job["id"]) == [(stack.host_of("worker-trial"), 1)]
