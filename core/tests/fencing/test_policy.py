"""Where exactly a breaker opens."""

from __future__ import annotations

import pytest

from pagoda.fencing.policy import Policy
from pagoda.fencing.rows import Batch, Row

POLICY = Policy(min_calls=10, failure_ratio=0.3, consecutive_failures=4)


def counted(*results: bool) -> Row:
    """Return the row of a new breaker after calls that went well or not, each of a name of its own."""
    batch = Batch()
    for number, is_ok in enumerate(results):
        if is_ok:
            batch.succeed(f"view {number}")
        else:
            batch.fail(f"view {number}", "ValueError")
    return POLICY.counted(Row(plugin="x", surface="endpoint"), batch, 1.0, "node/1")


@pytest.mark.parametrize(
    ("calls", "failures", "status"),
    [
        (10, 2, "closed"),
        (10, 3, "open"),
        (11, 3, "closed"),
        (9, 9, "closed"),
        (10, 10, "open"),
        (10, 0, "closed"),
    ],
)
def test_the_ratio_opens_at_its_limit_and_from_the_least_number_of_calls(
    calls: int, failures: int, status: str
) -> None:
    assert counted(*[False] * failures, *[True] * (calls - failures)).status == status


@pytest.mark.parametrize(("failures", "status"), [(3, "closed"), (4, "open")])
def test_a_streak_opens_at_its_limit(failures: int, status: str) -> None:
    batch = Batch()
    for _ in range(failures):
        batch.fail("view", "ValueError")
    assert POLICY.counted(Row(plugin="x", surface="endpoint"), batch, 1.0, "node/1").status == status
