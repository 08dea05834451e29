"""Guessing passwords: each failure waits longer, by name and network, whatever the way in."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.db.models import F
from django.test import Client
from django.utils import timezone

from pagoda.audit.failed_logins import NETWORKS_MAX, close_ended
from pagoda.audit.models import AuditEvent, FailedLogins
from pagoda.domain.user.models import User
from pagoda.rates import logins
from pagoda.rates.models import LoginCount

pytestmark = pytest.mark.django_db

TOKEN, LOGIN = "/api/v2/auth/token/", "/api/v2/auth/login/"
RIGHT, WRONG = "correct horse battery", "guess"
HERE, ELSEWHERE = "192.0.2.1", "198.51.100.1"
THROTTLED = 429


@pytest.fixture(autouse=True)
def ann(settings: Any, db: None) -> User:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    return User.objects.create_user("ann", password=RIGHT, is_staff=True, is_superuser=True)


@pytest.fixture(autouse=True)
def standing_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine is, a wait of a second is not over before the test says so."""
    at = timezone.now()
    monkeypatch.setattr(timezone, "now", lambda: at)


@pytest.fixture
def limit(settings: Any) -> Callable[..., None]:
    def set_limits(**limits: float) -> None:
        update = {f"pagoda_login_{name}": value for name, value in limits.items()}
        settings.PAGODA = settings.PAGODA.model_copy(update=update)

    return set_limits


@pytest.fixture
def ask(anonymous: Any) -> Callable[..., Any]:
    def post(password: str = WRONG, name: str = "ann", at: str = HERE, url: str = TOKEN, **more: str) -> Any:
        return anonymous.post(url, {"username": name, "password": password}, REMOTE_ADDR=at, **more)

    return post


def wait_is_over(seconds: int = 3600) -> None:
    past = timedelta(seconds=seconds)
    LoginCount.objects.update(waits_until=F("waits_until") - past)


def codes(ask: Callable[..., Any], times: int, **what: str) -> list[int]:
    return [ask(**what).status_code for _ in range(times)]


@pytest.mark.parametrize("url", [TOKEN, LOGIN])
@pytest.mark.parametrize("name", ["ann", "nobody", "ann\N{ZERO WIDTH SPACE}", "' or 1=1"])
def test_names_that_exist_and_others_wait_alike(ask: Callable[..., Any], url: str, name: str) -> None:
    assert codes(ask, 5, url=url, name=name) == [401] * 5
    refused = ask(url=url, name=name)
    assert (refused.status_code, refused.headers["Retry-After"]) == (THROTTLED, "1")
    assert refused.json() == {
        "detail": "Too many logins failed. Try again in 1 s.",
        "code": "login_throttled",
    }


def test_the_right_password_waits_too_and_then_ends_the_counting(ask: Callable[..., Any]) -> None:
    codes(ask, 5)
    assert ask(RIGHT).status_code == THROTTLED
    wait_is_over()
    assert ask(RIGHT).status_code == 200
    assert codes(ask, 6) == [401] * 5 + [THROTTLED]


def test_each_failure_waits_longer_up_to_a_bound(ask: Callable[..., Any], limit: Callable[..., None]) -> None:
    limit(max_wait_seconds=20)
    codes(ask, 4)
    waits = []
    for _ in range(7):
        assert ask().status_code == 401
        waits.append(int(ask().headers["Retry-After"]))
        wait_is_over()
    assert waits == [1, 2, 4, 8, 16, 20, 20]


def test_refused_attempts_count_for_nothing(ask: Callable[..., Any]) -> None:
    codes(ask, 30)
    assert max(LoginCount.objects.values_list("failures", flat=True)) == 5


def test_failures_are_forgotten(ask: Callable[..., Any]) -> None:
    codes(ask, 5)
    LoginCount.objects.update(forgotten_at=timezone.now() - timedelta(seconds=1))
    assert codes(ask, 5) == [401] * 5
    LoginCount.objects.update(forgotten_at=timezone.now())
    assert logins.prune() == LoginCount.objects.count() + 3 == 3


