"""What holds for pages holds in each of their states: faults, open breakers, empty lists, refusals."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tools.barriers import barriers
from tools.console_stage import Stage
from tools.stack import ADMIN

Open = Callable[..., Page]
JOB_MS = 90_000
LONG = "averyveryverylongnamewithoutanyplacetobreakitanywhere" * 2


@pytest.fixture(scope="module")
def made(live: Stage) -> Mapping[str, int]:
    """An entity with an attribute of each kind of input, an entry of it, and an entity with nothing."""
    kinds = ("string", "text", "number", "boolean", "date", "datetime", "group", "role", "array_object")
    attrs: list[dict[str, Any]] = [{"name": f"{kind} {LONG}", "type": kind} for kind in kinds]
    attrs += [{"name": "named", "type": "array_named_object", "note": LONG, "is_mandatory": True}]
    attrs += [{"name": "choice", "type": "select", "choices": [LONG, "b"]}]
    attrs += [{"name": "due", "type": "date"}, {"name": "size", "type": "number"}]
    attrs += [{"name": "word", "type": "string"}]
    entity = live.make_entity(f"State {LONG}", attrs)
    entry = live.make_entry(entity, LONG, {"named": [{"name": LONG, "object": None}], "word": LONG})
    return {"entity": entity, "entry": entry, "empty": live.make_entity("Nothing at all", [])}


def opened(page: Page) -> list[str]:
    """Return what keeps people out of the page as it is, each part of it that can be folded opened."""
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    return barriers(page)


def send(page: Page, button: str) -> None:
    """Send a form that the browser itself would not send."""
    page.evaluate("document.querySelectorAll('form').forEach(each => { each.noValidate = true; })")
    page.get_by_role("button", name=button, exact=True).first.click()


def test_forms_with_faults(open_page: Open, made: Mapping[str, int]) -> None:
    page, found = open_page(), list[str]()
    page.goto(f"/console/entities/{made['entity']}/new/")
    page.locator("#name").fill("")
    for label in ("size 1", "word 1"):
        page.get_by_label(label, exact=True).fill("large")
    page.get_by_label("named 1", exact=True).fill("nobody #999999")
    send(page, "Store")
    expect(page.locator(".fault").first).to_be_visible()
    invalid = page.locator("[aria-invalid=true]")
    assert invalid.count() >= 3
    for each in invalid.all():
        told = page.locator(f"#{each.get_attribute('aria-describedby')}")
        expect(told).to_have_class("fault")
    found += opened(page)

    page.goto(f"/console/entries/{made['entry']}/edit/")
    seen = page.locator("[name=version]").get_attribute("value")
    assert seen
    page.locator("[name=version]").evaluate("each => { each.value = 'another' }")
    page.get_by_label("word 1", exact=True).fill("mine")
    send(page, "Store")
    expect(page.locator(".now").first).to_be_visible()
    found += opened(page)
    assert found == []


def test_attributes_and_what_becomes_of_values(live: Stage, open_page: Open, made: Mapping[str, int]) -> None:
    page, found = open_page(), list[str]()
    attributes = f"/console/entities/{made['entity']}/attributes/"
    page.goto(f"{attributes}new/")
    send(page, "Store")
    expect(page.locator(".fault, [role=alert]").first).to_be_visible()
    found += opened(page)
    about = live.call("GET", f"entities/{made['entity']}/")
    word = next(each["id"] for each in about["attrs"] if each["name"] == "word")
    page.goto(f"{attributes}{word}/")
    page.locator("select[name=attr-type]").select_option("number")
    send(page, "See what becomes of values")
    expect(page.get_by_role("region", name="Faults")).to_be_visible()
    found += opened(page)
    page.goto(f"{attributes}{word}/remove/")
    found += opened(page)
    assert found == []


def test_many_at_once(live: Stage, open_page: Open, made: Mapping[str, int], tmp_path: Path) -> None:
    page, found = open_page(), list[str]()
    page.goto(f"/console/entities/{made['entity']}/")
    page.get_by_role("checkbox", name="Pick").check()
    send(page, "Delete those picked")
    found += opened(page)
    page.goto(f"/console/entities/{made['entity']}/")
    page.get_by_role("checkbox", name="Pick").check()
    send(page, "Change those picked")
    page.get_by_label("Set size to:").check()
    page.get_by_label("size 1", exact=True).fill("large")
    send(page, "Store")
    expect(page.get_by_role("alert").first).to_be_visible()
    found += opened(page)

    page.goto(f"/console/entities/{made['entity']}/import/")
    send(page, "Preview")
    expect(page.get_by_role("alert").first).to_be_visible()
    found += opened(page)
    file = tmp_path / "states.csv"
    file.write_text(f"name,size\n{LONG},large\n")
    page.get_by_label("File").set_input_files(file)
    send(page, "Preview")
    expect(page.get_by_role("region", name="Refused rows")).to_be_visible(timeout=JOB_MS)
    found += opened(page)
    assert found == []


def test_a_plugin_that_is_down_and_what_is_switched_on(live: Stage, open_page: Open, cracked: int) -> None:
    entry = live.make_entry(cracked, LONG)
    page, found = open_page(), list[str]()
    try:
        for button in ("Silence its alerts", "Run it dry"):
            page.goto("/console/plugins/moody/")
            form = page.locator("form", has=page.get_by_role("button", name=button, exact=True))
            form.get_by_label("Reason").fill(LONG)
            form.get_by_role("button", name=button, exact=True).click()
        for _ in range(3):  # the panel fails
            page.goto(f"/console/entries/{entry}/")
        found += opened(page)
        for path in ("", "plugins/", "plugins/moody/"):
            page.goto(f"/console/{path}")
            expect(page.get_by_role("main")).to_contain_text("its breaker is ")
            found += opened(page)
    finally:  # what follows counts on the breaker, which a dry run leaves alone
        for switch in ("silence", "dry_run"):
            live.call("DELETE", f"switches/moody/{switch}/")
    assert found == []


EMPTY = (
    "search/?q=nothing+is+called+so",
    "jobs/?operation=none",
    "hooks/?entity=none",
    "accounts/role/?search=none-is-called-so",
    "requests/none/",
    "access/?kind=entry&thing=99999999&user=nobody",
)


def test_lists_with_nothing_in_them(live: Stage, open_page: Open, made: Mapping[str, int]) -> None:
    live.make_user("lonely")
    found, own = list[str](), f"entities/{made['empty']}/"
    for name, paths in (("lonely", ("", "entities/", "jobs/", "me/")), ("admin", EMPTY)):
        page = open_page(name)
        for path in (*paths, own, f"{own}attributes/", f"{own}views/"):
            page.goto(f"/console/{path}")
            found += opened(page)
    assert found == []


def test_what_is_one_s_own(live: Stage, open_page: Open) -> None:
    page, found = open_page(None), list[str]()
    page.goto("/console/login/")
    page.get_by_label("Name").fill("nobody")
    page.get_by_label("Password").fill("wrong")
    send(page, "Log in")
    expect(page.get_by_role("alert")).to_be_visible()
    found += opened(page)

    page = open_page()
    page.goto("/console/me/")
    for name, networks in (("of a script", ""), ("of a script", "nonsense")):
        tokens = page.get_by_role("region", name="API tokens").first
        tokens.get_by_label("Name").fill(name)
        tokens.get_by_label("Networks").fill(networks)
        send(page, "Make a token")
        expect(page.get_by_role("alert" if networks else "status").first).to_be_visible()
        found += opened(page)
    page.get_by_label("The one that is").fill("wrong")
    page.get_by_label("The new one", exact=True).fill("short")
    page.get_by_label("The new one, again").fill("short")
    send(page, "Change it")
    expect(page.locator(".fault").first).to_be_visible()
    found += opened(page)
    assert found == []


def test_people_and_tasks_with_faults(live: Stage, open_page: Open) -> None:
    page, found = open_page(), list[str]()
    page.goto("/console/accounts/user/new/")
    send(page, "Store")
    expect(page.locator(".fault, [role=alert]").first).to_be_visible()
    found += opened(page)
    plain = live.make_user("explained")
    page.goto(f"/console/accounts/user/{plain}/")
    found += opened(page)
    page.goto("/console/tasks/moody/stay/")
    page.get_by_label("Tenths").fill("0")
    send(page, "Run")
    expect(page.locator(".fault").first).to_be_visible()
    found += opened(page)
    job = live.call("POST", "plugins/rogue/rave/", {"fails": 1}, 202)["job"]

    def running() -> str | None:
        return None if live.call("GET", f"jobs/{job}/")["finished_at"] else "it runs"

    live.host.stack.poll("the end of the job", running, 120)
    page.goto(f"/console/jobs/{job}/")
    found += opened(page)
    assert found == []


@pytest.mark.parametrize("language", ["en", "ja"])
def test_refusals_are_pages_with_the_id_of_their_request(live: Stage, open_page: Open, language: str) -> None:
    live.make_user(f"outcast-{language}")
    page, found = open_page(f"outcast-{language}", locale=language), list[str]()
    expected = {"nowhere/": 404, "entries/99999999/": 404, "plugins/moody/locked/": 403}
    for path, status in expected.items():
        found += refusal(page, path, status, language)
    for status in (500, 503):  # the breaker opens, for two seconds, when it has failed twice

        def missing(status: int = status) -> str | None:
            told = [page.goto("/console/plugins/moody/crashing/") for _ in range(2)][-1]
            return (
                None if told is not None and told.status == status else f"it answers {told and told.status}"
            )

        live.host.stack.poll(f"a page with {status}", missing, 60)
        found += looks_refused(page, language)
    assert found == []


def refusal(page: Page, path: str, status: int, language: str) -> list[str]:
    """Look at a page that is refused, and return what keeps people out of it."""
    answer = page.goto(f"/console/{path}")
    assert answer is not None
    assert answer.status == status, path
    expect(page.locator("main code")).to_have_text(answer.headers["x-request-id"])
    assert "default-src 'none'" in answer.headers["content-security-policy"], path
    return looks_refused(page, language)


def looks_refused(page: Page, language: str) -> list[str]:
    expect(page.locator("html")).to_have_attribute("lang", language)
    expect(page.locator("main code")).to_have_text(re.compile(r"\w{32}"))
    return opened(page)


def test_a_session_that_has_ended(open_page: Open, made: Mapping[str, int], live: Stage) -> None:
    """What was typed is sent after the login."""
    page, entity = open_page(), live.make_entity("Kept", [{"name": "word", "type": "string"}])
    page.goto(f"/console/entities/{entity}/new/")
    page.locator("#name").fill("typed before")
    page.get_by_label("word 1", exact=True).fill("kept")
    page.context.clear_cookies(name="sessionid")
    page.get_by_role("button", name="Store").click()
    expect(page.get_by_role("alert")).to_contain_text("Your session has ended. What you sent is kept")
    assert barriers(page) == []
    page.get_by_label("Name").fill(ADMIN)
    page.get_by_label("Password").fill(live.host.password)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Send what was kept?")
    assert barriers(page) == []
    page.get_by_role("button", name="Send it").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("typed before")
    expect(page.locator(".fields").first).to_contain_text("kept")
