"""The admin: its scripts, styles and fonts are the process's own, the policy holds, and markup stays text."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tools.barriers import barriers
from tools.console_stage import Stage

Open = Callable[..., Page]
LIST = re.compile(r"^/admin/\w+/\w+/$")


def test_every_table_and_row_opens_under_the_policy(
    live: Stage, open_page: Open, evil: str, evil_name: str
) -> None:
    attrs = [{"name": evil_name, "type": "string", "note": evil}]
    entity = live.make_entity(f"Table {evil_name}", attrs, note=evil)
    live.make_entry(entity, f"Row {evil_name}", {evil_name: evil}, note=evil)
    live.call("POST", "roles/", {"name": f"Role {evil_name}", "note": evil})
    page = open_page()
    page.goto("/admin/")
    tables = sorted({link for link in hrefs(page) if LIST.match(link)})
    assert len(tables) >= 11
    opened, shown = 0, 0
    for table in tables:
        page.goto(table)
        rows = [link for link in hrefs(page) if link.startswith(table) and link.endswith("/change/")]
        shown += "<img src=x onerror" in page.inner_text("body")
        for row in rows[:1]:
            page.goto(row)
            expect(page.get_by_role("heading", level=1)).to_be_visible()
            opened += 1
            assert page.evaluate("window.pwned") is None, row
            assert page.locator("img[src=x], [onerror]").count() == 0, row
    assert opened >= 6
    assert shown >= 3


def test_a_row_leads_to_the_console(live: Stage, open_page: Open) -> None:
    entry = live.make_entry(live.make_entity("Ledger", []), "first page")
    page = open_page()
    page.goto(f"/admin/entry/entry/{entry}/change/")
    link = page.get_by_role("link", name="View on site")
    page.goto(link.get_attribute("href") or "")
    expect(page.get_by_role("heading", level=1)).to_have_text("first page")


def test_nothing_keeps_operators_out(live: Stage, open_page: Open) -> None:
    """Of each table the list, a row, its history, the form of a new one, and the question before deleting."""
    ids = {
        "entity/entity": live.make_entity("Barrier", [{"name": "height", "type": "number"}]),
        "auth/group": live.call("POST", "groups/", {"name": "fitters"})["id"],
        "user/role": live.call("POST", "roles/", {"name": "fitting"})["id"],
        "user/user": live.make_user("fitter"),
    }
    ids["entry/entry"] = live.make_entry(ids["entity/entity"], "gate", {"height": 90})
    live.call("POST", "jobs/canary/", {"queue": "core"}, 202)
    page, found, opened = open_page(), list[str](), 0
    page.goto("/admin/")
    tables = sorted({link for link in hrefs(page) if LIST.match(link)})
    paths = ["/admin/", "/admin/password_change/", *tables]
    for table in tables:
        page.goto(table)
        links = hrefs(page)
        rows = [link for link in links if link.startswith(table) and link.endswith("/change/")]
        paths += [row.replace("/change/", f"/{kind}/") for row in rows[:1] for kind in ("change", "history")]
        paths += [link for link in links if link == f"{table}add/"]
    paths += [f"/admin/{table}/{pk}/{kind}/" for table, pk in ids.items() for kind in ("change", "delete")]
    for path in dict.fromkeys(paths):
        answer = page.goto(path)
        assert answer is not None
        assert answer.ok, path
        opened += 1
        found += barriers(page)
    assert opened >= 35
    assert found == []


def hrefs(page: Page) -> list[str]:
    found = page.locator("a[href]").evaluate_all("all => all.map(each => each.getAttribute('href'))")
    return [str(each).partition("?")[0] for each in found]
