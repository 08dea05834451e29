"""What a dispatch costs, in calls: nothing but the handlers', however many others there are."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

import pytest

from pagoda.hooks.manager import HookManager


def calls_of(hooks: HookManager, hook: str, *args: Any) -> list[str]:
    """Return the functions that a dispatch calls, once it was run and when it is not timed."""
    called: list[str] = []

    def note(frame: FrameType, event: str, _arg: object) -> None:
        if event == "call":
            called.append(frame.f_code.co_name)

    for _ in range(2):
        hooks.execute_hook(hook, *args, entity_name="customer")
    sys.setprofile(note)
    try:
        hooks.execute_hook(hook, *args, entity_name="customer")
    finally:
        sys.setprofile(None)
    return called


def handle(*_args: Any) -> None:
    """Do nothing."""


@pytest.mark.parametrize("count", [0, 1, 3, 50])
def test_a_notification_calls_its_handlers_alone(hooks: HookManager, count: int) -> None:
    for number in range(count):
        hooks.register_hook("entry.after_create", handle, plugin_id=f"p{number}")
    called = calls_of(hooks, "entry.after_create", "customer", None, object())
    assert called == ["execute_hook", *["handle"] * count]


def test_handlers_of_other_entities_cost_nothing(hooks: HookManager) -> None:
    for number in range(497):
        hooks.register_hook("entry.after_create", handle, entity=f"other {number}")
    for _ in range(3):
        hooks.register_hook("entry.after_create", handle, entity="customer")
    called = calls_of(hooks, "entry.after_create", "customer", None, object())
    assert called == ["execute_hook", *["handle"] * 3]


def test_a_filter_that_changes_nothing_is_not_checked(hooks: HookManager) -> None:
    hooks.register_hook("entry.get_attrs", handle)
    called = calls_of(hooks, "entry.get_attrs", object(), [{"id": 1, "name": "a", "value": 1}], True)
    assert [name for name in called if "check" in name or "encode" in name] == []
    assert len(called) <= 7
