from __future__ import annotations

from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from pagoda.fencing import Outcome, add_observer, remove_observer, report_outcome

OUTCOME = Outcome(plugin="one", surface="endpoint", name="list", result="raised", seconds=0.1, error="Oops")


@pytest.fixture
def seen() -> Iterator[list[Outcome]]:
    outcomes: list[Outcome] = []
    add_observer(outcomes.append)
    yield outcomes
    remove_observer(outcomes.append)


def test_an_observer_is_told_once_however_often_it_was_added(seen: list[Outcome]) -> None:
    add_observer(seen.append)
    report_outcome(OUTCOME)
    assert seen == [OUTCOME]


def test_an_observer_that_fails_is_logged_and_harms_nobody(seen: list[Outcome]) -> None:
    def broken(_: Outcome) -> None:
        raise RuntimeError("full")

    remove_observer(seen.append)
    add_observer(broken)
    add_observer(seen.append)
    with capture_logs() as logs:
        report_outcome(OUTCOME)
    remove_observer(broken)
    assert seen == [OUTCOME]
    assert [(entry["event"], entry["plugin"]) for entry in logs] == [("fence_observer_failed", "one")]


@pytest.mark.parametrize(
    ("result", "is_failure"),
    [("ok", False), ("rejected", False), ("raised", True), ("timeout", True), ("skipped", False)],
)
def test_what_counts_against_a_plugin(result: str, is_failure: bool) -> None:
    outcome = Outcome(plugin="one", surface="task", name="count", result=result, seconds=0)  # type: ignore[arg-type]
    assert outcome.is_failure is is_failure
