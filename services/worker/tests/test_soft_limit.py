from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable

import pytest

from pagoda.jobs.store import Attempt
from pagoda_plugin_sdk.exceptions import JobTimeLimitExceeded
from pagoda_worker.soft_limit import soft_limit


def attempt(seconds: float) -> Attempt:
    return Attempt(
        job_id=7,
        number=1,
        owner="node/1",
        plugin="shop",
        operation=5000,
        operation_name="restock",
        user_id=None,
        request_id="",
        soft_limit_seconds=seconds,
        hard_limit_seconds=60,
        tries=1,
        max_attempts=1,
        retry_backoff_seconds=None,
        lost_count=0,
    )


def spin() -> None:
    while True:
        pass


def wait() -> None:
    time.sleep(60)


@pytest.mark.parametrize("work", [spin, wait])
def test_a_task_past_its_soft_limit_is_interrupted(work: Callable[[], None]) -> None:
    with pytest.raises(JobTimeLimitExceeded) as raised, soft_limit(attempt(0.05)):
        work()

    assert str(raised.value) == "Job 7 ran past its soft limit of 0.05 s."


def test_a_task_within_its_limit_is_left_alone_and_nothing_rings_later() -> None:
    before = signal.getsignal(signal.SIGALRM)

    with soft_limit(attempt(60)):
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 0

    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGALRM) == before


def test_a_task_that_fails_leaves_no_alarm() -> None:
    with pytest.raises(ValueError, match="no stock"), soft_limit(attempt(60)):
        raise ValueError("no stock")

    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_in_other_threads_there_is_no_alarm() -> None:
    seen: list[float] = []

    def work() -> None:
        with soft_limit(attempt(60)):
            seen.append(signal.getitimer(signal.ITIMER_REAL)[0])

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

    assert seen == [0.0]
