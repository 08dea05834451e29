"""What a get_attrs handler leaves must fit into an answer; what does not is that handler's failure."""

from __future__ import annotations

import json
from collections.abc import MutableMapping
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.utils.translation import gettext_lazy
from rest_framework.renderers import JSONRenderer

from pagoda.hooks.manager import HookManager

from .conftest import Calls

GIVEN = [{"id": 1, "name": "a", "value": 1}]


def cyclic() -> list[Any]:
    values: list[Any] = []
    values.append(values)
    return values


def cyclic_tuple() -> tuple[Any, ...]:
    inner: list[Any] = []
    values = (inner,)
    inner.append({"again": values})
    return values


def deep() -> list[Any]:
    values: list[Any] = []
    for _ in range(100_000):
        values = [values]
    return values


class Nasty:
    def __repr__(self) -> str:
        raise RuntimeError("no text of mine")


UNFIT: dict[str, Any] = {
    "nan": float("nan"),
    "infinity": float("inf"),
    "nan-inside": {"x": [1, -float("inf")]},
    "nan-key": {float("nan"): 1},
    "object": object(),
    "class": object,
    "nasty": Nasty(),
    "generator": (n for n in range(3)),
    "surrogate": "\ud800",
    "surrogate-key": {"\udfff": 1},
    "bytes": b"x",
    "set": {1},
    "complex": 1j,
    "key": {(1, 2): 3},
    "cyclic": cyclic(),
    "cyclic-tuple": cyclic_tuple(),
    "deep": deep(),
    "time-with-zone": time(1, tzinfo=UTC),
}


@pytest.mark.parametrize("hook", ["entry.get_attrs", "entity.get_attrs"])
@pytest.mark.parametrize("how", ["returned", "changed in place"])
@pytest.mark.parametrize("value", UNFIT.values(), ids=UNFIT)
def test_what_no_answer_can_hold_is_the_handlers_failure(
    hooks: HookManager,
    calls: Calls,
    logs: list[MutableMapping[str, Any]],
    hook: str,
    how: str,
    value: Any,
) -> None:
    def spoil(_subject: Any, attrinfo: Any, *_args: Any) -> Any:
        items = [*attrinfo, {"name": "bad", "value": value}]
        if how == "returned":
            return items
        attrinfo[:] = items
        return None

    bad = hooks.register_hook(hook, spoil, plugin_id="bad")
    good = hooks.register_hook(hook, calls.handler("good"), plugin_id="good")
    arguments = (None, GIVEN, True) if hook == "entry.get_attrs" else (None, GIVEN)
    assert hooks.execute_hook(hook, *arguments) == GIVEN
    assert calls.arguments[0][1] == GIVEN
    assert (hooks.statistics(bad).failures, hooks.statistics(good).failures) == (1, 0)
    assert [(log["event"], log["plugin"]) for log in logs] == [("hook_failed", "bad")]
    assert logs[0]["error"].isprintable()


@pytest.mark.parametrize("items", [["text"], [None], [["name", "value"]], [{"name": "a"}, 5]], ids=repr)
def test_attributes_are_a_list_of_dicts(
    hooks: HookManager, logs: list[MutableMapping[str, Any]], items: list[Any]
) -> None:
    hooks.register_hook("entry.get_attrs", lambda *_args: items, plugin_id="bad")
    assert hooks.execute_hook("entry.get_attrs", None, GIVEN, False) == GIVEN
    assert "expected a dict" in logs[0]["error"]


def test_the_log_names_the_value(hooks: HookManager, logs: list[MutableMapping[str, Any]]) -> None:
    def spoil(_entry: Any, attrinfo: Any, _once: Any) -> Any:
        return [{"name": "day", "value": date(2026, 1, 1)}, {"name": "x", "value": {"y": [0, float("nan")]}}]

    hooks.register_hook("entry.get_attrs", spoil, plugin_id="bad")
    hooks.execute_hook("entry.get_attrs", None, GIVEN, False)
    assert "attrinfo[1]['value']['y'][1] is nan" in logs[0]["error"]


SHOWN: tuple[Any, ...] = (
    None,
    True,
    1,
    1.5,
    "text\x00with NUL",
    (1, 2),
    {"a": [1]},
    {1: "a"},
    date(2026, 1, 2),
    datetime(2026, 1, 2, 3, tzinfo=UTC),
    datetime(2026, 1, 2, 3, tzinfo=timezone(timedelta(hours=9))),
    time(3, 4),
    timedelta(seconds=5),
    Decimal("1.5"),
    UUID(int=1),
    gettext_lazy("Name"),
)


@pytest.mark.parametrize("value", SHOWN, ids=repr)
def test_an_answer_shows_what_the_fence_made_of_it(hooks: HookManager, value: Any) -> None:
    record = hooks.register_hook("entry.get_attrs", lambda *_args: [{"name": "a", "value": value}])
    shown = hooks.execute_hook("entry.get_attrs", None, GIVEN, False)
    assert json.loads(JSONRenderer().render(shown)) == shown
    kept = shown[0]["value"]
    if isinstance(value, str | int | float | list | dict | None) and value != {1: "a"}:
        assert (kept, type(kept)) == (value, type(value))
    else:  # JSON has no form for it
        assert isinstance(kept, str | list | dict)
    assert hooks.statistics(record).failures == 0


def test_data_of_a_change_that_lies_in_itself_is_the_handlers_failure(hooks: HookManager) -> None:
    def spoil(_entity_name: Any, _user: Any, data: Any) -> Any:
        return {**data, "attrs": cyclic()}

    record = hooks.register_hook("entry.before_create", spoil, plugin_id="bad")
    assert hooks.execute_hook("entry.before_create", "customer", None, {"name": "n"}) == {"name": "n"}
    assert hooks.statistics(record).failures == 1
