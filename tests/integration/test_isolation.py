"""A plugin that floods its queue, and its neighbour, which must not notice."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from typing import Any

import pytest
from testcontainers.core.network import Network

from tests.integration.stage.promises import Promises
from tests.integration.stage.servers import Postgres, Redis
from tests.integration.stage.stack import Stack

TEMPLATE = "migrated"
MEASURED = 60  # jobs of the neighbour in a round
ROUNDS = 3
FLOOD = 3000  # jobs of the other: more than run meanwhile
LARGEST_RATIO = 1.5
SHARE: dict[str, Any] = {"nano_cpus": int(0.3e9)}
"""Of the processor, for the plugin that floods: a deployment gives every worker a limit."""

SECONDS = "SELECT extract(epoch FROM finished_at - created_at) FROM job_job WHERE id = ANY(%s)"
WAITING = "SELECT count(*) FROM job_job WHERE queue = 'plugin.trial' AND finished_at IS NULL"


@pytest.fixture(scope="module")
def flooded(network: Network, postgres: Postgres, redis: Redis) -> Iterator[Stack]:
    with Stack(network, postgres, postgres.copy_of(TEMPLATE), redis) as stack:
        stack.start_api()
        stack.start_dispatcher()
        stack.start_worker("neighbour")
        stack.start_worker("trial", **SHARE)
        stack.wait_ready()
        stack.client.finished(stack.client.post("plugins/neighbour/run/")["job"])  # it is up
        stack.client.finished(stack.client.submit("succeed"))
        yield stack


def p95_of_the_neighbour(stack: Stack) -> float:
    """Return the p95 of seconds from request to end, of jobs that come one after the other.

    The best of some rounds: what else a machine does only adds to it.
    """
    return min(p95_of_a_round(stack) for _ in range(ROUNDS))


def p95_of_a_round(stack: Stack) -> float:
    jobs = []
    for _ in range(MEASURED):
        jobs.append(stack.client.post("plugins/neighbour/run/")["job"])
        stack.client.finished(jobs[-1])
        time.sleep(0.02)
    return statistics.quantiles([float(seconds) for (seconds,) in stack.rows(SECONDS, jobs)], n=20)[18]


def test_a_flood_in_one_queue_is_not_noticed_in_another(flooded: Stack, promise: Promises) -> None:
    alone = p95_of_the_neighbour(flooded)
    flooded.client.submit_many("succeed", FLOOD)
    beside = p95_of_the_neighbour(flooded)
    [(left,)] = flooded.rows(WAITING)

    assert left > 0, "the flood was over before the measurement"
    promise(
        "a neighbour's p95 beside a flood",
        f"{beside * 1000:.0f} ms beside {FLOOD} jobs, {alone * 1000:.0f} ms alone: {beside / alone:.2f}x",
    )
    assert beside <= LARGEST_RATIO * alone
