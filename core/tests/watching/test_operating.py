"""What administrators do to running plugins: who may, what holds then, what is told of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from pagoda.audit.models import AuditEvent
from pagoda.domain.acting import acting_as
from pagoda.domain.authority import BeyondAuthority
from pagoda.domain.user.models import User
from pagoda.fencing import Outcome
from pagoda.fencing.breaker import CircuitBreaker
from pagoda.fencing.breaker import breaker as breaker_of_process
from pagoda.fencing.models import PluginSwitch
from pagoda.fencing.store import StoreUnavailable
from pagoda.fencing.switches import SwitchKind, plugins_in_dry_run, plugins_with
from pagoda.fencing.testing import MemoryStore
from pagoda.hooks.manager import manager
from pagoda.hooks.testing import fresh_breaker
from pagoda.jobs.clock import after, database_now
from pagoda.plugins.registry import registry
from pagoda.watching import operating
from pagoda.watching.alerts.notifying import tell
from pagoda.watching.live_processes import live_processes
from pagoda.watching.models import AlertState
from pagoda_plugin_sdk import Plugin
from pagoda_plugin_sdk.exceptions import PluginLoadError

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


class Shelf(Plugin):
    id = name = "shelf"
    version = "1.0.0"


@pytest.fixture(autouse=True)
def shelf() -> Iterator[None]:
    undo = registry().register(Shelf())
    yield
    undo()


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def breaker(store: MemoryStore) -> Iterator[CircuitBreaker]:
    with fresh_breaker(store=store) as made:
        yield made


@pytest.fixture
def root() -> Iterator[User]:
    user = User.objects.create(username="root", is_superuser=True)
    with acting_as(user):
        yield user


def fail(breaker: CircuitBreaker, surface: Any = "endpoint") -> None:
    for _ in range(5):
        breaker.record(
            Outcome(
                plugin="shelf", surface=surface, name="view", result="raised", seconds=0, error="KeyError"
            )
        )


def events() -> list[tuple[str, str, str, str]]:
    rows = AuditEvent.objects.order_by("pk").values_list("action", "subject_id", "actor", "plugin")
    return [row for row in rows if row[0].startswith(("breaker.", "plugin."))]


DENIED = [
    pytest.param(lambda user: operating.retry_breaker(user, "shelf", "hook"), id="retry"),
    pytest.param(lambda user: operating.switch_on(user, "shelf", "silence", lasts=None, reason="x"), id="on"),
    pytest.param(lambda user: operating.switch_off(user, "shelf", "silence"), id="off"),
]
SHOWN = [
    pytest.param(operating.switches, id="switches"),
    pytest.param(lambda user: operating.history(user, "shelf"), id="history"),
    pytest.param(live_processes, id="processes"),
]


class TestRights:
    @pytest.mark.parametrize("act", DENIED)
    @pytest.mark.parametrize(
        "who", [{}, {"is_staff": True}, {"is_superuser": True, "is_active": False}, None], ids=str
    )
    def test_superusers_alone_change_anything(
        self, act: Callable[[Any], Any], who: dict[str, bool] | None
    ) -> None:
        user = AnonymousUser() if who is None else User.objects.create(username="ann", **who)
        with pytest.raises(PermissionDenied, match="Only superusers may retry"):
            act(user)
        assert events() == []

    @pytest.mark.parametrize("look", SHOWN)
    def test_staff_may_look(self, look: Callable[[Any], Any]) -> None:
        assert list(look(User.objects.create(username="stan", is_staff=True))) == []
        for user in (AnonymousUser(), User.objects.create(username="ann")):
            with pytest.raises(PermissionDenied, match="Only staff may see"):
                look(user)

    @pytest.mark.parametrize("act", [*DENIED, *SHOWN])
    def test_plugin_code_may_do_nothing_for_whomever_it_acts(
        self, act: Callable[[Any], Any], root: User
    ) -> None:
        refused: list[BeyondAuthority] = []

        def code() -> None:
            for user in (root, None):
                with pytest.raises(
                    BeyondAuthority, match="can't see or change how plugins are operated"
                ) as it:
                    act(user)
                refused.append(it.value)

        manager().budget.run_within(10.0, "shelf", code)
        assert len(refused) == 2


class TestRetry:
    def test_the_next_call_probes_and_the_retry_is_told(self, breaker: CircuitBreaker, root: User) -> None:
        fail(breaker)
        assert not breaker.admits("shelf", "endpoint")
        operating.retry_breaker(root, "shelf", "endpoint")
        assert breaker.admits("shelf", "endpoint")
        assert [state.state for state in breaker.states()] == ["half_open"]
        assert events() == [
            ("breaker.changed", "shelf/endpoint", "root", "shelf"),
            ("breaker.retried", "shelf/endpoint", "root", "shelf"),
            ("breaker.changed", "shelf/endpoint", "root", "shelf"),
        ]

    def test_what_is_in_service_is_not_retried(self, breaker: CircuitBreaker) -> None:
        with pytest.raises(ValidationError, match="The tasks of plugin 'shelf' are in service"):
            operating.retry_breaker(None, "shelf", "task")
        assert events() == []

    def test_what_the_others_can_t_be_told_is_not_done(
        self, breaker: CircuitBreaker, store: MemoryStore
    ) -> None:
        fail(breaker)
        store.is_down = True
        with pytest.raises(StoreUnavailable):
            operating.retry_breaker(None, "shelf", "endpoint")
        assert not breaker.admits("shelf", "endpoint")
        assert [event[0] for event in events()] == ["breaker.changed"]

    @pytest.mark.parametrize(
        ("plugin", "surface", "error", "told"),
        [
            ("shelv", "hook", PluginLoadError, "Did you mean 'shelf'"),
            ("shelf", "hooks", ValidationError, "'hooks' is no surface. Did you mean 'hook'"),
        ],
    )
    def test_a_wrong_name_is_told_with_those_there_are(
        self, breaker: CircuitBreaker, plugin: str, surface: str, error: type[Exception], told: str
    ) -> None:
        with pytest.raises(error, match=told):
            operating.retry_breaker(None, plugin, surface)


class TestSwitches:
    def test_a_switch_holds_until_its_time_is_over(self, root: User) -> None:
        made = operating.switch_on(root, "shelf", "dry_run", lasts=HOUR, reason="  a deployment\n")
        assert (made.reason, made.actor, made.until) == ("a deployment", "root", made.since + HOUR)
        assert plugins_with(SwitchKind.DRY_RUN) == {"shelf"}
        assert plugins_with(SwitchKind.SILENCE) == frozenset()
        assert operating.end_over() == 0
        PluginSwitch.objects.update(until=after(-1))
        assert plugins_with(SwitchKind.DRY_RUN) == frozenset()
        assert operating.switches(root) == []
        assert [operating.end_over(), operating.end_over()] == [1, 0]
        assert [(event[0], event[2]) for event in events()] == [
            ("plugin.switched_on", "root"),
            ("plugin.switched_off", "root"),
        ]
        on, off = [
            dict(each.details) for each in AuditEvent.objects.filter(subject_id="shelf").order_by("pk")
        ]
        assert on == {"kind": "dry_run", "until": str(made.until).replace(" ", "T"), "reason": "a deployment"}
        assert off == {"kind": "dry_run", "how": "its time is over"}

    def test_a_switch_without_an_end_is_switched_off_by_hand(self, root: User) -> None:
        operating.switch_on(root, "shelf", "silence", lasts=None, reason="at night")
        operating.switch_on(root, "shelf", "silence", lasts=None, reason="by day")
        assert [(one.plugin, one.kind, one.reason) for one in operating.switches(root)] == [
            ("shelf", "silence", "by day")
        ]
        assert operating.end_over() == 0
        assert [operating.switch_off(root, "shelf", "silence") for _ in range(2)] == [True, False]
        assert PluginSwitch.objects.count() == 0

    def test_a_reason_is_washed(self) -> None:
        text = operating.switch_on(None, "shelf", "silence", lasts=None, reason="a\x00\ud800\x1b[31mb").reason
        assert (text[0], text[-1], text.isprintable()) == ("a", "b", True)

    def test_one_of_a_plugin_that_is_gone_can_be_switched_off(self, root: User) -> None:
        PluginSwitch.objects.create(
            plugin="gone", kind="silence", since=database_now(), reason="x", actor="root"
        )
        assert operating.switch_off(root, "gone", "silence")

    @pytest.mark.parametrize(
        ("kind", "lasts", "reason", "told"),
        [
            ("silense", HOUR, "x", "'silense' is no switch. Did you mean 'silence'"),
            ("silence", HOUR, " \n", "Give a reason of 1 to 300 characters"),
            ("silence", HOUR, "x" * 301, "Give a reason of 1 to 300 characters"),
            ("silence", timedelta(0), "x", "expected more than nothing and at most 366 days"),
            ("silence", timedelta(days=367), "x", "expected more than nothing and at most 366 days"),
        ],
    )
    def test_bad_input_switches_nothing(self, kind: str, lasts: timedelta, reason: str, told: str) -> None:
        with pytest.raises(ValidationError, match=told):
            operating.switch_on(None, "shelf", kind, lasts=lasts, reason=reason)
        assert (PluginSwitch.objects.count(), events()) == (0, [])


class TestSilence:
    @pytest.fixture
    def sent(self) -> list[str]:
        return []

    @pytest.fixture
    def told(self, sent: list[str]) -> Callable[[], list[str]]:
        def send(notice: Any) -> bool:
            sent.append(notice.title)
            return True

        def tell_now() -> list[str]:
            tell(send, frozenset())
            return sent

        return tell_now

    @pytest.fixture(autouse=True)
    def alerts(self) -> None:
        for plugin in ("shelf", "other"):
            AlertState.objects.create(
                rule="queue_age", subject=plugin, plugin=plugin, is_firing=True, is_told=False, version=1
            )

    OTHER, SHELF = "[FIRING] Pagoda: queue_age other", "[FIRING] Pagoda: queue_age shelf"

    def test_nobody_is_told_of_it_until_it_ends_and_then_of_what_fires_still(
        self, told: Callable[[], list[str]]
    ) -> None:
        operating.switch_on(None, "shelf", "silence", lasts=HOUR, reason="x")
        assert told() == [self.OTHER]
        assert list(AlertState.objects.filter(is_silenced=True).values_list("plugin", flat=True)) == ["shelf"]
        PluginSwitch.objects.update(until=after(-1))
        assert told() == [self.OTHER]
        operating.end_over()
        assert told() == [self.OTHER, self.SHELF]
        operating.switch_off(None, "shelf", "silence")
        assert told() == [self.OTHER, self.SHELF]
        assert not AlertState.objects.filter(is_silenced=True).exists()

    def test_what_was_told_before_or_is_over_is_not_told_again(self, told: Callable[[], list[str]]) -> None:
        assert told() == [self.SHELF, self.OTHER]
        operating.switch_on(None, "shelf", "silence", lasts=None, reason="x")
        operating.switch_off(None, "shelf", "silence")
        assert told() == [self.SHELF, self.OTHER]
        operating.switch_on(None, "shelf", "silence", lasts=None, reason="x")
        AlertState.objects.update(is_firing=False, is_told=False, version=2)
        told()
        operating.switch_off(None, "shelf", "silence")
        assert told() == [self.SHELF, self.OTHER, "[RESOLVED] Pagoda: queue_age other"]

    def test_telling_asks_once_whose_alerts_are_silenced_and_not_where_nothing_is_due(self) -> None:
        def questions() -> int:
            with CaptureQueriesContext(connection) as queries:
                tell(lambda _notice: True, frozenset())
            return sum("fencing_pluginswitch" in each["sql"] for each in queries)

        assert [questions(), questions()] == [1, 0]  # two are due, then none


@pytest.mark.django_db(transaction=True)
def test_a_dry_run_of_a_plugin_takes_nothing_of_it_out_of_service() -> None:
    breaker = CircuitBreaker(MemoryStore(), breaker_of_process().policy, dry_running=plugins_in_dry_run)
    refused: list[Any] = []
    breaker.add_listener(refused.append)
    fail(breaker)
    fail(breaker, "hook")
    assert not breaker.admits("shelf", "endpoint")
    assert refused[-1] == {("shelf", "endpoint"), ("shelf", "hook")}
    operating.switch_on(None, "shelf", "dry_run", lasts=None, reason="x")
    assert {(state.state, state.dry_run) for state in breaker.states()} == {("open", True)}
    assert breaker.admits("shelf", "endpoint")
    assert refused[-1] == frozenset()
    operating.switch_off(None, "shelf", "dry_run")
    assert {state.dry_run for state in breaker.states()} == {False}
    assert not breaker.admits("shelf", "endpoint")


def test_the_history_has_the_newest_events_of_a_plugin_alone(
    breaker: CircuitBreaker, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    fail(breaker)
    for number in range(30):
        operating.switch_on(None, "shelf", "silence", lasts=None, reason=str(number))
    AuditEvent.objects.create(action="breaker.changed", subject_type="breaker", subject_id="other/hook")
    with django_assert_num_queries(1):
        found = operating.history(None, "shelf")
    assert [each.details.get("reason") for each in found] == [str(number) for number in range(29, 9, -1)]
    assert operating.history(None, "shelf", 31)[-1].action == "breaker.changed"


def test_processes_that_run_other_plugins_than_most_come_first(
    be_present: Callable[..., None], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    be_present("w1", queue="core", digest="a", started_at=50)
    be_present("w2", queue="core", digest="a", started_at=60)
    be_present("api", service="api", digest="b", started_at=9)
    be_present("new", service="dispatcher", digest="")
    be_present("gone", digest="c", seen_at=3600)
    with django_assert_num_queries(1):
        found = live_processes(None)
    assert [(each.service, each.digest, each.differs) for each in found] == [
        ("api", "b", True),
        ("dispatcher", "", False),
        ("worker", "a", False),
        ("worker", "a", False),
    ]
    be_present("api2", service="api", digest="b", started_at=5)
    assert [each.digest for each in live_processes(None) if each.differs] == ["a", "a"]
