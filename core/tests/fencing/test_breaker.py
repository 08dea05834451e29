"""When a breaker opens, probes and closes, in one process and in several."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import pytest
from structlog.testing import capture_logs

from pagoda.fencing.breaker import CircuitBreaker, Successes
from pagoda.fencing.outcomes import Outcome, Result
from pagoda.fencing.store import StoreUnavailable
from pagoda.fencing.testing import MemoryStore

from .conftest import POLICY, Clock, Process

type Changes = list[tuple[str, str, str, str]]

OPENED = ("bad", "endpoint", "closed", "open")


def report(breaker: CircuitBreaker, *results: str, name: str = "view", plugin: str = "bad") -> None:
    for result in results:
        kind = cast(Result, result)
        breaker.record(
            Outcome(plugin=plugin, surface="endpoint", name=name, result=kind, seconds=0, error=result)
        )


def opened(breaker: Process) -> Process:
    report(breaker, "raised", "raised", "raised")
    return breaker


def test_a_surface_without_failures_costs_nothing(
    process: Callable[..., Process], store: MemoryStore
) -> None:
    breaker = process()
    report(breaker, *["ok"] * 50)
    breaker.flush()
    assert breaker.admits("bad", "endpoint")
    assert store.asked == 0


def test_failures_in_a_row_open_it_and_it_is_announced_once(
    process: Callable[..., Process], changes: Changes
) -> None:
    breaker = process()
    report(breaker, "raised", "timeout")
    assert breaker.admits("bad", "endpoint")
    report(breaker, "raised", "raised")
    assert not breaker.admits("bad", "endpoint")
    assert breaker.admits("bad", "hook")
    assert breaker.admits("good", "endpoint")
    assert changes == [OPENED]


def test_a_success_ends_the_row_of_its_name_alone(process: Callable[..., Process]) -> None:
    breaker = process()
    report(breaker, "raised", "raised", "ok", "raised", "raised")
    assert breaker.admits("bad", "endpoint")
    report(breaker, "ok", name="another")
    report(breaker, "raised")
    assert not breaker.admits("bad", "endpoint")


def test_the_ratio_counts_from_the_minimum_volume_on(
    process: Callable[..., Process], changes: Changes
) -> None:
    breaker = process(failure_ratio=0.5)
    report(breaker, *["raised", "ok"] * 4)
    assert breaker.admits("bad", "endpoint")
    report(breaker, "ok", "raised", "raised")
    assert not breaker.admits("bad", "endpoint")
    assert changes == [OPENED]


def test_rejections_are_successes_and_skips_are_nothing(process: Callable[..., Process]) -> None:
    breaker = process()
    report(breaker, "raised", "raised", "rejected", "raised", "raised", "skipped")
    assert breaker.admits("bad", "endpoint")
    [state] = breaker.states()
    assert (state.calls, state.failures) == (5, 4)


def test_a_new_window_starts_at_zero(process: Callable[..., Process], clock: Clock) -> None:
    breaker = process(min_calls=4)
    report(breaker, "raised", "ok", "raised")
    clock.now += 61
    report(breaker, "ok", "raised")
    assert breaker.admits("bad", "endpoint")
    [state] = breaker.states()
    assert (state.calls, state.failures) == (2, 1)


def test_other_processes_see_it_after_their_next_look(process: Callable[..., Process]) -> None:
    one, two = process("one"), process("two")
    opened(one)
    assert two.admits("bad", "endpoint")
    two.refresh()
    assert not two.admits("bad", "endpoint")


def test_failures_of_several_processes_add_up(process: Callable[..., Process], changes: Changes) -> None:
    for breaker in (process("one"), process("two"), process("three"), process("four")):
        report(breaker, "raised")
    assert changes == [OPENED]


def test_the_copy_is_read_at_most_once_a_second(process: Callable[..., Process], store: MemoryStore) -> None:
    breaker = process()
    for _ in range(100):
        breaker.refresh()
    assert store.asked == 1


class TestProbe:
    def test_one_process_probes_and_its_success_closes(
        self, process: Callable[..., Process], clock: Clock, changes: Changes
    ) -> None:
        one, two = opened(process("one")), process("two")
        two.refresh()
        clock.now += 29
        assert not one.admits("bad", "endpoint")
        assert one.retry_after("bad", "endpoint") == 1
        clock.now += 2
        assert two.admits("bad", "endpoint")
        assert not one.admits("bad", "endpoint")
        report(two, "ok")
        one.refresh_now()
        assert one.admits("bad", "endpoint")
        assert [change[2:] for change in changes] == [
            ("closed", "open"),
            ("open", "half_open"),
            ("half_open", "closed"),
        ]

    def test_its_failure_opens_for_another_cool_down(
        self, process: Callable[..., Process], clock: Clock, changes: Changes
    ) -> None:
        breaker = opened(process())
        clock.now += 31
        assert breaker.admits("bad", "endpoint")
        report(breaker, "timeout")
        assert not breaker.admits("bad", "endpoint")
        assert changes[-1][2:] == ("half_open", "open")
        [state] = breaker.states()
        assert state.retry_at is not None
        assert state.retry_at.timestamp() == clock.now + 30

    def test_what_began_before_it_opened_is_not_taken_for_the_probe(
        self, process: Callable[..., Process], clock: Clock
    ) -> None:
        one, two = opened(process("one")), process("two")
        two.refresh()
        clock.now += 31
        assert one.admits("bad", "endpoint")
        report(two, "ok", "raised")
        two.refresh_now()
        assert not two.admits("bad", "endpoint")
        assert one.admits("bad", "endpoint")

    def test_one_that_is_never_reported_is_lost_and_another_goes(
        self, process: Callable[..., Process], clock: Clock, changes: Changes
    ) -> None:
        one, two = opened(process("one")), process("two")
        clock.now += 31
        assert one.admits("bad", "endpoint")
        clock.now += 31
        two.refresh()
        assert two.admits("bad", "endpoint")
        assert len(changes) == 2

    def test_hooks_are_probed_from_a_look_on_as_nothing_asks_when_they_run(
        self, process: Callable[..., Process], clock: Clock
    ) -> None:
        breaker = process()
        refused: list[frozenset[tuple[str, str]]] = []
        breaker.add_listener(refused.append)
        for _ in range(3):
            breaker.fail("bad", "hook", "handler", "oops")
        clock.now += 31
        breaker.refresh_now()
        assert refused == [{("bad", "hook")}, frozenset()]


def test_a_dry_run_tells_and_takes_nothing_out(process: Callable[..., Process], changes: Changes) -> None:
    breaker = opened(process(dry_run=True))
    assert breaker.admits("bad", "endpoint")
    assert changes == [OPENED]
    assert [(state.state, state.dry_run) for state in breaker.states()] == [("open", True)]


def test_a_pinned_plugin_is_counted_and_stays(process: Callable[..., Process], changes: Changes) -> None:
    breaker = process(pinned=frozenset({"bad"}))
    report(breaker, *["raised"] * 30)
    assert breaker.admits("bad", "endpoint")
    assert changes == []
    assert breaker.states()[0].failures == 30


def test_successes_that_nobody_reported_belong_to_the_ratio(process: Callable[..., Process]) -> None:
    breaker = process(min_calls=1, failure_ratio=0.2)
    counted: list[Successes] = [("bad", "hook", "handler", 10)]
    breaker.add_source(lambda: [counted.pop()] if counted else [])
    breaker.fail("bad", "hook", "handler", "oops", successes=10)
    breaker.flush()
    assert breaker.admits("bad", "hook")
    [state] = breaker.states()
    assert (state.calls, state.failures, state.last_error) == (21, 1, "oops")


class TestStoreOutOfReach:
    def test_the_process_decides_alone_and_stores_it_later(
        self, process: Callable[..., Process], store: MemoryStore, changes: Changes
    ) -> None:
        breaker = process()
        store.is_down = True
        report(breaker, "raised", "raised")
        assert breaker.admits("bad", "endpoint")
        report(breaker, "raised")
        assert not breaker.admits("bad", "endpoint")
        assert changes == []
        store.is_down = False
        breaker._rows._down_until = 0
        breaker.flush()
        assert store.rows["bad", "endpoint"].status == "open"
        assert changes == [OPENED]

    def test_it_is_left_alone_for_a_moment(self, process: Callable[..., Process], store: MemoryStore) -> None:
        store.is_down = True
        breaker = process()
        report(breaker, *["raised"] * 20)
        breaker.refresh()
        assert store.asked == 1

    def test_it_is_logged(self, process: Callable[..., Process], store: MemoryStore) -> None:
        store.is_down = True
        with capture_logs() as logs:
            report(process(), "raised")
        assert [(entry["event"], entry["error"]) for entry in logs] == [
            ("breaker_decides_alone", "out of reach")
        ]


@pytest.mark.django_db
def test_a_receiver_that_raises_is_logged(process: Callable[..., Process]) -> None:
    from pagoda.fencing.states import breaker_changed

    def broken(**_: object) -> None:
        raise RuntimeError("full")

    breaker_changed.connect(broken)
    try:
        with capture_logs() as logs:
            opened(process())
    finally:
        breaker_changed.disconnect(broken)
    events = [entry["event"] for entry in logs]
    assert events == ["breaker_changed", "breaker_receiver_failed"]
    assert logs[0]["reason"] == "view failed 3 times in a row, the last time with raised"


@pytest.mark.parametrize("racing", [1, 4])
def test_a_row_that_others_change_meanwhile_is_counted_anew(
    process: Callable[..., Process], store: MemoryStore, racing: int
) -> None:
    one, two = process("one"), process("two")
    report(one, "raised")
    for _ in range(racing):
        report(two, "ok", "raised", name="two")
    report(one, "raised")
    assert store.rows["bad", "endpoint"].failures == 2 + racing


class TestRetry:
    @pytest.mark.parametrize("behind", [0.0, 5.0], ids=["same clock", "clock behind"])
    def test_the_next_call_of_another_process_goes_through(
        self,
        process: Callable[..., Process],
        clock: Clock,
        store: MemoryStore,
        changes: Changes,
        behind: float,
    ) -> None:
        one = opened(process("one"))
        two = Process("two", store, POLICY, Clock(clock.now - behind + 6.0))
        two.refresh()
        assert not two.admits("bad", "endpoint")
        clock.now += 6.0
        assert one.retry("bad", "endpoint") is not None
        assert changes == [OPENED]
        two.refresh_now()
        assert two.admits("bad", "endpoint")
        one.refresh_now()
        assert not one.admits("bad", "endpoint")
        report(two, "ok")
        one.refresh_now()
        assert one.admits("bad", "endpoint")
        assert changes[1:] == [
            ("bad", "endpoint", "open", "half_open"),
            ("bad", "endpoint", "half_open", "closed"),
        ]

    def test_a_probe_that_fails_takes_it_out_for_another_cool_down(
        self, process: Callable[..., Process], clock: Clock
    ) -> None:
        breaker = opened(process())
        breaker.retry("bad", "endpoint")
        assert breaker.admits("bad", "endpoint")
        report(breaker, "raised")
        assert not breaker.admits("bad", "endpoint")
        clock.now += 29
        assert not breaker.admits("bad", "endpoint")

    def test_a_surface_in_service_stays_as_it_is(
        self, process: Callable[..., Process], store: MemoryStore
    ) -> None:
        breaker = process()
        report(breaker, "raised")
        before = dict(store.rows)
        assert breaker.retry("bad", "endpoint") is None
        assert breaker.retry("good", "endpoint") is None
        assert store.rows == before

    def test_it_is_known_from_the_store_alone(
        self, process: Callable[..., Process], store: MemoryStore
    ) -> None:
        opened(process("one"))
        two = process("two")
        assert two.retry("bad", "endpoint") is not None
        store.is_down = True
        with pytest.raises(StoreUnavailable):
            process("three").retry("bad", "endpoint")


class TestDryRunOfAPlugin:
    @pytest.fixture
    def dry(self) -> set[str]:
        return set()

    @pytest.fixture
    def breaker(self, store: MemoryStore, clock: Clock, dry: set[str]) -> Process:
        return Process("one", store, POLICY, clock, lambda: frozenset(dry))

    def test_it_is_told_and_not_taken_out(self, breaker: Process, dry: set[str], changes: Changes) -> None:
        dry.add("bad")
        breaker.refresh()
        opened(breaker)
        assert breaker.admits("bad", "endpoint")
        report(breaker, "raised", "raised", "raised", plugin="worse")
        assert not breaker.admits("worse", "endpoint")
        assert changes == [OPENED, ("worse", *OPENED[1:])]
        assert [(state.plugin, state.dry_run) for state in breaker.states()] == [
            ("bad", True),
            ("worse", False),
        ]

    def test_while_it_can_t_be_asked_it_stays_what_it_was(
        self, store: MemoryStore, clock: Clock, dry: set[str]
    ) -> None:
        answers: list[frozenset[str] | None] = [None, frozenset({"bad"})]
        breaker = Process("one", store, POLICY, clock, answers.pop)
        breaker.refresh()
        opened(breaker)
        breaker.refresh_now()
        assert breaker.admits("bad", "endpoint")
        assert answers == []

    def test_it_is_asked_when_the_rows_are_and_while_they_do_not_answer(
        self, breaker: Process, store: MemoryStore, dry: set[str]
    ) -> None:
        breaker.refresh()
        opened(breaker)
        assert not breaker.admits("bad", "endpoint")
        dry.add("bad")
        breaker.refresh()
        assert not breaker.admits("bad", "endpoint")
        store.is_down = True
        breaker.refresh_now()
        assert breaker.admits("bad", "endpoint")
