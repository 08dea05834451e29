"""People find an entry, change it, see what was changed, and are warned before they overwrite others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tools.console_stage import Stage

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")

Open = Callable[..., Page]


@pytest.fixture(scope="module")
def rack(live: Stage) -> int:
    """An entity."""
    attrs: list[dict[str, Any]] = [
        {"name": "serial", "type": "string", "is_summarized": True},
        {"name": "height", "type": "number", "is_summarized": True},
        {"name": "bought", "type": "date"},
        {"name": "powered", "type": "boolean"},
        {"name": "tags", "type": "array_string"},
    ]
    return live.make_entity("Rack", attrs)


def test_log_in_find_edit_and_see_the_history(live: Stage, open_page: Open, rack: int) -> None:
    for number in range(3):
        live.make_entry(rack, f"rack {number}", {"serial": f"S-{number}", "height": 42})
    page = open_page(None)
    live.log_in(page)

    page.get_by_role("searchbox", name="Search by name").fill("rack 1")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="rack 1", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("rack 1")

    page.get_by_role("link", name="Edit", exact=True).click()
    page.get_by_label("serial 1").fill("S-new")
    page.get_by_label("height 1").fill("tall")
    page.get_by_role("button", name="Store").click()
    fault = page.locator(".fault")
    expect(fault).to_contain_text("number")
    assert page.get_by_label("serial 1").input_value() == "S-new"

    page.get_by_label("height 1").fill("47")
    page.get_by_label("tags 1").fill("blue")
    page.get_by_role("button", name="Store").click()
    expect(page.get_by_role("status")).to_have_text("Entry rack 1 is stored.")
    values = page.get_by_role("region", name="Values")
    for text in ("S-new", "47", "blue"):
        expect(values).to_contain_text(text)
    versions = page.get_by_role("region", name="Versions")
    expect(versions.locator("tr.latest", has_text="serial")).to_contain_text("S-new")
    expect(versions.locator("tr:not(.latest)", has_text="serial")).to_contain_text("S-1")