@pytest.mark.parametrize(
    ("first", "second", "is_one"),
    [
        ("192.0.2.1", "192.0.2.254", True),
        ("192.0.2.1", "192.0.3.1", False),
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("::ffff:192.0.2.1", "192.0.2.9", True),
        ("", "no address", True),
    ],
)
def test_a_client_s_network_counts(ask: Callable[..., Any], first: str, second: str, is_one: bool) -> None:
    codes(ask, 5, at=first)
    assert ask(at=second).status_code == (THROTTLED if is_one else 401)


def test_a_name_is_counted_from_everywhere(ask: Callable[..., Any], limit: Callable[..., None]) -> None:
    limit(failures_name=7)
    assert [ask(at=f"10.0.{n}.1").status_code for n in range(8)] == [401] * 7 + [THROTTLED]
    assert ask(name="bob", at="10.0.9.1").status_code == 401


def test_a_network_is_counted_with_all_names(ask: Callable[..., Any], limit: Callable[..., None]) -> None:
    limit(failures_network=7)
    assert [ask(name=f"u{n}").status_code for n in range(8)] == [401] * 7 + [THROTTLED]
    assert ask(name="u9", at=ELSEWHERE).status_code == 401


def test_strangers_lock_nobody_out_of_a_network_they_log_in_from(
    ask: Callable[..., Any], limit: Callable[..., None]
) -> None:
    limit(failures_name=7, failures_network=9, max_wait_seconds=20)
    assert ask(RIGHT).status_code == 200
    for n in range(20):
        ask(at=f"10.0.{n}.1")
        ask(name=f"u{n}")  # a colleague in the same network
    assert ask(RIGHT).status_code == 200
    elsewhere = ask(RIGHT, at=ELSEWHERE)
    assert elsewhere.status_code == THROTTLED
    wait_is_over(int(elsewhere.headers["Retry-After"]))
    assert ask(RIGHT, at=ELSEWHERE).status_code == 200


def test_guesses_from_a_known_network_wait_all_the_same(ask: Callable[..., Any]) -> None:
    ask(RIGHT)
    assert codes(ask, 6) == [401] * 5 + [THROTTLED]


def test_a_count_can_be_off(ask: Callable[..., Any], limit: Callable[..., None]) -> None:
    limit(failures=0, failures_name=0, failures_network=0)
    assert codes(ask, 20) == [401] * 20


def test_every_way_in_counts_together(ask: Callable[..., Any]) -> None:
    codes(ask, 2, url=TOKEN)
    codes(ask, 2, url=LOGIN)
    Client(REMOTE_ADDR=HERE).post("/admin/login/", {"username": "ann", "password": WRONG})
    assert ask(RIGHT).status_code == THROTTLED


def test_the_admin_s_form_says_so(ask: Callable[..., Any]) -> None:
    codes(ask, 5)
    browser = Client(REMOTE_ADDR=HERE)
    page = browser.post("/admin/login/", {"username": "ann", "password": RIGHT})
    assert "Too many logins failed. Try again in 1 s." in page.content.decode()
    assert browser.get("/admin/").status_code == 302
    wait_is_over()
    assert browser.post("/admin/login/", {"username": "ann", "password": RIGHT}).status_code == 302
    assert browser.get("/admin/").status_code == 200


@pytest.mark.parametrize("way", ["api", "admin"])
def test_a_session_that_was_left_open_does_not_help_to_guess(ann: User, way: str) -> None:
    browser = Client(REMOTE_ADDR=HERE)
    browser.force_login(ann)
    new = "staple of a new one"

    def change(old: str) -> Any:
        if way == "admin":
            form = {"old_password": old, "new_password1": new, "new_password2": new}
            return browser.post("/admin/password_change/", form)
        body = {"old_password": old, "new_password": new}
        return browser.post("/api/v2/me/password/", body, "application/json")

    refusal = "entered incorrectly" if way == "admin" else "It is not your password."
    assert all(refusal in change(WRONG).content.decode() for _ in range(5))
    assert "Too many logins failed." in change(RIGHT).content.decode()
    wait_is_over()
    assert change(RIGHT).status_code in (302, 204)
    ann.refresh_from_db()
    assert ann.check_password(new)
    assert AuditEvent.objects.filter(action="login.failed", subject="ann").count() == 1


