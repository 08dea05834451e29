"""`execute_hook`: arguments by position and by name, context for those that take it, the entity chosen."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from pagoda.hooks.arguments import HookArgumentsError
from pagoda.hooks.manager import HookManager

from .conftest import Calls


@pytest.mark.parametrize(
    ("args", "keywords"),
    [
        pytest.param(("customer", 1, 2), {}, id="by-position"),
        pytest.param((), {"entity_name": "customer", "user": 1, "entry": 2}, id="by-name"),
        pytest.param(("customer",), {"entry": 2, "user": 1}, id="mixed"),
        pytest.param(("customer", 1, 2), {"entity_name": "customer"}, id="by-position-with-filter"),
    ],
)
def test_arguments_arrive_in_the_order_of_the_spec(
    hooks: HookManager, calls: Calls, args: tuple[Any, ...], keywords: dict[str, Any]
) -> None:
    hooks.register_hook("entry.after_create", calls.handler("h"), entity="customer")
    hooks.execute_hook("entry.after_create", *args, **keywords)
    assert calls.arguments == [("customer", 1, 2)]


@pytest.mark.parametrize(
    ("args", "keywords", "fault"),
    [
        pytest.param(("customer", 1), {}, "'entry' is missing", id="missing"),
        pytest.param((), {}, "'entity_name', 'user', 'entry' is missing", id="all-missing"),
        pytest.param(("customer", 1, 2), {"user": 3}, "'user' was given twice", id="twice"),
        pytest.param(("customer", 1, 2, 3), {}, "4 positional arguments were given", id="too-many"),
    ],
)
def test_wrong_arguments_are_named(
    hooks: HookManager, args: tuple[Any, ...], keywords: dict[str, Any], fault: str
) -> None:
    with pytest.raises(HookArgumentsError) as raised:
        hooks.execute_hook("entry.after_create", *args, **keywords)
    assert str(raised.value) == (
        f"Hook 'entry.after_create' was executed wrongly: {fault}. Expected: (entity_name, user, entry)."
    )


def test_context_goes_only_to_handlers_that_take_it(hooks: HookManager) -> None:
    got: dict[str, Any] = {}

    def without(entity_name: Any, user: Any, entry: Any) -> None:
        got["without"] = None

    def with_all(name: Any, user: Any, entry: Any, **context: Any) -> None:
        got["all"] = context

    def with_one(entity_name: Any, user: Any, entry: Any, *, source: str = "unset", absent: int = 1) -> None:
        got["one"] = (source, absent)

    def with_positional(entity_name: Any, user: Any, entry: Any, source: str = "unset") -> None:
        got["positional"] = source

    for handler in (without, with_all, with_one, with_positional):
        hooks.register_hook("entry.after_create", handler)
    # `name` is what one handler calls its first argument.
    hooks.execute_hook("entry.after_create", "customer", 1, 2, source="import", line=3, name="n")
    assert got == {
        "without": None,
        "all": {"source": "import", "line": 3},
        "one": ("import", 1),
        "positional": "import",
    }
    failures = [hooks.statistics(record).failures for record in hooks.records()]
    assert failures == [0, 0, 0, 0]


ENTRY = SimpleNamespace(schema=SimpleNamespace(name="customer"))
ENTITY = SimpleNamespace(name="customer")


@pytest.mark.parametrize(
    ("hook", "args"),
    [
        ("entry.after_create", ("customer", None, ENTRY)),
        ("entry.before_create", ("customer", None, {})),
        ("entry.validate", (None, "customer", "n", [], None)),
        ("entry.get_attrs", (ENTRY, [], True)),
        ("entity.before_create", (None, {"name": "customer"})),
        ("entity.before_update", (None, {"name": "renamed"}, ENTITY)),
        ("entity.after_delete", (None, ENTITY)),
        ("entity.get_attrs", (ENTITY, [])),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_the_entity_is_taken_from_the_arguments(
    hooks: HookManager, calls: Calls, hook: str, args: tuple[Any, ...]
) -> None:
    hooks.register_hook(hook, calls.handler("customers"), entity="customer", priority=1)
    hooks.register_hook(hook, calls.handler("products"), entity="product", priority=2)
    hooks.execute_hook(hook, *args)
    hooks.execute_hook(hook, *args, entity_name="product")
    assert calls.names == ["customers", "products"]


def test_an_entity_without_a_name_yet_gets_the_handlers_of_all(hooks: HookManager, calls: Calls) -> None:
    hooks.register_hook("entity.before_create", calls.handler("customers"), entity="customer")
    hooks.register_hook("entity.before_create", calls.handler("all"))
    assert hooks.execute_hook("entity.before_create", None, {}) == {}
    assert calls.names == ["all"]
