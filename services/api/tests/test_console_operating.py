"""What administrators do to a plugin from its page, by forms that need no JavaScript."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from pagoda.fencing.breaker import breaker
from pagoda.fencing.models import PluginSwitch
from pagoda.watching.presence import LivingProcess, renew
from pagoda_api.testing.host import browser_of
from pagoda_plugin_sdk import Plugin

pytestmark = pytest.mark.django_db

PAGE = "/console/plugins/shelf/"
SILENCE = "/console/operating/shelf/switch/silence/"
RETRY = "/console/operating/shelf/retry/hook/"
REASON = "a <b>deployment</b>"


class Shelf(Plugin):
    id = name = "shelf"
    version = "1.0.0"


@pytest.fixture(autouse=True)
def shelf(register: Callable[[Any], Any]) -> None:
    register(Shelf())


@pytest.fixture
def root(make_user: Callable[..., Any]) -> Client:
    return browser_of(make_user("root", is_superuser=True))


def text_of(browser: Client, url: str) -> str:
    return browser.get(url).content.decode()


def test_alerts_are_silenced_and_a_dry_run_begun_and_undone(root: Client) -> None:
    for kind in ("silence", "dry_run"):
        url = f"/console/operating/shelf/switch/{kind}/"
        assert f'action="{url}"' in text_of(root, PAGE)
        root.post(url, {"hours": "8", "reason": REASON})
        made = PluginSwitch.objects.get(kind=kind)
        assert made.until is not None
        assert (made.until - made.since).total_seconds() == 8 * 3600
        for shown in (PAGE, "/console/"):
            assert "a &lt;b&gt;deployment&lt;/b&gt;" in text_of(root, shown)
        root.post(url, {"hours": "", "reason": "x"})
        assert PluginSwitch.objects.get(kind=kind).until is None
        root.post(url, {"undo": "1"})
        assert PluginSwitch.objects.count() == 0
    assert text_of(root, PAGE).count("plugin.switched_off") == 2


def test_a_breaker_is_retried(root: Client) -> None:
    assert RETRY not in text_of(root, PAGE)
    for _ in range(5):
        breaker().fail("shelf", "hook", "handler", "KeyError")
    assert f'action="{RETRY}"' in text_of(root, PAGE)
    assert "One call is let through at" in text_of(root, PAGE)
    assert "breaker.retried" in root.post(RETRY, follow=True).content.decode()
    assert (
        "there is nothing to retry" in root.post(RETRY.replace("hook", "task"), follow=True).content.decode()
    )


@pytest.mark.parametrize(
    ("surface", "told"),
    [("hook", "One call is let through now"), ("task", "The next call is let through.")],
)
def test_after_a_retry_no_page_names_a_moment_that_is_over(root: Client, surface: str, told: str) -> None:
    for _ in range(5):
        breaker().fail("shelf", surface, "handler", "KeyError")  # type: ignore[arg-type]  # a str to mypy
    assert "One call is let through at" in text_of(root, PAGE)
    root.post(RETRY.replace("hook", surface))
    for page in (PAGE, "/console/"):
        assert told in text_of(root, page), page
        assert "let through at" not in text_of(root, page), page


def test_what_is_refused_is_told_and_nothing_is_done(root: Client) -> None:
    for hours in ("8", "many"):
        told = root.post(SILENCE, {"hours": hours, "reason": " "}, follow=True).content.decode()
        assert 'class="notice error"' in told
    assert PluginSwitch.objects.count() == 0
    assert root.get(SILENCE).status_code == 405
    strict = Client(enforce_csrf_checks=True, headers={"cookie": root.cookies.output(header="", sep=";")})
    assert strict.post(SILENCE, {"hours": "8", "reason": "x"}).status_code == 403


def test_others_are_shown_no_form_and_refused(make_user: Callable[..., Any], root: Client) -> None:
    root.post(SILENCE, {"hours": "8", "reason": "unspoken"})
    stan = make_user("stan")
    stan.is_staff = True
    stan.save()
    renew(LivingProcess(service="dispatcher"))
    for user, is_told in ((stan, True), (make_user("ann"), False)):
        browser = browser_of(user)
        assert "/console/operating/" not in text_of(browser, PAGE)
        for url in (PAGE, "/console/"):
            assert ("unspoken" in text_of(browser, url)) is is_told
        assert ("dispatcher" in text_of(browser, "/console/plugins/")) is is_told
        assert "Only superusers may" in browser.post(SILENCE, {"undo": "1"}, follow=True).content.decode()
    assert PluginSwitch.objects.count() == 1
