"""The total order of handlers, and which of them run for an entity."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagoda.hooks.manager import HookManager
from pagoda_plugin_sdk import Plugin
from pagoda_plugin_sdk.decorators import entry_hook

REGISTRATIONS = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 3), st.sampled_from([None, "customer", "product"])),
    max_size=30,
)


def handler(entity_name: str, user: Any, entry: Any) -> None:
    """Do nothing."""


@given(REGISTRATIONS)
def test_handlers_run_by_priority_then_load_order_then_definition(
    registrations: list[tuple[int, int, str | None]],
) -> None:
    hooks = HookManager()
    for number, (priority, plugin_order, entity) in enumerate(registrations):
        hooks.register_hook(
            "entry.after_create",
            handler,
            plugin_id=str(number),
            priority=priority,
            plugin_order=plugin_order,
            entity=entity,
        )
    numbered = [(priority, order, number) for number, (priority, order, _) in enumerate(registrations)]
    expected = [number for *_, number in sorted(numbered)]
    assert [int(record.plugin_id) for record in hooks._hooks["entry.after_create"]] == expected


@given(REGISTRATIONS, st.sampled_from(["customer", "product", "other", None]))
def test_an_entitys_handlers_are_those_for_it_and_for_all_in_the_same_order(
    registrations: list[tuple[int, int, str | None]], entity_name: str | None
) -> None:
    hooks = HookManager()
    ran: list[str] = []
    for number, (priority, plugin_order, entity) in enumerate(registrations):

        def note(entity_name: Any, user: Any, entry: Any, *, name: str = str(number)) -> None:
            ran.append(name)

        hooks.register_hook(
            "entry.after_create",
            note,
            plugin_id=str(number),
            priority=priority,
            plugin_order=plugin_order,
            entity=entity,
        )
    everybody = hooks._hooks["entry.after_create"]
    expected = [r.plugin_id for r in everybody if r.entity in (None, entity_name)]
    hooks.execute_hook("entry.after_create", entity_name, None, None)
    assert ran == expected
    assert [r.plugin_id for r in hooks.handlers("entry.after_create", entity_name)] == expected


# The two examples of the architecture diagrams, as plugins.


class Noting(Plugin):
    version = "1.0.0"

    def __init__(self, noted: list[str]) -> None:
        super().__init__()
        self.noted = noted


def plugin_class(letter: str, priority: int, entity: str | None) -> type[Noting]:
    class Lettered(Noting):
        id = name = letter

        @entry_hook("after_create", entity=entity, priority=priority)
        def handle(self, entity_name: str, user: Any, entry: Any, **kwargs: Any) -> None:
            self.noted.append(self.id)

    return Lettered


def register(hooks: HookManager, plugin: Plugin, plugin_order: int) -> None:
    for declared in plugin._hook_handlers:
        hooks.register_hook(
            declared["hook_name"],
            getattr(plugin, declared["method_name"]),
            plugin_id=plugin.id,
            entity=declared["entity"],
            priority=declared["priority"],
            plugin_order=plugin_order,
        )


FIVE = [
    ("A", 50, "customer"),
    ("B", 75, None),
    ("C", 100, "customer"),
    ("D", 100, None),
    ("E", 150, "customer"),
]
THREE = [("A", 50, "customer"), ("B", 100, None), ("C", 150, "customer")]


@pytest.mark.parametrize("shuffled", [FIVE, FIVE[::-1]], ids=["in-order", "reversed"])
def test_five_plugins_run_by_priority_and_ties_by_load_order(
    hooks: HookManager, shuffled: list[tuple[str, int, str | None]]
) -> None:
    noted: list[str] = []
    for letter, priority, entity in shuffled:
        load_order = "ABCDE".index(letter)
        register(hooks, plugin_class(letter, priority, entity)(noted), load_order)
    hooks.execute_hook("entry.after_create", entity_name="customer", user=None, entry=None)
    assert noted == ["A", "B", "C", "D", "E"]


@pytest.mark.parametrize(
    ("entity_name", "expected"),
    [("customer", ["A", "B", "C"]), ("product", ["B"])],
    ids=["customer", "product"],
)
def test_three_plugins_run_for_the_entity_they_name(
    hooks: HookManager, entity_name: str, expected: list[str]
) -> None:
    noted: list[str] = []
    for load_order, (letter, priority, entity) in enumerate(THREE):
        register(hooks, plugin_class(letter, priority, entity)(noted), load_order)
    hooks.execute_hook("entry.after_create", entity_name=entity_name, user=None, entry=None)
    assert noted == expected


def test_explain_gives_places_and_reasons(hooks: HookManager) -> None:
    for load_order, (letter, priority, entity) in enumerate(THREE):
        register(hooks, plugin_class(letter, priority, entity)([]), load_order)
    explained = hooks.explain("before_delete_entry_v2", "product")
    assert explained == ()
    explained = hooks.explain("entry.after_create", "product")
    assert [(e.record.plugin_id, e.place, e.reason) for e in explained] == [
        ("A", None, "handles entity 'customer', not 'product'"),
        ("B", 1, "priority 100, plugin 1 in load order, all entities"),
        ("C", None, "handles entity 'customer', not 'product'"),
    ]
