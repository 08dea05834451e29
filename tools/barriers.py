"""What keeps people out of a page that a browser shows: violations of WCAG 2.2 AA, and scrolling sideways."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # it ships no types
from playwright.sync_api import Page, ViewportSize

RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
SIZES = (ViewportSize(width=360, height=800), ViewportSize(width=640, height=400))
"""A phone's, and what a window of 1280 x 800 has at 200 %."""
WINDOW = ViewportSize(width=1280, height=800)

_WIDE = """() => {
  const most = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= most) return [];
  return [...document.querySelectorAll('body *')]
    .filter(each => each.getBoundingClientRect().right > most && !each.closest('.scroll'))
    .map(each => each.outerHTML.slice(0, 200)); }"""


def violations(page: Page) -> Iterator[str]:
    """Yield what axe finds in the page as it is shown: the rule, and the elements."""
    for each in Axe().run(page, options={"runOnly": list(RULES)}).response["violations"]:
        yield f"{each['id']}: {[node['html'] for node in each['nodes']]}"


def barriers(page: Page) -> list[str]:
    """Return what is wrong with the page in both themes and in small windows; its window is `WINDOW` then."""
    found = []
    for theme in THEMES:
        page.emulate_media(color_scheme=theme)
        found += [f"{page.url}, {theme}: {each}" for each in violations(page)]
    for size in SIZES:
        page.set_viewport_size(size)
        found += [f"{page.url}, {size['width']} px: {each}" for each in page.evaluate(_WIDE)]
    page.set_viewport_size(WINDOW)
    return found
