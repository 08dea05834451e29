"""A plain user sees nothing that they may not, on any page."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from pagoda_plugin_sdk import PermissionLevel
from tools.console_stage import Stage

Open = Callable[..., Page]
SECRET = "hush-hush"


def test_a_plain_user_sees_what_they_may_alone(live: Stage, open_page: Open) -> None:
    attrs = [{"name": f"{SECRET}-attribute", "type": "string"}]
    hidden = live.make_entity(f"{SECRET}-entity", attrs, default_permission=PermissionLevel.NOTHING)
    entry = live.make_entry(hidden, f"{SECRET}-entry", {f"{SECRET}-attribute": f"{SECRET}-value"})
    job = live.call("POST", "plugins/hello-world-plugin/hello/", {"name": SECRET}, 202)["job"]
    live.make_user("plain")
    page = open_page("plain")

    pages = live.pages_of("plain")
    assert len(pages) > 8
    for path in pages:
        page.goto(path)
        expect(page.locator("header")).to_contain_text("plain")
        assert SECRET not in page.content(), path
        assert page.get_by_role("link", name="Admin").count() == 0, path

    page.get_by_role("searchbox", name="Search by name").fill(SECRET)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Found for")
    assert page.get_by_role("main").get_by_role("link").count() == 0

    of_entry = ("", "edit/", "delete/", "history/")
    refused = [f"entities/{hidden}/", f"entities/{hidden}/new/", f"jobs/{job}/", f"jobs/{job}/live/"]
    for path in [*refused, *(f"entries/{entry}/{rest}" for rest in of_entry)]:
        answer = page.goto(f"/console/{path}")
        assert answer is not None
        assert answer.status in (403, 404), path
        assert SECRET not in page.content(), path
    for path in (f"entries/{entry}/delete/", f"entries/{entry}/restore/", f"jobs/{job}/cancel/"):
        page.goto("/console/")
        token = page.locator("[name=csrfmiddlewaretoken]").first.input_value()
        page.request.post(f"/console/{path}", form={"csrfmiddlewaretoken": token})
    assert live.call("GET", f"entries/{entry}/")["is_active"] is True


def test_a_reader_sees_values_and_changes_none(live: Stage, open_page: Open) -> None:
    entity = live.make_entity(
        "Shelf", [{"name": "colour", "type": "string"}], default_permission=PermissionLevel.NOTHING
    )
    entry = live.make_entry(entity, "top shelf", {"colour": "red"})
    grants = [{"entity": entity, "level": "readable"}]
    role = {"name": "readers of shelves", "users": [live.make_user("reader")], "permissions": grants}
    live.call("POST", "roles/", role)
    page = open_page("reader")
    page.goto(f"/console/entities/{entity}/")
    page.get_by_role("link", name="top shelf").click()
    expect(page.get_by_role("region", name="Values")).to_contain_text("red")
    page.goto(f"/console/entries/{entry}/edit/")
    page.locator("#name").fill("taken over")
    page.get_by_role("button", name="Store").click()
    expect(page.get_by_role("alert")).to_be_visible()
    assert live.call("GET", f"entries/{entry}/")["name"] == "top shelf"
