"""Panels and buttons of plugins on the page of an entry: one that fails is a notice, and the page stands."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tools.console_stage import Stage

Open = Callable[..., Page]


def test_a_broken_panel_is_a_notice_and_the_page_stands(live: Stage, open_page: Open, cracked: int) -> None:
    entry = live.make_entry(cracked, "vase", {"colour": "blue"})
    page = open_page()
    panel = page.get_by_role("region", name="Cracks")
    for _ in range(3):  # the breaker opens on the way
        page.goto(f"/console/entries/{entry}/")
        expect(panel.locator(".notice")).to_contain_text("moody")
        assert "it breaks" not in page.content()
        expect(page.get_by_role("region", name="Values")).to_contain_text("blue")
        expect(page.get_by_role("region", name="Versions")).to_contain_text("colour")
    page.get_by_role("link", name="Edit", exact=True).click()
    page.get_by_label("colour 1").fill("red")
    page.get_by_role("button", name="Store").click()
    expect(page.get_by_role("region", name="Values")).to_contain_text("red")


def test_a_good_panel_and_a_button_are_shown(live: Stage, open_page: Open) -> None:
    entry = live.make_entry(live.make_entity("Greeting", []), "Panel")
    page = open_page()
    page.goto(f"/console/entries/{entry}/")
    expect(page.get_by_role("region", name="Greeting")).to_contain_text("Hello, Panel!")
    page.get_by_role("button", name="Say hello").click()
    expect(page.get_by_role("status")).to_contain_text("Hello, Panel!")
