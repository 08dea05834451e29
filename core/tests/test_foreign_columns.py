"""Every text and JSON column outside of the domain, fed with what text and JSON can be.

The domain's columns are fed by its own tests. `COLUMNS` names each column and how foreign data reaches it; a
new column has to be put there.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pagoda.jobs.testing import plugin_tasks, recording_publisher
from pagoda_plugin_sdk.tasks import plugin_task
from pagoda_plugin_sdk.washing import NotJson, json_value, washed
from tools.examples import examples
from tools.migrated_host import python_on, running_postgres
from tools.servers import missing_programs

if TYPE_CHECKING:
    from pagoda.jobs.models import Job

HOST = "the host's own word, or a name that was checked when it was declared"
ON_POSTGRES = "TEST_ON_POSTGRES"

SETTINGS = settings(
    max_examples=examples(25, quick=10),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
"""One database for all examples: each makes rows of its own."""


@dataclass(frozen=True)
class Feed:
    """A way in."""

    give: Callable[[Shop, Any], Any]  # returns what the column has then
    limit: int = 0  # of characters; 0: the value may be refused, and is kept as it is otherwise


class Shop:
    """A plugin whose one task does what a test gives it."""

    def __init__(self) -> None:
        self.work: Callable[[Any], Any] = lambda job: None

    def submit(self, **fields: Any) -> Job:
        from pagoda.jobs.models import Job

        operation = fields.pop("operation", "work")
        job = Job.objects.submit(plugin="feed", operation_name=operation, user=None, **fields)
        return Job.objects.get(pk=job.pk)

    def run(self, work: Callable[[Any], Any]) -> Job:
        """Return the job in which `work` ran; it has ended."""
        from pagoda.jobs import operations, store
        from pagoda.jobs.engine import run_attempt

        self.work = work
        job = self.submit()
        attempt = store.claim(job.pk, "node/1", 30)
        assert attempt is not None
        run_attempt(attempt, operations.resolve(job.operation), report=lambda error: None)
        job.refresh_from_db()
        assert job.finished_at is not None, "it ended otherwise than by its own cause"
        return job


def in_request(shop: Shop, request_id: str) -> str:
    with structlog.contextvars.bound_contextvars(request_id=request_id):
        return shop.submit().request_id


def singleton(shop: Shop, key: str) -> str:
    job = shop.submit(operation="only", singleton_key=key)
    return job.singleton_key.removeprefix("feed:5001:")


def progressed(shop: Shop, text: str) -> str:
    return shop.run(lambda job: job.progress(5, text)).progress_text


def raised(shop: Shop, text: str) -> str:
    def fail(job: Any) -> None:
        raise ValueError(text)

    job = shop.run(fail)
    assert job.error.startswith("ValueError")
    return job.error.removeprefix("ValueError: " if text else "ValueError")


def result(shop: Shop, value: Any) -> Any:
    job = shop.run(lambda job: {"value": value})
    if job.error:
        raise NotJson(job.error.removeprefix("InvalidParams: "))
    assert job.result is not None
    return job.result["value"]


def attached(shop: Shop, name: str, content_type: str) -> Job:
    return shop.run(lambda job: job.attach_file(name, b"content", content_type))


def logged(shop: Shop, message: Any, **extra: Any) -> Any:
    def work(job: Any) -> None:
        job.log.info(message, **extra)
        job.log.info("later")

    job = shop.run(work)
    first, later = job.logs.all()
    assert (job.error, later.message) == ("", "later")
    return first


def held(shop: Shop, reason: str) -> str:
    from pagoda.jobs import store

    job = shop.submit()
    store.hold(job.pk, reason, delay_seconds=1)
    job.refresh_from_db()
    return job.hold_reason


def recorded(**what: Any) -> Any:
    from pagoda.audit.actions import Action
    from pagoda.audit.models import AuditEvent
    from pagoda.audit.recording import record

    record(Action.JOB_SUBMITTED, **what)
    return AuditEvent.objects.order_by("-pk")[0]


def recorded_in_request(request_id: str) -> str:
    with structlog.contextvars.bound_contextvars(request_id=request_id):
        return str(recorded().request_id)


def tried(name: str) -> str:
    from pagoda.audit.actions import Action
    from pagoda.audit.failed_logins import count_failure
    from pagoda.audit.models import FailedLogins

    FailedLogins.objects.all().delete()
    for _ in range(2):
        count_failure(Action.LOGIN_FAILED, None, name)
    return "".join(FailedLogins.objects.get().names)


def counted(error: str) -> str:
    from pagoda.watching import traffic
    from pagoda.watching.models import TrafficMinute

    TrafficMinute.objects.all().delete()
    traffic._add([(("feed", "hook", 1), traffic.Figures(last_error=error))])
    return TrafficMinute.objects.get().last_error


def refused(what: Any) -> str:
    from pagoda.watching.models import PermissionUse
    from pagoda.watching.permission_use import Uses

    PermissionUse.objects.all().delete()
    uses = Uses()
    uses.note_refusal(plugin="feed", what=what)
    uses.flush()
    return PermissionUse.objects.get().what


def unmigrated(text: str) -> str:
    from pagoda.plugins.migrations import note_migration_fault
    from pagoda.plugins.records import PluginRecord
    from pagoda.watching.models import MigrationFault

    note_migration_fault(PluginRecord(id="feed"), "feed", ["0001_initial"], text)
    return MigrationFault.objects.get().text


def alerted(text: str) -> str:
    from pagoda.watching.alerts.evaluation import _change, _create
    from pagoda.watching.alerts.rules import AlertFinding
    from pagoda.watching.models import AlertState

    AlertState.objects.all().delete()
    assert _create("plugin_skipped", AlertFinding(subject="feed", text=text))
    first = AlertState.objects.get()
    assert _change(first, is_firing=True, text=washed(text))
    return AlertState.objects.get().text


def broken(error: str) -> str:
    from pagoda.fencing.rows import Batch

    batch = Batch()
    batch.fail("work", error)
    return batch.last_error


COLUMNS: dict[str, Feed | str] = {
    "job.Job.plugin": HOST,
    "job.Job.operation_name": HOST,
    "job.Job.queue": HOST,
    "job.Job.params": Feed(lambda shop, v: json.loads(shop.submit(params={"value": v}).params)["value"]),
    "job.Job.request_id": Feed(in_request, 100),
    "job.Job.registry_digest": HOST,
    "job.Job.idempotency_key": Feed(lambda shop, v: shop.submit(idempotency_key=v).idempotency_key),
    "job.Job.singleton_key": Feed(
        lambda shop, v: shop.submit(operation="only", singleton_key=v).singleton_key.removeprefix(
            "feed:5001:"
        )
    ),
    "job.Job.serial_key": HOST,
    "job.Job.text": Feed(lambda shop, v: shop.submit(text=v).text, 10_000),
    "job.Job.error": Feed(raised, 2_000),
    "job.Job.result": Feed(result),
    "job.Job.progress_text": Feed(
        lambda shop, v: shop.run(lambda job: job.progress(5, v)).progress_text, 200
    ),
    "job.Job.hold_reason": Feed(held, 500),
    "job.Job.file_name": Feed(lambda shop, v: attached(shop, v, "text/plain").file_name, 255),
    "job.Job.file_type": Feed(lambda shop, v: attached(shop, "a", v).file_type, 100),
    "job.Job.task_id": HOST,
    "job.Job.lease_owner": HOST,
    "job.JobLog.level": HOST,
    "job.JobLog.message": Feed(lambda shop, v: logged(shop, v).message, 10_000),
    "job.JobLog.extra": Feed(lambda shop, v: logged(shop, "x", value=v).extra["value"], 20_000),
    "job.ScheduleTick.schedule": HOST,
    "rates.RateCount.key": HOST,
    "rates.LoginCount.key": HOST,
    "idempotency.KeptAnswer.key": "printable ASCII of a bounded length, or refused",
    "idempotency.KeptAnswer.request": HOST,
    "idempotency.KeptAnswer.headers": HOST,
    "search.SavedSearch.name": "a name, which the domain checks",
    "search.SavedSearch.search": "JSON of a request, which the API has checked and tried",
    "search.SavedSearch.named": "ids, by names of the search",
    "audit.AuditEvent.action": HOST,
    "audit.AuditEvent.actor": "a user's name, which the domain has checked",
    "audit.AuditEvent.on_behalf_of": "a user's name, which the domain has checked",
    "audit.AuditEvent.plugin": HOST,
    "audit.AuditEvent.request_id": Feed(lambda shop, v: recorded_in_request(v), 100),
    "audit.AuditEvent.subject_type": HOST,
    "audit.AuditEvent.subject_id": Feed(lambda shop, v: recorded(subject_id=v).subject_id, 100),
    "audit.AuditEvent.subject": Feed(lambda shop, v: recorded(subject=v).subject, 250),
    "audit.AuditEvent.details": Feed(
        lambda shop, v: recorded(details={"value": v}).details["value"], 100_000
    ),
    "audit.FailedLogins.action": HOST,
    "audit.FailedLogins.network": HOST,
    "audit.FailedLogins.names": Feed(lambda shop, v: tried(v), 150),
    "audit.AuditSeal.previous_hash": HOST,
    "audit.AuditSeal.event_ids": HOST,
    "audit.AuditSeal.absent": HOST,
    "audit.AuditSeal.hash": HOST,
    "fencing.Breaker.plugin": HOST,
    "fencing.Breaker.surface": HOST,
    "fencing.Breaker.status": HOST,
    "fencing.Breaker.streaks": HOST,
    "fencing.Breaker.last_error": Feed(lambda shop, v: broken(v), 500),
    "fencing.Breaker.reason": HOST,
    "fencing.Breaker.holder": HOST,
    "fencing.PluginSwitch.plugin": HOST,
    "fencing.PluginSwitch.kind": HOST,
    "fencing.PluginSwitch.reason": "an administrator's words, washed: see watching/test_operating.py",
    "fencing.PluginSwitch.actor": HOST,
    "watching.Presence.node": HOST,
    "watching.Presence.service": HOST,
    "watching.Presence.queue": HOST,
    "watching.Presence.host": HOST,
    "watching.Presence.digest": HOST,
    "watching.Presence.skipped": HOST,
    "watching.TrafficMinute.plugin": HOST,
    "watching.TrafficMinute.surface": HOST,
    "watching.TrafficMinute.last_error": Feed(lambda shop, v: counted(v), 300),
    "watching.QueueMinute.queue": HOST,
    "watching.PermissionUse.plugin": HOST,
    "watching.PermissionUse.what": Feed(lambda shop, v: refused(v), 200),
    "watching.MigrationFault.app": HOST,
    "watching.MigrationFault.version": "a plugin's version, which was checked when it was declared",
    "watching.MigrationFault.missing": "names of Python modules",
    "watching.MigrationFault.text": Feed(lambda shop, v: unmigrated(v), 500),
    "watching.AlertState.rule": HOST,
    "watching.AlertState.subject": HOST,
    "watching.AlertState.text": Feed(lambda shop, v: alerted(v), 2_000),
    "watching.AlertState.plugin": HOST,
}
FED = {name: feed for name, feed in COLUMNS.items() if isinstance(feed, Feed)}
JSON_COLUMNS = ("job.Job.params", "job.Job.result")
WASHED_JSON_COLUMNS = ("job.JobLog.extra", "audit.AuditEvent.details")
DOMAIN = ("user", "entity", "entry")

TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=300)
JSON_LIKE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT | st.just(object()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT | st.integers(), inner, max_size=3),
    max_leaves=8,
)


def outcome(shop: Shop, feed: Feed, value: Any) -> tuple[Any, str]:
    """Return what is kept of `value`, or the words with which it is refused."""
    from pagoda.jobs.job_errors import InvalidParams

    try:
        return feed.give(shop, value), ""
    except (InvalidParams, NotJson) as error:
        return None, str(error)


def json_fault(value: Any) -> str | None:
    """Return why a result can't hold `value`."""
    try:
        json_value({"value": value}, "x", max_bytes=65_536, setting="S")
    except NotJson as error:
        return error.fault
    return None


