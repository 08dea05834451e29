"""Every metric, alert and audit event that docs/observability.md names is produced here; no other exists."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib import auth
from django.contrib.auth.models import AnonymousUser, Group, Permission
from django.contrib.sessions.backends.db import SessionStore
from django.test import RequestFactory
from django.utils import timezone
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from pagoda.audit import archiving
from pagoda.audit.actions import Action
from pagoda.audit.failed_logins import count_failure
from pagoda.audit.models import AuditEvent
from pagoda.audit.recording import record
from pagoda.audit.sealing import seal_all
from pagoda.config.settings import Settings
from pagoda.domain.authority import BeyondAuthority, PluginAuthority
from pagoda.domain.entity.models import Entity
from pagoda.domain.entry.models import Entry
from pagoda.domain.search.saving import delete_search, store_search
from pagoda.domain.user.models import ApiToken, Level, Role, RolePermission, User
from pagoda.fencing import BreakerState, breaker_changed
from pagoda.hooks.manager import manager
from pagoda.hooks.testing import fresh_breaker
from pagoda.jobs import store
from pagoda.jobs.models import Job
from pagoda.plugins.registry import registry
from pagoda.watching import operating
from pagoda.watching.alerts import rules
from pagoda.watching.alerts.evaluation import evaluate
from pagoda.watching.alerts.rules import RULES, THRESHOLDS
from pagoda.watching.metrics import collector, series
from pagoda.watching.metrics.serving import exposition
from pagoda.watching.models import AlertState, PermissionUse, Presence, TrafficMinute
from pagoda.watching.permission_use import uses
from pagoda.watching.traffic import traffic
from pagoda_plugin_sdk import Plugin
from pagoda_plugin_sdk.operations import JobStatus

pytestmark = pytest.mark.django_db

DOCS = (Path(__file__).parents[3] / "docs" / "observability.md").read_text(encoding="utf-8")


def documented(section: str) -> dict[str, frozenset[str]]:
    """Return ``{name: what else is in code style in its second column}`` of a section's table."""
    text = DOCS.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([^`]+)` \| ([^|]*)\|", text, flags=re.MULTILINE)
    return {name: frozenset(re.findall(r"`([^`]+)`", rest)) for name, rest in rows}


BREAKER = BreakerState(
    plugin="shop", surface="hook", state="open", since=datetime.now(UTC), calls=9, failures=9,
    last_error="KeyError: x", retry_at=None,
)  # fmt: skip


class Shelf(Plugin):
    id = name = "shelf"
    version = "1.0.0"


@pytest.fixture
def shelf() -> Iterator[None]:
    undo = registry().register(Shelf())
    yield
    undo()


@pytest.fixture
def ann() -> User:
    return User.objects.create(username="ann", is_superuser=True)


@pytest.fixture
def open_breaker(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (rules, collector):
        monkeypatch.setattr(module, "breaker_states", lambda: [BREAKER])


# --- metrics


LIBRARYS = ("python_", "process_")
"""What prometheus_client tells of every process; all else is ours."""


def shown(text: str) -> tuple[dict[str, frozenset[str]], dict[str, set[str]]]:
    """Return ``{metric of ours: labels}`` and ``{metric: values of its labels}`` of an exposition."""
    names: dict[str, frozenset[str]] = {}
    values: dict[str, set[str]] = {}
    families = list(text_string_to_metric_families(text))
    made = {f"{family.name}_created" for family in families if family.type in ("counter", "histogram")}
    for family in families:
        if not family.name.startswith(LIBRARYS) and family.name not in made:
            name = f"{family.name}_total" if family.type == "counter" else family.name
            labels = {label for sample in family.samples for label in sample.labels}
            names[name] = frozenset(labels - {"le"})
            values[name] = {value for sample in family.samples for value in sample.labels.values()}
    return names, values


@pytest.mark.parametrize("kind", [Gauge, Counter, Histogram])
@pytest.mark.parametrize("secret", ["pagoda_secret", "secret"])
def test_a_metric_that_is_not_documented_is_seen(kind: Any, secret: str) -> None:
    registry = CollectorRegistry()
    kind(secret, "Nobody knows.", ["plugin"], registry=registry).labels("shop")
    ((name, labels),) = shown(generate_latest(registry).decode())[0].items()
    assert name == f"{secret}{'_total' if kind is Counter else ''}"
    assert labels == {"plugin"}
    assert name not in documented("Metrics")


@pytest.mark.usefixtures("open_breaker")
def test_metrics(
    make_job: Callable[..., Any],
    be_present: Callable[..., None],
    django_capture_on_commit_callbacks: Any,
) -> None:
    series.connect()
    make_job()
    be_present("w1", queue="plugin.shop", digest="d1")
    series.count_request(None, "GET", 200, 0.1)
    series.count_dropped(table="breaker")
    series.count_request("evil\n", "BREW", 999, 0.1)
    handler = manager().register_hook("entry.after_create", lambda *_: None, plugin_id="stranger")
    manager().execute_hook("entry.after_create", "Host", None, None)
    with django_capture_on_commit_callbacks(execute=True):
        store.cancel(make_job())
    refuse()
    text = exposition().decode()
    manager().unregister_plugin(handler.plugin_id)
    found, values = shown(text)
    assert found == documented("Metrics")
    # Labels are bounded, whatever comes in
    assert "evil\n" not in values["pagoda_endpoint_requests_total"]
    assert {"other", "core", "GET", "200"} <= values["pagoda_endpoint_requests_total"]
    assert "stranger" not in values["pagoda_hook_calls_total"]
    assert {"canceled", "restock"} <= values["pagoda_jobs_total"]


# --- alerts


def refuse() -> None:
    """As a plugin's code is refused."""
    with pytest.raises(BeyondAuthority):
        PluginAuthority("shop").require("entry:read")
    uses().flush()


@pytest.fixture
def cause(make_job: Any, be_present: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, Callable[[], object]]:
    """How each alert comes about."""

    def count(surface: str, *, seconds: float = 0.01, **results: int) -> None:
        traffic().add("shop", surface, results, seconds=seconds, timed=results["ok"])
        traffic().flush()

    def restrict(**limits: Any) -> bool:
        monkeypatch.setattr(django_settings, "PAGODA", django_settings.PAGODA.model_copy(update=limits))
        return True

    def deep_queue() -> None:
        for _ in range(4):
            make_job()
        be_present("w", queue="plugin.shop")
        restrict(health_queue_depth=3)

    def mismatch() -> None:
        be_present("a", digest="1", started_at=100)
        be_present("b", digest="2", started_at=100)

    return {
        "plugin_skipped": lambda: be_present("a", skipped={"shop": "import_failed"}),
        "plugin_refused": refuse,
        "breaker_open": lambda: monkeypatch.setattr(rules, "breaker_states", lambda: [BREAKER]),
        "queue_age": lambda: (make_job(created_at=400), be_present("w", queue="plugin.shop")),
        "queue_depth": deep_queue,
        "endpoint_errors": lambda: count("endpoint", ok=813, raised=187),  # 18.7 %
        "endpoint_p95": lambda: count("endpoint", ok=5, seconds=3.0),
        "endpoint_refused": lambda: count("endpoint", ok=80, skipped=20),
        "hook_errors": lambda: count("hook", ok=8, timeout=2),
        "hook_p95": lambda: count("hook", ok=5, seconds=3.0),
        "no_consumer": lambda: make_job(created_at=70),
        "job_errors": lambda: [make_job(status=JobStatus.ERROR, finished_at=9) for _ in range(5)],
        "digest_mismatch": mismatch,
    }


def test_alerts_are_those_of_the_page() -> None:
    assert documented("Alerts").keys() == RULES.keys()


@pytest.mark.parametrize("name", documented("Alerts"))
def test_an_alert_fires_and_is_over(
    name: str, cause: dict[str, Callable[[], object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluate()
    assert not AlertState.objects.exists()
    cause[name]()
    evaluate()
    state = AlertState.objects.get()
    assert (state.rule, state.is_firing) == (name, True)
    if name in THRESHOLDS:  # who, how much, of what limit, what to do
        assert "shop" in state.text
        assert re.search(r": .*\d.*, the limit is [\d.]+.*\((HEALTH|ALERT)_\w+\)\. .+\.$", state.text)
    forget(monkeypatch)
    evaluate()
    state.refresh_from_db()
    assert not state.is_firing


def test_every_threshold_of_health_has_its_alert(
    cause: dict[str, Callable[[], object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: set[str] = set()
    for name in THRESHOLDS:
        cause[name]()
        evaluate()
        told.update(re.findall(r"\(HEALTH_(\w+)\)", AlertState.objects.get(rule=name).text))
        forget(monkeypatch)
    others = {"WINDOW_MINUTES", "MIN_CALLS", "PRESENCE_SECONDS"}  # say what is looked at, and are no limits
    settings_of_health = {
        name.upper().removeprefix("HEALTH_") for name in Settings.model_fields if name.startswith("health_")
    }
    assert told == settings_of_health - others


def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take back what a cause did."""
    for model in (Job, Presence, TrafficMinute, PermissionUse):
        model.objects.all().delete()
    monkeypatch.undo()


@pytest.mark.parametrize(
    ("name", "setting", "value"),
    [
        ("queue_age", "alert_queue_age_seconds", 500.0),
        ("job_errors", "alert_job_min", 6),
        ("endpoint_errors", "health_error_ratio", 0.187),
        ("endpoint_p95", "health_min_calls", 6),
        ("endpoint_refused", "health_refused_ratio", 0.2),
    ],
)
def test_a_value_at_its_limit_is_no_alert(
    name: str, setting: str, value: float, cause: dict[str, Callable[[], object]], settings: Any
) -> None:
    settings.PAGODA = settings.PAGODA.model_copy(update={setting: value})
    cause[name]()
    evaluate()
    assert not AlertState.objects.exists()


def test_a_rollout_of_less_than_a_minute_is_no_mismatch(be_present: Callable[..., None]) -> None:
    be_present("old", digest="1", started_at=1000)
    be_present("new", digest="2", started_at=30)
    assert list(rules.digest_mismatch(rules.Facts())) == []


def test_jobs_wait_without_alert_while_a_worker_lives(
    make_job: Callable[..., Any], be_present: Callable[..., None]
) -> None:
    make_job(created_at=70)
    be_present("w", queue="plugin.shop")
    assert list(RULES["no_consumer"](rules.Facts())) == []


# --- audit


def switch() -> None:
    operating.switch_on(None, "shelf", "silence", lasts=None, reason="x")


def switch_off() -> None:
    switch()
    operating.switch_off(None, "shelf", "silence")


def retry() -> None:
    with fresh_breaker() as breaker:
        for _ in range(5):
            breaker.fail("shelf", "hook", "handler", "x")
        operating.retry_breaker(None, "shelf", "hook")


@pytest.fixture
def act(shelf: None, ann: User, make_job: Any, be_present: Any) -> dict[str, Callable[[], object]]:
    """How each event comes about."""
    host = Entity.objects.create_entity(user=ann, name="Host")
    web = Entry.objects.create_entry(user=ann, schema=host, name="web-1")
    group, role = Group.objects.create(name="ops"), Role.objects.create(name="admins")
    granted = RolePermission.objects.create(role=role, entity=host, level=Level.READABLE)
    ann.set_password("right")
    ann.save()
    request = RequestFactory().post("/")
    request.session, request.user = SessionStore(), AnonymousUser()

    def log_in() -> None:
        auth.login(request, ann, "django.contrib.auth.backends.ModelBackend")

    def log_out() -> None:
        log_in()
        auth.logout(request)

    def deleted(row: Any) -> Any:
        row.delete()
        return row

    def changed(row: Any, **values: Any) -> Any:
        for name, value in values.items():
            setattr(row, name, value)
        row.save()
        return row

    def ended() -> Any:
        return make_job(status=JobStatus.ERROR, finished_at=1)

    def skip() -> None:
        be_present("a", skipped={"shop": "import_failed"})
        evaluate()

    def prune() -> None:
        for _ in range(2):
            ApiToken.issue(ann, "laptop", None)
            seal_all()
        archiving.prune(timezone.now(), str, str)

    transition = {"plugin": "shop", "surface": "hook", "old": "closed", "new": "open"}
    return {
        "entity.created": lambda: Entity.objects.create_entity(user=ann, name="Rack"),
        "entity.updated": lambda: changed(host, note="x"),
        "entity.deleted": lambda: deleted(Entity.objects.create_entity(user=ann, name="Rack")),
        "entity.restored": lambda: changed(
            deleted(Entity.objects.create_entity(user=ann, name="Rack")), is_active=True
        ),
        "entry.created": lambda: Entry.objects.create_entry(user=ann, schema=host, name="web-2"),
        "entry.updated": lambda: changed(web, note="x"),
        "entry.deleted": lambda: deleted(web),
        "entry.restored": lambda: changed(deleted(web), is_active=True),
        "entry.overridden": lambda: record(Action.ENTRY_OVERRIDDEN, subject=web.name),
        "login.succeeded": log_in,
        "login.failed": lambda: auth.authenticate(request, username="ann", password="wrong"),
        "logout": log_out,
        "token.made": lambda: ApiToken.issue(ann, "laptop", None),
        "token.refused": lambda: count_failure(Action.TOKEN_REFUSED, request),
        "token.revoked": lambda: deleted(ApiToken.issue(ann, "laptop", None)[0]),
        "user.created": lambda: User.objects.create(username="bob"),
        "user.updated": lambda: changed(ann, first_name="Ann"),
        "user.deleted": lambda: deleted(User.objects.create(username="bob")),
        "user.rights_changed": lambda: ann.groups.add(group),
        "group.created": lambda: Group.objects.create(name="others"),
        "group.updated": lambda: changed(group, name="operators"),
        "group.deleted": lambda: deleted(group),
        "group.rights_changed": lambda: group.permissions.add(Permission.objects.all()[0]),
        "role.created": lambda: Role.objects.create(name="others"),
        "role.updated": lambda: changed(role, note="x"),
        "role.deleted": lambda: deleted(role),
        "role.members_changed": lambda: role.groups.add(group),
        "permission.granted": lambda: RolePermission.objects.create(role=role, entry=web, level=Level.FULL),
        "permission.changed": lambda: changed(granted, level=Level.FULL),
        "permission.revoked": lambda: deleted(granted),
        "search.saved": lambda: store_search(ann, name="mine", search={}, is_shared=False),
        "search.deleted": lambda: delete_search(
            ann, store_search(ann, name="another", search={}, is_shared=False)
        ),
        "job.submitted": make_job,
        "job.canceled": lambda: store.cancel(make_job()),
        "job.retried": lambda: store.retry(ended()),
        "job.requeued": lambda: store.requeue(make_job()),
        "audit.pruned": prune,
        "plugin.skipped": skip,
        "plugin.refused": refuse,
        "breaker.changed": lambda: breaker_changed.send(None, **transition, reason="failed", dry_run=False),
        "breaker.retried": retry,
        "plugin.switched_on": switch,
        "plugin.switched_off": switch_off,
    }


def test_events_are_those_of_the_page() -> None:
    assert documented("Audit").keys() == {action.value for action in Action}


@pytest.mark.parametrize("name", documented("Audit"))
def test_an_event_is_recorded(name: str, act: dict[str, Callable[[], object]]) -> None:
    last = AuditEvent.objects.latest("id").pk
    act[name]()
    events = AuditEvent.objects.filter(pk__gt=last).order_by("-id")
    assert name in [event.action for event in events][:2]
