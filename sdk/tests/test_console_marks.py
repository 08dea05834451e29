"""Marks of the places that a plugin has in the console, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pagoda_plugin_sdk import Plugin, PluginValidationError, decorators
from pagoda_plugin_sdk.checking.handlers import handler_faults
from pagoda_plugin_sdk.decorators import PartMark, part_marks
from pagoda_plugin_sdk.metadata import NavigationEntry

UNTYPED: Any = decorators


def entry_panel[F](*given: Any, **named: Any) -> Callable[[F], F]:
    """Any: types would refuse what the decorator itself is to refuse here."""
    return UNTYPED.entry_panel(*given, **named)  # type: ignore[no-any-return]


class Placed(Plugin):
    id = name = "placed"

    @entry_panel("Host", title="Packages", priority=7)
    @entry_panel("Rack", title="Packages")
    def packages(self, request: Any, entry: Any) -> None: ...

    @entry_panel(title="Anything")
    def any_arguments(self, *args: Any, **kwargs: Any) -> None: ...


class Wrong(Plugin):
    id = name = "wrong"

    @entry_panel(title="Late")
    async def late(self, request: Any, entry: Any) -> None: ...

    @entry_panel(title="Narrow")
    def narrow(self, request: Any) -> None: ...

    @entry_panel(title="Greedy")
    def greedy(self, request: Any, entry: Any, user: Any) -> None: ...


def test_marks_are_collected_in_their_order_and_leave_the_function() -> None:
    assert [(mark.title, mark.entity, mark.priority, name) for mark, name in Placed._entry_parts] == [
        ("Packages", "Host", 7, "packages"),
        ("Packages", "Rack", 100, "packages"),
        ("Anything", None, 100, "any_arguments"),
    ]
    assert part_marks(Placed.packages)[0] == PartMark(
        kind="panel", title="Packages", entity="Host", priority=7
    )
    assert Placed().packages(None, None) is None


def test_a_method_that_overrides_another_without_a_mark_is_none() -> None:
    class Heir(Placed):
        def packages(self, request: Any, entry: Any) -> None: ...

    assert [name for _, name in Heir._entry_parts] == ["any_arguments"]


def test_methods_that_cannot_be_called_are_named_with_the_remedy() -> None:
    assert list(handler_faults(Placed())) == []
    late, narrow, greedy = [each.text for each in handler_faults(Wrong()) if each.code == "bad_signature"]
    assert late.startswith("late: the panel 'Late' is a coroutine function, and is called without `await`.")
    assert narrow.startswith("narrow: the panel 'Narrow' has the signature ")
    assert "can't take its arguments (missing a required" in greedy
    assert greedy.endswith("Expected: (self, request, entry).")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"title": " "}, "`title` of @entry_panel is ' ', expected a line of 1 to 60 characters"),
        ({"title": 3}, "`title` of @entry_panel is 3"),
        ({"title": "a\nb"}, "expected a line of 1 to 60 characters"),
        ({"title": "x" * 61}, "expected a line of 1 to 60 characters"),
        ({"title": "T", "entity": 3}, "`entity` of @entry_panel 'T' is 3, expected a name or None"),
        ({"title": "T", "priority": "1"}, "`priority` of @entry_panel 'T' is '1', expected a whole number"),
    ],
)
def test_a_wrong_argument_is_named(given: Any, told: str) -> None:
    with pytest.raises(PluginValidationError, match=told):
        entry_panel(**given)


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        ({"navigation": "scans/"}, "`navigation` is 'scans/', expected a list of NavigationEntry"),
        ({"navigation": [("Scans", "scans/")]}, "`navigation` holds .*, expected a NavigationEntry"),
        ({"navigation": [NavigationEntry("", "scans/")]}, "a title of `navigation` is '', expected a line"),
        ({"navigation": [NavigationEntry("S", "/scans/")]}, "path of 'S' .* is '/scans/', expected one like"),
        ({"navigation": [NavigationEntry("S", "//evil.example")]}, "expected one like 'scans/'"),
        ({"navigation": [NavigationEntry("S", "../../admin/")]}, "expected one like 'scans/'"),
        ({"navigation": [NavigationEntry("S", "s/", "no perm")]}, "`permission` of 'S' .* is 'no perm'"),
        ({"navigation": [NavigationEntry("S", "s/")], "console_patterns": None}, "names no URL module"),
        ({"console_patterns": "no module"}, "`console_patterns` is 'no module', expected the dotted path"),
    ],
)
def test_wrong_pages_are_named(declared: dict[str, Any], told: str) -> None:
    values = {"id": "paged", "name": "Paged", "console_patterns": "paged.pages", **declared}
    with pytest.raises(PluginValidationError, match=told):
        type("Paged", (Plugin,), values)()