def test_behind_a_trusted_proxy_the_client_counts(ask: Callable[..., Any], settings: Any) -> None:
    settings.PAGODA = settings.PAGODA.model_copy(update={"pagoda_trusted_proxies": ("10.9.0.0/16",)})

    def through(client: str) -> int:
        return int(ask(at="10.9.0.1", HTTP_X_FORWARDED_FOR=client).status_code)

    assert [through(f"203.0.113.7, {HERE}") for _ in range(6)] == [401] * 5 + [THROTTLED]
    assert through(f"{HERE}, {ELSEWHERE}") == 401


def test_the_word_of_nobody_s_proxy_counts_for_nothing(ask: Callable[..., Any]) -> None:
    spoofed = [ask(HTTP_X_FORWARDED_FOR=f"10.0.{n}.1").status_code for n in range(6)]
    assert spoofed == [401] * 5 + [THROTTLED]


@pytest.mark.django_db(transaction=True)
def test_no_failure_is_lost_among_processes(settings: Any) -> None:
    def fail(n: int) -> None:
        try:
            logins._count_failure("ann", f"10.0.{n % 2}.0/24")
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(fail, range(20)))
    assert sorted(LoginCount.objects.values_list("failures", flat=True)) == [10, 10, 10, 10, 20]


class TestEvents:
    def test_failures_of_an_hour_are_two_events_with_all_of_them(self, ask: Callable[..., Any]) -> None:
        for name in ("ann", "ann", "bob", "bob"):
            ask(name=name)
        ask(at=ELSEWHERE)
        assert self._told("login.failed") == [
            ("ann", {"network": "192.0.2.0/24", "count": 1}),
            ("ann", {"network": "198.51.100.0/24", "count": 1}),
        ]
        FailedLogins.objects.update(ends_at=timezone.now())
        close_ended()
        close_ended()
        (summary,) = self._told("login.failed")[2:]
        assert summary == ("", {"network": "192.0.2.0/24", "count": 3, "names": ["ann", "bob"]})
        assert not FailedLogins.objects.exists()

    @pytest.mark.parametrize("way", ["unknown", "expired", "empty", "switched off"])
    def test_refused_tokens_are_events_and_counted(
        self, ann: User, client_of: Callable[..., Any], way: str
    ) -> None:
        client = client_of(ann)
        match way:
            case "unknown":
                client.credentials(HTTP_AUTHORIZATION="Token pagoda_gone")
            case "empty":
                client.credentials(HTTP_AUTHORIZATION="Bearer")
            case "expired":
                ann.api_tokens.update(expires_time=timezone.now())
            case "switched off":
                User.objects.update(is_active=False)
        assert [client.get("/api/v2/entries/").status_code for _ in range(30)] == [401] * 30
        assert self._told("token.refused") == [("", {"network": "127.0.0.0/24", "count": 1})]
        assert FailedLogins.objects.get(action="token.refused").count == 30

    def test_no_number_of_networks_makes_it_grow_without_bound(self, anonymous: Any) -> None:
        anonymous.credentials(HTTP_AUTHORIZATION="Token pagoda_gone")
        for n in range(NETWORKS_MAX + 50):
            anonymous.get("/api/v2/me/", REMOTE_ADDR=f"10.0.{n}.1")
        assert len(self._told("token.refused")) == NETWORKS_MAX + 1
        assert FailedLogins.objects.get(network="elsewhere").count == 50

    @staticmethod
    def _told(action: str) -> list[tuple[str, dict[str, Any]]]:
        return list(AuditEvent.objects.filter(action=action).order_by("pk").values_list("subject", "details"))


def test_a_count_that_no_process_of_ours_made_locks_nobody_out(ask: Callable[..., Any]) -> None:
    ask()
    far = timezone.now() + timedelta(days=4000)
    LoginCount.objects.update(failures=2**63 - 1, waits_until=far, forgotten_at=far)
    assert ask().status_code == 401  # looked at, and counted anew
    assert set(LoginCount.objects.values_list("failures", flat=True)) == {1}
    assert ask(RIGHT).status_code == 200
