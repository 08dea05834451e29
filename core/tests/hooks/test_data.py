"""Hooks that pass data on: transform, filter and validation."""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs

from pagoda.hooks.manager import HookManager
from pagoda.hooks.results import snapshot

TRANSFORMS = {
    "entry.before_create": ("customer", None, "DATA"),
    "entry.before_update": ("customer", None, "DATA", None),
    "entity.before_create": (None, "DATA"),
    "entity.before_update": (None, "DATA", None),
}
FILTERS = {"entry.get_attrs": (None, "DATA", True), "entity.get_attrs": (None, "DATA")}


def arguments(template: tuple[Any, ...], data: Any) -> list[Any]:
    return [data if value == "DATA" else value for value in template]


def at(template: tuple[Any, ...]) -> int:
    return template.index("DATA")


@pytest.mark.parametrize(("hook", "template"), TRANSFORMS.items(), ids=TRANSFORMS)
def test_a_returned_dict_is_what_the_next_handler_gets(
    hooks: HookManager, hook: str, template: tuple[Any, ...]
) -> None:
    seen: list[Any] = []

    def add(letter: str, *, returns: bool = True) -> None:
        def handle(*args: Any) -> Any:
            data = args[at(template)]
            seen.append(data)
            return {**data, letter: len(seen)} if returns else None

        hooks.register_hook(hook, handle)

    add("a")
    add("none", returns=False)
    add("b")
    result = hooks.execute_hook(hook, *arguments(template, {"name": "n"}))
    assert seen == [{"name": "n"}, {"name": "n", "a": 1}, {"name": "n", "a": 1}]
    assert result == {"name": "n", "a": 1, "b": 3}


@pytest.mark.parametrize(("hook", "template"), FILTERS.items(), ids=FILTERS)
def test_a_returned_list_is_what_the_next_filter_gets(
    hooks: HookManager, hook: str, template: tuple[Any, ...]
) -> None:
    hooks.register_hook(hook, lambda *args: [*args[at(template)], {"name": "a"}])
    hooks.register_hook(hook, lambda *_args: None)
    hooks.register_hook(hook, lambda *args: args[at(template)][::-1])
    result = hooks.execute_hook(hook, *arguments(template, [{"name": "given"}]))
    assert result == [{"name": "a"}, {"name": "given"}]


@pytest.mark.parametrize(
    ("hook", "template", "data", "expected"),
    [(h, t, {"attrs": [{"name": "a", "value": [1]}]}, "dict") for h, t in TRANSFORMS.items()]
    + [(h, t, [{"name": "a", "value": [1]}], "list") for h, t in FILTERS.items()],
    ids=[*TRANSFORMS, *FILTERS],
)
@pytest.mark.parametrize("fault", ["raises", "rubbish"])
def test_a_failing_handler_leaves_data_as_before_it(
    hooks: HookManager, hook: str, template: tuple[Any, ...], data: Any, expected: str, fault: str
) -> None:
    def mutate_and_fail(*args: Any) -> Any:
        given = args[at(template)]
        inner = given if isinstance(given, list) else given["attrs"]
        inner[0]["value"].append(2)
        inner.append("more")
        if fault == "raises":
            raise KeyError("oops")
        return 42

    seen: list[Any] = []
    hooks.register_hook(hook, mutate_and_fail, plugin_id="bad")
    hooks.register_hook(hook, lambda *args: seen.append(snapshot(args[at(template)])))
    before = snapshot(data)
    with capture_logs() as logs:
        result = hooks.execute_hook(hook, *arguments(template, data))
    assert result == data == before
    assert seen == [before]
    error = (
        "KeyError: 'oops'"
        if fault == "raises"
        else f"UnusableResult: returned 42, expected {expected} or None; the data stays as it was"
    )
    assert [(log["event"], log["plugin"], log["hook"], log["error"]) for log in logs] == [
        ("hook_failed", "bad", hook, error)
    ]


def test_none_keeps_the_data_with_what_the_handler_changed_in_place(hooks: HookManager) -> None:
    def change(entity_name: Any, user: Any, validated_data: Any) -> None:
        validated_data["note"] = "added"

    hooks.register_hook("entry.before_create", change)
    data = {"name": "n"}
    assert hooks.execute_hook("entry.before_create", "customer", None, data) == {"name": "n", "note": "added"}
    assert data == {"name": "n"}


def test_without_handlers_the_data_is_returned_as_it_is(hooks: HookManager) -> None:
    data: dict[str, Any] = {}
    attrinfo: list[Any] = []
    assert hooks.execute_hook("entry.before_create", "customer", None, data) is data
    assert hooks.execute_hook("entity.get_attrs", None, attrinfo) is attrinfo
    assert hooks.execute_hook("entry.validate", None, "customer", "n", attrinfo, None) is None


def test_validation_handlers_change_nothing(hooks: HookManager) -> None:
    seen: list[Any] = []

    def meddle(user: Any, schema_name: Any, name: Any, attrs: Any, instance: Any) -> Any:
        attrs[0]["value"].append(2)
        return {"name": "other"}

    hooks.register_hook("entry.validate", meddle)
    hooks.register_hook("entry.validate", lambda *args: seen.append(args[3]))
    attrs = [{"id": 1, "name": "a", "value": [1]}]
    assert hooks.execute_hook("entry.validate", None, "customer", "n", attrs, None) is None
    assert seen == [[{"id": 1, "name": "a", "value": [1]}]] == [attrs]


def test_a_snapshot_copies_containers_and_shares_leaves() -> None:
    leaf = object()
    original = {"a": [leaf, {"b": [leaf]}]}
    copy = snapshot(original)
    assert copy == original
    assert copy["a"][1]["b"][0] is leaf
    copy["a"][1]["b"].append(1)
    copy["a"].append(2)
    assert original == {"a": [leaf, {"b": [leaf]}]}
