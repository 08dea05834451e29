"""Everything is done without a mouse."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect

from tools.console_stage import Stage
from tools.stack import ADMIN

Open = Callable[..., Page]
FAR = 80


def reach(page: Page, target: Locator) -> None:
    """Press Tab until it has the focus."""
    target.wait_for()
    for _ in range(FAR):
        page.keyboard.press("Tab")
        if target.evaluate("each => each === document.activeElement"):
            return
    raise AssertionError(f"{FAR} tabs lead not to {target}")


def press(page: Page, role: str, name: str) -> None:
    reach(page, page.get_by_role(role, name=name, exact=True).first)  # type: ignore[arg-type]  # a str to mypy
    page.keyboard.press("Enter")


def test_a_day_without_a_mouse(live: Stage, open_page: Open) -> None:
    entity = live.make_entity("Keyboard", [{"name": "keys", "type": "number", "is_summarized": True}])
    live.make_entry(entity, "qwerty", {"keys": 101})
    page = open_page(None)
    page.goto("/console/login/")
    for label, text in (("Name", ADMIN), ("Password", live.host.password)):
        reach(page, page.get_by_label(label))
        page.keyboard.type(text)
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", level=1)).to_have_text("Home")
    press(page, "link", "Skip to the content")
    assert page.evaluate("document.activeElement.id") == "main"
    press(page, "link", "Keyboard")
    press(page, "link", "keys")
    expect(page.get_by_role("columnheader", name="keys")).to_have_attribute("aria-sort", "ascending")
    press(page, "link", "qwerty")
    press(page, "link", "Edit")
    reach(page, page.get_by_label("keys 1"))
    page.keyboard.press("Control+A")
    page.keyboard.type("104")
    press(page, "button", "Store")
    expect(page.get_by_role("region", name="Values")).to_contain_text("104")
    the_entry_goes_and_comes_back(page)

    reach(page, page.get_by_label("Theme"))
    page.keyboard.press("d")
    press(page, "button", "Set")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")

    press(page, "link", "Jobs")
    reach(page, page.get_by_text("Run a task"))
    page.keyboard.press("Enter")
    press(page, "link", "moody: stay")
    reach(page, page.get_by_label("Entry 1"))
    page.keyboard.type("qwerty")
    press(page, "button", "Run")
    state = page.get_by_role("region", name="State")
    expect(state).to_contain_text("staying at qwerty", timeout=60_000)
    press(page, "button", "Cancel")
    expect(state).to_contain_text("canceled", timeout=60_000)
    press(page, "button", "Log out")
    expect(page.get_by_role("heading", level=1)).to_have_text("Log in to Pagoda")


def the_entry_goes_and_comes_back(page: Page) -> None:
    press(page, "link", "Delete")
    press(page, "button", "Delete")
    expect(page.get_by_role("status")).to_contain_text("is deleted")
    reach(page, page.get_by_label("Show"))
    page.keyboard.press("d")
    press(page, "button", "Show")
    press(page, "link", "qwerty")
    press(page, "button", "Restore")
    expect(page.get_by_role("link", name="Edit", exact=True)).to_be_visible()
