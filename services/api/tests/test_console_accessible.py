"""Chromium and axe find nothing that keeps people out of a page, in both themes and on a narrow screen."""

from __future__ import annotations

import shutil
from datetime import date
from typing import Annotated, Any, Literal

import pytest
from playwright.sync_api import sync_playwright
from pydantic import BaseModel

from pagoda.jobs.testing import plugin_tasks
from pagoda_plugin_sdk import Plugin
from pagoda_plugin_sdk.tasks import EntryReference, plugin_task
from tools.barriers import violations

CHROMIUM = shutil.which("chromium")
WIDTH = 360

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(CHROMIUM is None, reason="there is no `chromium`; install Debian's package"),
]


class ShopParams(BaseModel):
    name: str
    size: Literal["small", "large"] = "small"
    sure: bool = False
    due: date | None = None
    words: list[str] = []
    host: Annotated[int, EntryReference("Host")] | None = None
    rest: dict[str, int] = {}


@plugin_task(0, params_model=ShopParams)
def order(job: Any) -> None: ...


class Shop(Plugin):
    id = "shop-of-test"
    name = "Shop"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pages_are_accessible_narrow_and_ask_no_other_host(
    theme: Any, live_server: Any, make_user: Any, web: Any, register: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")  # Playwright's loop runs in the thread of the test
    register(Shop())
    user = make_user("root", is_superuser=True)
    user.set_password("correct horse")
    user.save()
    entity, entry = f"/console/entities/{web.schema_id}/", f"/console/entries/{web.pk}/"
    urls = ["/console/", "/console/search/?q=w", "/console/entities/", entity, f"{entity}new/", entry]
    urls += [
        f"{entry}edit/",
        f"{entry}delete/",
        f"{entry}history/",
        "/console/jobs/",
        "/console/plugins/",
        "/console/me/",
    ]
    attribute = f"{entity}attributes/{web.schema.attrs.first().pk}/"
    urls += [f"{entity}import/", f"{entity}views/", f"{entity}attributes/", f"{entity}attributes/new/"]
    urls += [attribute, f"{attribute}remove/", f"{entity}delete/", f"{entity}history/", "/console/audit/"]
    urls += ["/console/tasks/shop-of-test/order/", "/console/plugins/shop-of-test/"]
    urls += ["/console/requests/one/", "/console/hooks/", "/console/entries/99999/"]
    found: dict[str, Any] = {}
    asked: list[str] = []
    with plugin_tasks("shop-of-test", [order]), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        # axe is put into the page as a script, which the policy of the pages refuses
        screen: Any = {"viewport": {"width": WIDTH, "height": 800}, "color_scheme": theme, "bypass_csp": True}
        page = browser.new_context(**screen).new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{live_server.url}/console/login/")
        found["login"] = list(violations(page))
        page.fill("[name=username]", "root")
        page.fill("[name=password]", "correct horse")
        page.click("button.main")
        for url in urls:
            page.goto(live_server.url + url)
            found[url] = list(violations(page))
            assert page.evaluate("document.documentElement.scrollWidth") <= WIDTH, url
            assert page.locator("header").count() == (0 if "99999" in url else 1), url
        browser.close()
    assert {url: each for url, each in found.items() if each} == {}
    assert [url for url in asked if not url.startswith(live_server.url)] == []
