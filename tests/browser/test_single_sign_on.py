"""People log in by the button, at a provider that is a process of its own, and land where they wanted."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Page, Route, expect

from tools.barriers import barriers
from tools.console_stage import PASSWORD, Stage

Visit = Callable[..., Page]
BUTTON = "Log in with single sign-on"


@pytest.fixture(scope="module")
def provider(live: Stage, issuer: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A provider that knows nobody yet."""
    log: Path = tmp_path_factory.mktemp("provider") / "log"
    command = [sys.executable, "-m", "oidc_provider_mock", "--port", str(urlsplit(issuer).port)]
    insecure = {"PATH": os.environ["PATH"], "AUTHLIB_INSECURE_TRANSPORT": "1"}
    with (
        log.open("wb") as out,
        subprocess.Popen(command, env=insecure, stdout=out, stderr=out) as process,
    ):
        try:
            live.host.stack.poll("the provider", lambda: _missing(f"{issuer}/jwks"), 60)
            yield issuer
        finally:
            process.terminate()


def _missing(url: str) -> str | None:
    try:
        return None if httpx.get(url).is_success else "it answers with an error"
    except httpx.TransportError as error:
        return repr(error)


@pytest.fixture
def visit(live: Stage, provider: str) -> Iterator[Visit]:
    """Open windows that reach the host and the provider alone; none has broken the policy of a page."""
    told: list[str] = []

    def opened(**options: object) -> Page:
        page = live.context(**options).new_page()
        page.route("**/*", lambda route: _let(route, (live.url, provider)))
        page.on("console", lambda each: told.append(each.text) if "Security Policy" in each.text else None)
        opened_pages.append(page)
        return page

    opened_pages: list[Page] = []
    yield opened
    for page in opened_pages:
        page.context.close()
    assert told == []


def _let(route: Route, known: tuple[str, ...]) -> None:
    if route.request.url.startswith(known):
        route.continue_()
    else:
        route.abort()


def person(provider: str, sub: str, **claims: object) -> None:
    httpx.put(f"{provider}/users/{sub}", json=claims).raise_for_status()


def authorize(page: Page, provider: str, sub: str) -> None:
    """Go on from the page that asks, and log in at the provider."""
    page.get_by_role("button", name="Go on").click()
    page.wait_for_url(f"{provider}/**")
    page.get_by_label("Subject").fill(sub)
    page.get_by_role("button", name="Authorize", exact=True).click()


def test_the_button_leads_to_the_page_that_was_wanted(live: Stage, provider: str, visit: Visit) -> None:
    person(provider, "b-1", preferred_username="olga")
    wanted = "/console/jobs/?status=done"
    page = visit()
    page.goto(wanted)
    page.get_by_role("link", name=BUTTON).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Single sign-on")
    expect(page.locator("main")).to_contain_text(urlsplit(provider).netloc)
    authorize(page, provider, "b-1")
    page.wait_for_url(f"{live.url}{wanted}")
    expect(page.locator("header")).to_contain_text("olga")
    page.get_by_role("button", name="Log out").click()
    page.get_by_role("link", name=BUTTON).click()
    authorize(page, provider, "b-1")
    page.wait_for_url(f"{live.url}/console/")


def test_it_takes_no_script(live: Stage, provider: str, visit: Visit) -> None:
    person(provider, "b-2", preferred_username="pia")
    page = visit(java_script_enabled=False)
    page.goto("/console/me/")
    page.get_by_role("link", name=BUTTON).click()
    authorize(page, provider, "b-2")
    page.wait_for_url(f"{live.url}/console/me/")
    expect(page.get_by_role("heading", level=1)).to_have_text("pia")


def test_a_refusal_is_a_page_in_the_reader_s_words(live: Stage, provider: str, visit: Visit) -> None:
    live.make_user("taken")
    person(provider, "b-3", preferred_username="taken")
    for locale, words in (("en", "There is a user of your name already"), ("ja", "同じ名前のユーザー")):
        page = visit(locale=locale)
        page.goto("/accounts/oidc/login/?next=/console/")
        page.locator("button.main").click()
        page.get_by_label("Subject").fill("b-3")
        page.get_by_role("button", name="Authorize", exact=True).click()
        expect(page.locator("main")).to_contain_text(words)
        assert barriers(page) == []
        page.goto("/console/")
        assert "/console/login/" in page.url
    page = visit()
    page.goto("/console/login/")
    page.get_by_role("link", name=BUTTON).click()
    page.get_by_role("button", name="Go on").click()
    page.get_by_role("button", name="Deny access").click()
    expect(page.locator("main")).to_contain_text("The login at the provider failed.")


def test_who_has_a_password_connects_a_login(live: Stage, provider: str, visit: Visit) -> None:
    live.make_user("rosa")
    person(provider, "b-4", preferred_username="rosa")
    page = visit()
    page.goto("/console/login/")
    page.get_by_label("Name").fill("rosa")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.goto("/console/me/")
    page.get_by_role("link", name="Connect a login at single sign-on").click()
    assert barriers(page) == []
    authorize(page, provider, "b-4")
    page.wait_for_url(f"{live.url}/console/me/")
    other = visit()
    other.goto("/console/me/")
    other.get_by_role("link", name=BUTTON).click()
    authorize(other, provider, "b-4")
    other.wait_for_url(f"{live.url}/console/me/")
    expect(other.get_by_role("heading", level=1)).to_have_text("rosa")