def as_floats(value: Any) -> Any:
    """Return `value` with its numbers as floats: PostgreSQL gives a whole one back as an integer."""
    if isinstance(value, list):
        return [as_floats(item) for item in value]
    if isinstance(value, dict):
        return {key: as_floats(item) for key, item in value.items()}
    return float(value) if isinstance(value, (int, float)) else value


def nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value


@pytest.fixture
def shop(db: None) -> Iterator[Shop]:
    made = Shop()

    @plugin_task(0)
    def work(job: Any) -> Any:
        return made.work(job)

    @plugin_task(1, singleton=True)
    def only(job: Any) -> None: ...

    with recording_publisher(), plugin_tasks("feed", [work, only], downloadable_operations=["work"]):
        yield made


def test_every_text_and_json_column_is_named_here() -> None:
    """And no other."""
    from django.apps import apps
    from django.db import models

    found = {
        f"{model._meta.label}.{field.name}"
        for model in apps.get_models()
        if model.__module__.startswith("pagoda.") and model._meta.app_label not in DOMAIN
        for field in model._meta.concrete_fields
        if isinstance(field, (models.CharField, models.TextField, models.JSONField))
    }
    assert found == set(COLUMNS)


@pytest.mark.parametrize("column", FED)
def test_text_is_kept_washed_or_refused(shop: Shop, column: str) -> None:
    """Never a 500, never a job that can't end."""
    feed = FED[column]

    @SETTINGS
    @given(TEXT)
    @example("a\x00b")
    @example("\ud800")
    @example("\r\x1b[31m\x07")
    @example("x" * 1_048_576)
    @example("\x00" * 1_048_576)
    def look(text: str) -> None:
        kept, fault = outcome(shop, feed, text)
        if fault:
            assert not feed.limit, fault
            assert washed(fault) == fault
            return
        kept.encode()
        if not feed.limit:
            assert kept == text
        else:
            assert len(kept) <= feed.limit
            if len(text) < feed.limit - 30 and washed(text) == text and "file" not in column:
                assert kept == text

    look()


