"""One Pagoda and one browser for all tests; a window notes what no page may do."""

from __future__ import annotations

import ast
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page

from pagoda_plugin_sdk.rules.unseen import unseen_in
from tools.console_stage import CHROMIUM, Stage, stage
from tools.stack import ADMIN, DEMO_PLUGINS, free_port

PLUGINS = Path(__file__).parents[1] / "fixtures" / "browser"
RANGES = json.loads(DEMO_PLUGINS["PLUGIN_OPERATION_ID_CONFIG"])
ENVIRON = {
    "PLUGIN_EXAMPLES_DIR": str(PLUGINS),
    "ENABLED_PLUGINS": f"{DEMO_PLUGINS['ENABLED_PLUGINS']},moody,rogue",
    "PLUGIN_OPERATION_ID_CONFIG": json.dumps({**RANGES, "moody": [5000, 5009], "rogue": [5010, 5019]}),
    "BREAKER_CONSECUTIVE_FAILURES": "2",
    "BREAKER_COOLDOWN_SECONDS": "2",
}
NO_CHROMIUM = "there is no `chromium`; install Debian's package"

type Open = Callable[..., Page]


@pytest.fixture(scope="session")
def issuer() -> str:
    """Where the OpenID provider is that the host knows, once a test starts one."""
    return f"http://localhost:{free_port()}"


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory, issuer: str) -> Iterator[Stage]:
    """The running host with its browser."""
    if CHROMIUM is None:
        assert os.environ.get("CI") != "true", NO_CHROMIUM
        pytest.skip(NO_CHROMIUM)
    known = {
        "PAGODA_OIDC_ISSUER": issuer,
        "PAGODA_OIDC_CLIENT_ID": "pagoda",
        "PAGODA_OIDC_CLIENT_SECRET": "s",
    }
    with stage(tmp_path_factory.mktemp("browser"), ENVIRON | known) as running:
        yield running


@pytest.fixture(scope="session")
def cracked(live: Stage) -> int:
    """Return the entity on the pages of whose entries a panel of the plugin `moody` fails."""
    return live.make_entity("Cracked", [{"name": "colour", "type": "string"}])


@pytest.fixture(scope="session")
def evil() -> str:
    """What the plugin `rogue` says: markup, quotes, and characters that turn the direction of writing."""
    made = ast.parse((PLUGINS / "rogue" / "rogue.py").read_text()).body
    [text] = [
        each.value for each in made if isinstance(each, ast.Assign) and ast.unparse(each.targets[0]) == "EVIL"
    ]
    return str(ast.literal_eval(text))


@pytest.fixture(scope="session")
def evil_name(evil: str) -> str:
    """The same as a name may be: without what nobody sees, with letters that are written from the right."""
    return "".join(each for each in evil if unseen_in(each) is None) + "\u05d0\u05d1\u05d2"


@pytest.fixture
def open_page(live: Stage) -> Iterator[Open]:
    """Open windows; at the end none has asked another host, broken the policy or raised an error."""
    contexts: list[BrowserContext] = []
    faults: list[str] = []

    def watch(page: Page) -> Page:
        page.on("console", lambda told: _noted(faults, told.type == "error", told.text))
        page.on("pageerror", lambda error: faults.append(f"{page.url}: {error}"))
        page.on("request", lambda asked: _noted(faults, not asked.url.startswith(live.url), asked.url))
        return page

    def opened(name: str | None = ADMIN, **options: Any) -> Page:
        context = live.context(**options) if name is None else live.context_of(name, **options)
        contexts.append(context)
        return watch(context.new_page())

    yield opened
    for context in contexts:
        context.close()
    assert faults == []


def _noted(faults: list[str], is_fault: bool, text: str) -> None:
    """Note a fault. A refused page is none: the browser tells its status as an error."""
    if is_fault and not text.startswith(
        ("data:", "Failed to load resource: the server responded with a status")
    ):
        faults.append(text)
