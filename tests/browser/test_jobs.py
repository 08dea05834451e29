"""People watch a job to its end, cancel one that runs, run it again, and see what is wrong with a plugin."""

from __future__ import annotations

import time
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tools.console_stage import Stage

Open = Callable[..., Page]
JOB_MS = 90_000


def test_a_scan_is_watched_to_its_end(live: Stage, open_page: Open) -> None:
    job = live.call("POST", "plugins/inventory/scan/", {}, 202)["job"]
    page = open_page()
    page.goto("/console/jobs/")
    page.get_by_role("link", name=str(job), exact=True).click()
    state = page.get_by_role("region", name="State")
    expect(state).to_contain_text("done", timeout=JOB_MS)
    expect(state).to_contain_text("100 %")
    expect(page.get_by_role("list", name="Log")).to_contain_text("are in stock")
    expect(page.get_by_role("heading", name="Result")).to_be_visible()
    page.goto("/console/")
    page.get_by_role("link", name="Host", exact=True).click()
    expect(page.get_by_role("region", name="Entries").locator("tbody tr")).to_have_count(1)


def test_a_running_job_is_cancelled_and_run_again(live: Stage, open_page: Open) -> None:
    job = live.call("POST", "plugins/moody/linger/", {}, 202)["job"]
    page = open_page()
    page.goto(f"/console/jobs/{job}/")
    state = page.get_by_role("region", name="State")
    expect(state).to_contain_text("25 % lingering", timeout=JOB_MS)  # without a reload
    page.get_by_role("button", name="Cancel").click()
    expect(state).to_contain_text("canceled", timeout=JOB_MS)
    page.get_by_role("button", name="Run it again").click()
    expect(state).to_contain_text("25 % lingering", timeout=JOB_MS)
    page.get_by_role("button", name="Cancel").click()
    expect(state).to_contain_text("canceled", timeout=JOB_MS)


def test_a_plugin_goes_down_and_comes_back(live: Stage, open_page: Open) -> None:
    mood = live.host.stack.data_dir / "mood"
    entry = live.make_entry(live.make_entity("Mood", []), "mine")
    page = open_page()
    lights = page.get_by_role("region", name="Plugins").get_by_role("link", name="Moody")
    needs = page.get_by_role("region", name="What needs a person").get_by_role("listitem")

    def edited(note: str) -> None:
        live.call("PATCH", f"entries/{entry}/", {"note": note})

    mood.touch()
    for note in ("a", "b"):
        edited(note)

    def shown_as(status: str) -> str | None:
        page.goto("/console/")
        return None if status in lights.inner_text() else lights.inner_text()

    live.host.stack.poll("the light of a plugin that is down", lambda: shown_as("failing"), 30)
    told = needs.filter(has_text="Moody")
    expect(told).to_contain_text("its breaker is open")
    expect(told).to_contain_text("Mend what `pagoda plugins doctor` tells. One call is let through at")
    told.get_by_role("link").click()
    expect(page.get_by_role("region", name="Breakers")).to_contain_text("it is in a bad mood")

    mood.unlink()

    def mended() -> str | None:
        edited(f"edited at {time.monotonic()}")
        page.goto("/console/")
        return "; ".join(needs.filter(has_text="its breaker").all_inner_texts()) or None

    live.host.stack.poll("the light of a plugin that is back", mended, 30)