@pytest.mark.parametrize("column", JSON_COLUMNS)
def test_json_is_kept_as_it_is_or_refused_with_the_place(shop: Shop, column: str) -> None:
    """What is kept is equal to what was given, on both back ends."""

    @SETTINGS
    @given(JSON_LIKE)
    @example({"d": math.nan})
    @example([math.inf])
    @example("a\x00b")
    @example({"\ud800": 1})
    @example(nested(99))
    @example(nested(100))
    @example(["x"] * 600_000)
    @example(2**1023 - 1)
    def look(value: Any) -> None:
        expected = json_fault(value)
        kept, fault = outcome(shop, FED[column], value)
        if fault:
            assert expected is not None, fault
            assert "value" in fault or "more than" in fault
            return
        assert expected is None or expected.startswith("has more than")
        assert as_floats(kept) == as_floats(value)

    look()


@pytest.mark.parametrize("column", WASHED_JSON_COLUMNS)
def test_json_of_logs_is_washed(shop: Shop, column: str) -> None:
    """A line or an event is never lost for what is in it."""

    @SETTINGS
    @given(JSON_LIKE)
    @example({"d": math.nan})
    @example(nested(150))
    @example(["x"] * 600_000)
    @example(2**2_000)
    def look(value: Any) -> None:
        kept = json.dumps(FED[column].give(shop, value), allow_nan=False)
        assert len(kept) < 10 * FED[column].limit

    look()


