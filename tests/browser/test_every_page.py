"""What holds for every page that links lead to: no barrier, and no markup of others."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from tools.barriers import barriers
from tools.console_stage import Stage

Open = Callable[..., Page]
URLS = Path(__file__).parents[2] / "services" / "api" / "src" / "pagoda_api" / "console" / "urls.py"
PARTS = {"console-language", "console-suggestions", "console-job-live"}
"""What htmx asks for, and what leads back to the page that it was sent from."""
REFUSED = ("/console/nowhere/", "/console/entries/99999999/")
TYPES = ("string", "text", "array_string", "array_text", "select", "array_select")
LEAKS = """() => {
  const words = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), turned = [];
  const at = (node, index) => { const range = document.createRange(); range.setStart(node, index);
    range.setEnd(node, index + 1); return range.getBoundingClientRect(); };
  while (words.nextNode()) {
    const node = words.currentNode, found = /[A-Za-z]{4,}/.exec(node.data);
    if (!found || /[\\u2060-\\u206f\\u202a-\\u202e]/.test(node.data)) continue;
    const first = at(node, found.index), last = at(node, found.index + found[0].length - 1);
    if (first.top === last.top && first.width && first.left >= last.left) turned.push(node.data);
  }
  return turned;
}"""
"""Words that are shown from right to left as a text before them has turned the direction."""

CONTROLS = """() => [...document.querySelectorAll(
    'a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex="0"]')]
  .filter(each => !each.disabled && each.checkVisibility())
  .map((each, number) => { each.dataset.number = number; return each.outerHTML.slice(0, 200); })"""
FOCUSED = """() => { const at = document.activeElement, style = getComputedStyle(at);
  const number = at.dataset.number;
  return [number === undefined ? null : Number(number), style.outlineStyle !== 'none']; }"""
INLINE = """() => {
  const add = (name, text) => { const made = document.createElement(name); made.className = 'tried';
    made.textContent = text; document.body.append(made); };
  add('script', 'window.pwned = 1'); add('style', 'body { opacity: 0.5 }');
  fetch('https://elsewhere.invalid/').catch(() => add('p', ''));
}"""


@pytest.fixture(scope="module")
def pages(live: Stage, evil: str, evil_name: str) -> list[str]:
    """Every page, when every text of it is markup."""
    options: dict[str, Any] = {"select": {"choices": [evil]}, "array_select": {"choices": [evil]}}
    attrs: list[dict[str, Any]] = [
        {"name": f"{kind} {evil_name}", "type": kind, "note": evil, **options.get(kind, {})} for kind in TYPES
    ]
    attrs += [{"name": "link", "type": "array_named_object"}, {"name": "when", "type": "datetime"}]
    entity = live.make_entity(f"Entity {evil_name}", attrs, note=evil)
    values: dict[str, Any] = {
        attr["name"]: [evil] if attr["type"].startswith("array_") else evil for attr in attrs[: len(TYPES)]
    }
    entry = live.make_entry(entity, f"Entry {evil_name}", values, note=evil)
    live.call("PATCH", f"entries/{entry}/", {"attrs": {"link": [{"name": evil, "object": entry}]}})
    own = live.make_entity("Evil", [])
    for name in ("calm", "failing"):
        live.make_entry(own, name)
    live.call("POST", "roles/", {"name": evil_name, "note": evil})
    live.call("POST", "groups/", {"name": evil_name})
    jobs = [live.call("POST", "plugins/rogue/rave/", {"fails": fails}, 202)["job"] for fails in (0, 1)]

    def missing() -> str | None:
        left = [job for job in jobs if not live.call("GET", f"jobs/{job}/")["finished_at"]]
        return f"jobs {left}" if left else None

    live.host.stack.poll("the end of jobs", missing, 120)
    about = [f"/console/entities/{entity}/", f"/console/entries/{entry}/"]
    about += [f"/console/entries/{entry}/{rest}/" for rest in ("edit", "delete", "history")]
    about += [f"/console/entities/{entity}/new/", *(f"/console/jobs/{job}/" for job in jobs)]
    found = live.pages_of(each=1)
    return [*dict.fromkeys([*found, *about, "/console/login/", "/console/search/?q=%3Cimg", *REFUSED])]


def routes() -> dict[str, str]:
    """Return ``{name: regular expression}`` of all paths below ``/console/``."""
    found = {}
    for call in (each for each in ast.walk(ast.parse(URLS.read_text())) if isinstance(each, ast.Call)):
        names = [each.value for each in call.keywords if each.arg == "name"]
        if names:
            route = re.sub(
                r"<(?:str|path):\w+>", "[^/]+", re.sub(r"<int:\w+>", r"\\d+", ast.literal_eval(call.args[0]))
            )
            found[str(ast.literal_eval(names[0]))] = route.strip("^$")
    return found


def sample(route: str) -> str:
    """Return a path that a route takes."""
    numbered = re.sub(r"\(\?P<\w+>\[0-9\]\+\)|\\d\+", "1", route)
    return "/console/" + re.sub(r"\(\?P<\w+>(\w+)[^)]*\)", r"\1", numbered).replace("[^/]+", "x")


def test_no_page_of_the_console_is_left_out(live: Stage, pages: list[str]) -> None:
    """What the tests here visit is what there is: a path beside takes no GET, or is a part of a page."""
    visited = [path.partition("?")[0].removeprefix("/console/") for path in pages]
    beside = {
        name: sample(route)
        for name, route in routes().items()
        if not any(re.fullmatch(route, path) for path in visited)
    }
    with live.context_of() as context:
        got = {name: context.request.get(path, max_redirects=0).status for name, path in beside.items()}
    assert {name for name, status in got.items() if status != 405} == PARTS, got


def test_nothing_keeps_people_out(open_page: Open, pages: list[str]) -> None:
    page, found = open_page(), list[str]()
    for path in pages:
        page.goto(path)
        found += barriers(page)
    assert found == []


def test_markup_stays_text_and_turns_no_other_text_around(open_page: Open, pages: list[str]) -> None:
    page, shown = open_page(), 0
    turned: list[tuple[str, str]] = []
    for path in pages:
        page.goto(path)
        assert page.evaluate("window.pwned") is None, path
        assert page.locator("img, script:not([src]), [onerror]").count() == 0, path
        turned += [(path, each) for each in page.evaluate(LEAKS)]
        shown += "<img src=x onerror" in page.inner_text("main")
    assert shown > 10
    assert turned == [], turned


def test_every_control_is_reached_by_tab_and_shows_it(open_page: Open, pages: list[str]) -> None:
    page = open_page()
    for path in pages:
        page.goto(path)
        names = page.evaluate(CONTROLS)
        seen: set[int | None] = set()
        for _ in range(4 * len(names)):  # a date has a stop for each of its parts
            if len(seen - {None}) == len(names):
                break
            page.keyboard.press("Tab")
            number, has_outline = page.evaluate(FOCUSED)
            assert has_outline or number is None, (path, names[number])
            seen.add(number)
        assert [name for number, name in enumerate(names) if number not in seen] == [], path


def test_the_policy_holds(open_page: Open, live: Stage) -> None:
    """Faults that `open_page` would find are made on purpose, in a window of its own."""
    with live.context_of() as context:
        page = context.new_page()
        told: list[str] = []
        page.on("console", lambda each: told.append(each.text))
        page.goto("/console/")
        page.evaluate(INLINE)
        page.wait_for_function("document.querySelectorAll('.tried').length === 3")
        assert page.evaluate("window.pwned") is None
        assert page.evaluate("getComputedStyle(document.body).opacity") == "1"
    kinds = [
        kind for kind in ("script-src", "style-src", "connect-src") if any(kind in each for each in told)
    ]
    assert len(kinds) == 3, told
