"""What is counted, and what is made of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagoda.fencing import Outcome
from pagoda.hooks.manager import HookManager, install
from pagoda.watching import presence, traffic
from pagoda.watching.alerts.rules import Facts, plugin_skipped
from pagoda.watching.histogram import BOUNDS, bucket_of, percentile
from pagoda.watching.hook_figures import HookDelta, HookWatch
from pagoda.watching.jobs_ended import jobs_ended, last_successes
from pagoda.watching.models import Presence, TrafficMinute
from pagoda.watching.queues import queues
from pagoda.watching.traffic import Traffic, figures_since
from pagoda.watching.watcher import Watcher
from pagoda_plugin_sdk.operations import JobStatus


@given(st.lists(st.floats(min_value=0, max_value=9.99), min_size=1, max_size=200), st.floats(0.01, 1.0))
def test_a_percentile_lies_in_the_bucket_of_the_exact_one(durations: list[float], share: float) -> None:
    counts = [0] * len(BOUNDS)
    for seconds in durations:
        counts[bucket_of(seconds)] += 1
    exact = sorted(durations)[max(0, -int(-share * len(durations) // 1) - 1)]
    found = percentile(counts, share)
    assert found is not None
    lower = ([0.0, *BOUNDS])[bucket_of(exact)]
    assert lower - 1e-9 <= found <= BOUNDS[bucket_of(exact)] + 1e-9


def test_nothing_has_no_percentile_and_what_is_beyond_the_bounds_counts_as_the_last() -> None:
    assert percentile([0] * len(BOUNDS), 0.95) is None
    assert percentile([*[0] * (len(BOUNDS) - 1), 3], 0.95) == 10.0


@pytest.mark.django_db
def test_what_processes_count_is_added_up() -> None:
    first, second = Traffic(), Traffic()
    first.add("shop", "endpoint", {"ok": 2}, seconds=0.02, timed=2)
    second.add("shop", "endpoint", {"raised": 1, "timeout": 1}, seconds=0.3, timed=2, error="KeyError: x")
    second.add("shop", "hook", {"ok": 1}, seconds=0.001, timed=1)
    assert (first.flush(), second.flush(), second.flush()) == (1, 2, 0)
    figures = figures_since(5)
    endpoint = figures["shop", "endpoint"]
    assert (endpoint.calls, endpoint.failures) == (4, 2)
    assert sum(endpoint.buckets) == 4
    assert figures["shop", "hook"].calls == 1
    assert TrafficMinute.objects.get(surface="endpoint").last_error == "KeyError: x"


@pytest.mark.django_db
@pytest.mark.parametrize("forged", [{"ok": 2**63 - 1}, {"raised": -(10**15)}, {"b0": 10**18}])
def test_a_row_of_no_process_of_ours_hides_no_other(forged: dict[str, int]) -> None:
    now = int(time.time() // 60)
    TrafficMinute.objects.create(plugin="bad", surface="endpoint", minute=now, **forged)
    TrafficMinute.objects.create(plugin="bad", surface="endpoint", minute=now - 1, **forged)
    TrafficMinute.objects.create(plugin="bad", surface="hook", minute=2**62, ok=1)
    counted = Traffic()
    counted.add("good", "endpoint", {"ok": 2}, seconds=0.02, timed=2)
    counted.add("bad", "endpoint", {"ok": 1}, seconds=0.02, timed=1)
    counted.flush()
    figures = figures_since(5)
    assert figures["good", "endpoint"].calls == 2
    assert figures["bad", "endpoint"].failures == 0
    assert figures["bad", "endpoint"].calls == 1
    assert ("bad", "hook") not in figures


@pytest.mark.django_db
@pytest.mark.parametrize("skipped", [["shop"], {"shop": 1}, "shop", None, {"x" * 300: "y"}])
def test_what_is_no_list_of_the_skipped_hides_no_other(be_present: Callable[..., None], skipped: Any) -> None:
    be_present("a", skipped={"other": "import_failed"})
    be_present("b", skipped=skipped if skipped is not None else 7)
    assert [finding.subject for finding in plugin_skipped(Facts())] == ["other"]


@pytest.mark.django_db
def test_only_endpoints_are_counted_by_their_outcomes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traffic, "_traffic", Traffic())
    for surface in ("endpoint", "task", "load"):
        traffic.count(Outcome(plugin="shop", surface=surface, name="x", result="ok", seconds=0.1))
    traffic.traffic().flush()
    assert list(figures_since(5)) == [("shop", "endpoint")]


@pytest.mark.django_db
def test_old_minutes_are_pruned() -> None:
    TrafficMinute.objects.create(plugin="shop", surface="hook", minute=1)
    assert traffic.prune() == 1


@pytest.fixture
def hooks() -> Iterator[HookManager]:
    manager = HookManager()
    replaced = install(manager)
    yield manager
    install(replaced)
    manager.close()


def test_hooks_are_counted_once_each_however_often_somebody_looks(hooks: HookManager) -> None:
    def fail(*_: Any) -> None:
        raise ValueError("no")

    hooks.register_hook("entry.after_create", lambda *_: None, plugin_id="shop")
    hooks.register_hook("entry.after_create", fail, plugin_id="shop")
    seen: list[HookDelta] = []
    watch = HookWatch()
    for calls in (3, 0, 2):
        for _ in range(calls):
            hooks.execute_hook("entry.after_create", "Host", None, None)
        watch.look(seen.append)
    assert sum(delta.ok for delta in seen) == 5
    assert sum(delta.raised for delta in seen) == 5
    assert {delta.hook for delta in seen} == {"entry.after_create"}
    assert all(delta.seconds >= 0 for delta in seen)


@pytest.mark.django_db
def test_queues_tell_phases_age_and_who_consumes_them(
    make_job: Callable[..., Any], be_present: Callable[..., None]
) -> None:
    make_job(created_at=50)
    make_job(created_at=20)
    make_job(created_at=90, is_waiting=True)
    make_job(created_at=900, status=JobStatus.DONE, finished_at=1)
    be_present("w1", queue="plugin.shop")
    be_present("w2", queue="plugin.shop")
    be_present("gone", queue="plugin.shop", seen_at=120)
    queue = queues()["plugin.shop"]
    assert queue.phases == {"queued": 2, "waiting": 1}
    assert (queue.depth, queue.consumers) == (2, 2)
    assert 50 <= queue.oldest_seconds < 60
    assert (queues()["core"].depth, queues()["core"].consumers) == (0, 0)


@pytest.mark.django_db
def test_jobs_that_ended_are_told_by_plugin_without_the_cancelled(make_job: Callable[..., Any]) -> None:
    make_job(status=JobStatus.DONE, started_at=12, finished_at=10)
    make_job(status=JobStatus.ERROR, started_at=12, finished_at=11, error="KeyError: x")
    make_job(status=JobStatus.CANCELED, finished_at=1)
    make_job(status=JobStatus.DONE, finished_at=100_000)
    jobs = jobs_ended(15)["shop"]
    assert (jobs.count, jobs.errors, jobs.last_error) == (2, 1, "KeyError: x")
    assert jobs.p95_seconds is not None
    assert list(last_successes(["shop", "other"])) == ["shop"]
    assert last_successes([]) == {}


@pytest.mark.django_db
def test_a_process_says_that_it_lives_until_it_leaves(django_assert_num_queries: Any) -> None:
    process = presence.LivingProcess(service="worker", queue="core")
    presence.renew(process)
    with django_assert_num_queries(1):
        presence.renew(process)
    row = presence.living().get()
    assert (row.service, row.queue, len(row.digest)) == ("worker", "core", 64)
    presence.leave(process)
    assert not presence.living().exists()


@pytest.mark.django_db
def test_processes_that_fell_silent_are_forgotten(be_present: Callable[..., None]) -> None:
    be_present("silent", seen_at=60)
    be_present("gone", seen_at=3600)
    assert not presence.living().exists()
    assert presence.prune() == 1
    assert Presence.objects.get().node == "silent"


def test_a_chore_that_fails_keeps_no_other_from_its_turn() -> None:
    done: list[str] = []

    def fail() -> None:
        done.append("fail")
        raise RuntimeError("no")

    watcher = Watcher({"fail": (1.0, fail), "work": (10.0, lambda: done.append("work"))})
    for now in (0.0, 0.5, 1.0, 10.0):
        watcher.run_due(now)
    assert done == ["fail", "work", "fail", "fail", "work"]
