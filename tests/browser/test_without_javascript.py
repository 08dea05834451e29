"""Without JavaScript people browse, change, run and cancel as with it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tools.console_stage import Stage

Open = Callable[..., Page]


@pytest.fixture
def page(open_page: Open) -> Page:
    return open_page(java_script_enabled=False)


def test_browse_and_edit(live: Stage, page: Page) -> None:
    attrs = [{"name": "size", "type": "number"}, {"name": "tags", "type": "array_string"}]
    entity = live.make_entity("Plain", attrs)
    for number in range(60):
        live.make_entry(entity, f"plain {number:02}", {"size": number})
    page.goto("/console/")
    page.get_by_role("link", name="Entities").first.click()
    page.get_by_role("link", name="Plain", exact=True).click()
    page.get_by_role("link", name="Next").click()
    expect(page.get_by_role("link", name="plain 59")).to_be_visible()
    page.get_by_role("searchbox", name="Name", exact=True).fill("plain 5")
    page.get_by_text("Values").click()
    page.get_by_role("textbox", name="size").fill("55")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("region", name="Entries").locator("tbody tr")).to_have_count(1)
    page.get_by_role("link", name="plain 55").click()
    page.get_by_role("link", name="Edit", exact=True).click()
    page.get_by_label("tags 1").fill("one")
    page.get_by_role("button", name="More rows").click()
    page.get_by_label("tags 2").fill("two")
    page.get_by_role("button", name="Store").click()
    expect(page.get_by_role("region", name="Values")).to_contain_text("two")
    page.get_by_role("link", name="Delete").click()
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("status")).to_contain_text("is deleted")


def test_run_and_cancel(live: Stage, page: Page) -> None:
    entry = live.make_entry(live.make_entity("Bench", []), "the bench")
    page.goto(f"/console/entries/{entry}/")
    page.get_by_role("link", name="Run stay").click()
    page.get_by_label("Tenths").fill("0")
    page.locator("form.entry").evaluate("form => form.noValidate = true")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.get_by_role("main")).to_contain_text("greater than or equal to 1")
    page.get_by_label("Tenths").fill("1200")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("stay")
    state = page.get_by_role("region", name="State")

    def ended() -> str:
        page.get_by_role("button", name="Cancel").click()

        def missing() -> str | None:
            if page.get_by_role("link", name="Look again").count():
                page.get_by_role("link", name="Look again").click()
            return None if "canceled" in state.inner_text() else state.inner_text()

        live.host.stack.poll("the end of the job", missing, 60)
        return state.inner_text()

    assert "canceled" in ended()
    page.get_by_role("button", name="Run it again").click()
    assert "canceled" in ended()
