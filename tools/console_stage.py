"""A running Pagoda and Debian's Chromium that looks at its console: for tests and screenshots."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tools.stack import ADMIN, DEMO_PLUGINS
from tools.zoo import ZooHost, host

_LINK = re.compile(r'<a [^>]*href="([^"#]+)"')
_VARIABLE = re.compile(r"(?<=/)\d+(?=/)|=[^&]*")
"""What pages of one kind differ in."""

CHROMIUM = shutil.which("chromium")
PASSWORD = "correct horse battery"  # noqa: S105 - of people who live as long as the stage


class Stage:
    """A host with workers, and a browser. Any: JSON values, and what Playwright takes."""

    def __init__(self, running: ZooHost, browser: Browser) -> None:
        self.host = running
        self.browser = browser
        self.url = f"http://{running.address}"
        self._passwords = {ADMIN: running.password}
        self._logins: dict[str, Any] = {}

    def call(self, method: str, path: str, body: object = None, status: int = 0) -> Any:
        """Send a request to the API as administrator and return the JSON of its answer.

        Raises:
            StackError: it answers another status than `status`, or than the usual one of the method.
        """
        usual = {"GET": 200, "POST": 201, "PATCH": 200, "PUT": 200, "DELETE": 204}[method]
        return self.host.checked(method, f"/api/v2/{path}", status or usual, json=body)

    def make_entity(self, name: str, attrs: list[dict[str, Any]], **fields: Any) -> int:
        """Make an entity and return its id."""
        return int(self.call("POST", "entities/", {"name": name, "attrs": attrs, **fields})["id"])

    def make_entry(
        self, entity: int, name: str, attrs: Mapping[str, Any] | None = None, note: str = ""
    ) -> int:
        """Make an entry and return its id."""
        data = {"name": name, "schema": entity, "attrs": dict(attrs or {}), "note": note}
        return int(self.call("POST", "entries/", data)["id"])

    def make_user(self, name: str, **fields: Any) -> int:
        """Make a person without rights, who can log in, and return the id."""
        self._passwords[name] = PASSWORD
        return int(self.call("POST", "users/", {"username": name, "password": PASSWORD, **fields})["id"])

    def context(self, **options: Any) -> BrowserContext:
        """Open a window of somebody who is not logged in."""
        context = self.browser.new_context(base_url=self.url, **options)
        context.set_default_timeout(20_000)
        return context

    def context_of(self, name: str = ADMIN, **options: Any) -> BrowserContext:
        """Open a window of somebody who is logged in."""
        if name not in self._logins:
            with self.context() as fresh:
                self.log_in(fresh.new_page(), name)
                self._logins[name] = fresh.storage_state()
        return self.context(storage_state=self._logins[name], **options)

    def pages_of(self, name: str = ADMIN, *, each: int = 2) -> list[str]:
        """Follow the links of the console and return paths, `each` of those that differ in ids."""
        found, kinds, waiting = list[str](), Counter[str](), ["/console/"]
        with self.context_of(name) as context:
            while waiting:
                path = waiting.pop(0)
                kind = _VARIABLE.sub("*", path)
                kinds[kind] += 1
                if path in found or kinds[kind] > each:
                    continue
                answer = context.request.get(path)
                if "text/html" not in answer.headers.get("content-type", ""):
                    continue
                found.append(path)
                links = _LINK.findall(answer.text())
                waiting += [urljoin(path, unescape(link)) for link in links]
                waiting = [link for link in waiting if link.startswith("/console/")]
        return found

    def log_in(self, page: Page, name: str = ADMIN) -> None:
        """Log in as people do."""
        page.goto("/console/login/")
        page.get_by_label("Name").fill(name)
        page.get_by_label("Password").fill(self._passwords[name])
        page.get_by_role("button", name="Log in").click()
        page.wait_for_url("**/console/")


@contextmanager
def stage(folder: Path, environ: Mapping[str, str] | None = None) -> Iterator[Stage]:
    """Start a Pagoda with the plugins of this repository, and a browser; stop both at the end."""
    plugins = DEMO_PLUGINS | dict(environ or {})
    with host(folder, plugins, workers=True) as running, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            yield Stage(running, browser)
        finally:
            browser.close()
            running.client.close()
