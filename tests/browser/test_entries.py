"""People find an entry, change it, see what was changed, and are warned before they overwrite others."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tools.console_stage import Stage

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")

Open = Callable[..., Page]
JOB_MS = 90_000
APART_MS = 2_200
"""Writes that are further apart are moments to go back to."""


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


def test_a_value_and_then_the_whole_entry_are_taken_back(live: Stage, open_page: Open, rack: int) -> None:
    entry = live.make_entry(rack, "first name", {"serial": "S-first", "height": 1})
    page = open_page()
    page.wait_for_timeout(APART_MS)
    live.call("PATCH", f"entries/{entry}/", {"attrs": {"serial": "S-wrong"}})
    live.call("PATCH", f"entries/{entry}/", {"name": "second name", "attrs": {"height": 2}})
    page.goto(f"/console/entries/{entry}/")
    values, versions = page.get_by_role("region", name="Values"), page.get_by_role("region", name="Versions")
    row = versions.get_by_role("row").filter(has_text="serial").filter(has_text="S-first")
    row.get_by_role("button", name="Take serial back").click()
    expect(page.get_by_role("status")).to_have_text("Entry second name is stored.")
    expect(values).to_contain_text("S-first")
    expect(values).to_contain_text("2")

    versions.get_by_role("button", name="Take the whole entry back").last.click()
    expect(page.get_by_role("status")).to_have_text("Entry first name is stored.")
    stored = live.call("GET", f"entries/{entry}/")
    kept = {attr["name"]: attr["value"] for attr in stored["attrs"]}
    assert (stored["name"], kept["serial"], kept["height"]) == ("first name", "S-first", 1)
    expect(versions.locator("tr.latest", has_text="height")).to_contain_text("1")


def test_an_import_is_previewed_mended_and_written(live: Stage, open_page: Open, tmp_path: Path) -> None:
    entity = live.make_entity("Disk", [{"name": "size", "type": "number"}])
    faulty = {7: "large", 250: "larger", 499: "largest"}
    page = open_page()
    result = page.get_by_role("main").locator("p", has_text=" new, ")

    def upload(sizes: Sequence[str], button: str) -> None:
        file = tmp_path / "disks.csv"
        rows = [f"disk {number},{size}" for number, size in enumerate(sizes)]
        file.write_text("\n".join(["name,size", *rows]))
        page.goto(f"/console/entities/{entity}/")
        page.get_by_role("link", name="Import").click()
        page.get_by_label("File").set_input_files(file)
        page.get_by_role("button", name=button, exact=True).click()

    sizes = [faulty.get(number, str(number)) for number in range(500)]
    upload(sizes, "Preview")
    expect(result).to_contain_text("Nothing is written. 497 new", timeout=JOB_MS)
    expect(result).to_contain_text("3 refused")
    told = page.get_by_role("region", name="Refused rows").locator("tbody tr")
    expect(told).to_have_count(3)
    for row, (number, size) in zip(told.all(), faulty.items(), strict=True):
        for text in (f"disk {number}", "size", size):
            expect(row).to_contain_text(text)

    upload(sizes, "Import")  # all or none
    expect(result).to_contain_text("Nothing is written.", timeout=JOB_MS)
    assert live.call("GET", f"entries/?entity={entity}")["count"] == 0
    mended = ["1000" if number in faulty else str(number) for number in range(500)]
    upload(mended, "Preview")
    expect(result).to_contain_text("Nothing is written. 500 new", timeout=JOB_MS)
    expect(result).to_contain_text("0 refused")
    upload(mended, "Import")
    expect(result).to_contain_text("It is written. 500 new", timeout=JOB_MS)
    assert live.call("GET", f"entries/?entity={entity}")["count"] == 500


def test_two_people_edit_one_entry(live: Stage, open_page: Open, rack: int) -> None:
    entry = live.make_entry(rack, "shared", {"serial": "first", "height": 1})
    mine, theirs = open_page(), open_page()
    for page in (mine, theirs):
        page.goto(f"/console/entries/{entry}/edit/")
    theirs.get_by_label("serial 1").fill("theirs")
    theirs.get_by_role("button", name="Store").click()
    expect(theirs.get_by_role("status")).to_have_text("Entry shared is stored.")

    mine.get_by_label("serial 1").fill("mine")
    mine.get_by_role("button", name="Store").click()
    expect(mine.get_by_role("alert")).to_contain_text("Somebody else has changed this entry")
    expect(mine.locator(".now")).to_have_text("Now stored: theirs")
    assert mine.get_by_label("serial 1").input_value() == "mine"
    assert live.call("GET", f"entries/{entry}/")["attrs"][0]["value"] == "theirs"

    mine.get_by_role("button", name="Overwrite").click()
    expect(mine.get_by_role("status")).to_have_text("Entry shared is stored.")
    assert live.call("GET", f"entries/{entry}/")["attrs"][0]["value"] == "mine"


def test_references_are_suggested(live: Stage, open_page: Open, rack: int) -> None:
    target = live.make_entry(rack, "the seventh rack")
    attrs = [{"name": "rack", "type": "object", "referral": [rack]}]
    entry = live.make_entry(live.make_entity("Server", attrs), "web-1")
    page = open_page()
    page.goto(f"/console/entries/{entry}/edit/")
    box = page.get_by_label("rack 1")
    box.press_sequentially("seventh")
    expect(page.locator("datalist option")).to_have_count(1)
    expect(page.locator("datalist option")).to_have_attribute("value", f"the seventh rack #{target}")
    box.fill(f"the seventh rack #{target}")
    page.get_by_role("button", name="Store").click()
    page.get_by_role("definition").get_by_role("link", name="the seventh rack").click()
    expect(page.get_by_role("region", name="References")).to_contain_text("web-1")


def test_a_table_follows_the_search_and_its_url_is_its_state(live: Stage, open_page: Open, rack: int) -> None:
    live.make_entry(rack, "zebra", {"height": 3})
    page = open_page()
    page.goto(f"/console/entities/{rack}/")
    page.get_by_role("searchbox", name="Name", exact=True).press_sequentially("zebr")
    rows = page.get_by_role("region", name="Entries").locator("tbody tr")
    expect(rows).to_have_count(1)
    expect(page).to_have_url(re.compile("search=zebr"))
    page.reload()
    expect(rows).to_have_count(1)
    page.get_by_role("link", name="height").click()
    expect(page.get_by_role("columnheader", name="height")).to_have_attribute("aria-sort", "ascending")