@pytest.mark.parametrize(
    ("params", "words"),
    [
        (
            "not json",
            "Params of a job are 'not json', expected a dict or the JSON text of one",
        ),
        ('{"d": NaN}', "Params of a job can't be stored: params['d'] is nan, which JSON has no word for"),
        ('"\\ud800"', "Params of a job can't be stored: params contains half of a surrogate pair"),
        ("[" * 100_000, "Params of a job are '[[["),
        (
            "x" * 1_048_577,
            "Params of a job have 1,048,577 bytes, JOB_PARAMS_MAX_BYTES allows 1,048,576 at most",
        ),
        (
            {"d": "x" * 10_000_000},
            "Params of a job can't be stored: params has more than 1,048,576 bytes as JSON",
        ),
    ],
    ids=["no JSON", "NaN", "surrogate", "deep", "large text", "large"],
)
def test_params_that_can_not_be_kept_are_refused_at_submit(shop: Shop, params: Any, words: str) -> None:
    """With the remedy; no job is made."""
    from pagoda.jobs.job_errors import InvalidParams
    from pagoda.jobs.models import Job

    with pytest.raises(InvalidParams) as raised:
        shop.submit(params=params)
    assert str(raised.value).startswith(words)
    assert Job.objects.count() == 0


@pytest.mark.parametrize("key", ["idempotency_key", "singleton_key"])
@pytest.mark.parametrize("value", [5, None, "\x00", "x" * 201])
def test_keys_are_refused_as_two_must_not_become_one(shop: Shop, key: str, value: Any) -> None:
    """A shortened or washed key would be another's."""
    from pagoda.jobs.job_errors import InvalidParams

    with pytest.raises(InvalidParams, match=f"The {key.replace('_', ' ')} "):
        shop.submit(operation="only", **{key: value})


@pytest.mark.skipif(bool(os.environ.get(ON_POSTGRES)), reason="this is that run")
@pytest.mark.skipif("postgresql" in missing_programs(), reason="PostgreSQL is not installed")
def test_all_this_on_postgresql(tmp_path: Path) -> None:
    """It refuses NUL where SQLite takes it."""
    with running_postgres() as server:
        command = ("-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-n", "0", __file__)
        ended = python_on(server, tmp_path, *command, TEST_ON_POSTGRES="1")
    assert ended.returncode == 0, ended.stdout[-5000:]
