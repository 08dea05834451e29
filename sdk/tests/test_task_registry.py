from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from hypothesis import given
from hypothesis import strategies as st

from pagoda_plugin_sdk import PluginTaskConfig, PluginTaskRegistry, PluginValidationError
from pagoda_plugin_sdk.task_registry import Operation, TaskRegistry


def config(plugin_id: str, **offsets: int) -> PluginTaskConfig:
    """Return a declaration of tasks ``name=offset`` whose functions are in this module."""
    return PluginTaskConfig(plugin_id, __name__, {name: (offset, "run") for name, offset in offsets.items()})


def run(job: Any) -> None: ...


def registry(*configs: PluginTaskConfig) -> TaskRegistry:
    made = TaskRegistry()
    for one in configs:
        made.register(one)
    return made


def faults(made: TaskRegistry, ranges: Any, known_plugins: tuple[str, ...] = ()) -> list[str]:
    """Return the faults that `validate_all` lists."""
    with pytest.raises(ImproperlyConfigured) as caught:
        made.validate_all(ranges, known_plugins=known_plugins)
    first, *listed = str(caught.value).splitlines()
    assert first == f"PLUGIN_OPERATION_ID_CONFIG has {len(listed)} fault(s):"
    assert all(line.startswith("  - ") for line in listed)
    return [line.removeprefix("  - ") for line in listed]


def test_operation_id_is_start_of_range_plus_offset() -> None:
    made = registry(config("inventory", scan=0, report=7), config("hello", greet=1))

    made.validate_all({"inventory": (200, 299), "hello": (5000, 5001)})

    assert made.get_operation_id("inventory", "scan") == 200
    assert made.get_operation_id("inventory", "report") == 207
    assert made.get_operation_id("hello", "greet") == 5001


def test_operation_carries_what_was_declared() -> None:
    made = registry(
        PluginTaskConfig(
            "inventory",
            "inventory.tasks",
            {"scan": (0, "scan"), "report": (1, "write_report")},
            hidden_operations=["report"],
            cancelable_operations=["scan"],
            parallelizable_operations=["scan"],
            downloadable_operations=["report"],
        )
    )

    made.validate_all({"inventory": (200, 299)})

    assert made.operations() == (
        Operation(
            plugin_id="inventory",
            name="scan",
            number=200,
            offset=0,
            module_path="inventory.tasks",
            function_name="scan",
            is_hidden=False,
            is_cancelable=True,
            is_parallelizable=True,
            is_downloadable=False,
            is_shared=False,
        ),
        Operation(
            plugin_id="inventory",
            name="report",
            number=201,
            offset=1,
            module_path="inventory.tasks",
            function_name="write_report",
            is_hidden=True,
            is_cancelable=False,
            is_parallelizable=False,
            is_downloadable=True,
            is_shared=False,
        ),
    )
    assert made.operation(200).queue == "plugin.inventory"
    assert made.get_all_tasks() == {
        200: ("inventory.tasks", "scan"),
        201: ("inventory.tasks", "write_report"),
    }


def test_handler_is_the_function_of_the_module() -> None:
    made = registry(config("inventory", scan=0))
    made.validate_all({"inventory": (200, 299)})

    assert made.get_task_handler(200).__name__ == "run"


def test_function_that_does_not_exist_is_named() -> None:
    made = registry(PluginTaskConfig("inventory", "json", {"scan": (0, "dump_s")}))
    made.validate_all({"inventory": (200, 299)})

    with pytest.raises(PluginValidationError) as caught:
        made.get_task_handler(200)

    assert str(caught.value) == (
        "Task function json.dump_s does not exist. Did you mean 'dumps', 'dump'? "
        "Define it or correct the PluginTaskConfig."
    )


ONE = config("inventory", scan=0)
TWO = config("hello", greet=0)
SHAPE = "expected [first id, last id], such as [200, 299]."
ADD = 'Add "inventory": [first, last] to PLUGIN_OPERATION_ID_CONFIG.'
OUTSIDE = "(1-99 are the host's, 100-199 custom operations). Choose ids from 200 to 9999."
ENABLE = "Enable it in ENABLED_PLUGINS or remove its range."
MEANT = "Did you mean 'inventory'?"
HOLDS = "the range [200, 209] holds offsets 0 to 9. Widen the range to at least [200, 210]."
FAULT_TABLE: dict[str, tuple[list[PluginTaskConfig], dict[str, Any], list[str]]] = {
    "plugin without range": (
        [ONE],
        {},
        [f"Plugin 'inventory' has tasks (scan) but no range of operation ids. {ADD}"],
    ),
    "range for unknown plugin": (
        [],
        {"inventory": (200, 299)},
        [
            f"'inventory' has a range of operation ids, but no such plugin is enabled. {ENABLE}",
        ],
    ),
    "range for misspelt plugin": (
        [ONE],
        {"inventory": (200, 299), "inventroy": (300, 399)},
        [
            f"'inventroy' has a range of operation ids, but no such plugin is enabled. {MEANT} {ENABLE}",
        ],
    ),
    "range is a number": ([ONE], {"inventory": 200}, [f"The range of plugin 'inventory' is 200, {SHAPE}"]),
    "range is text": (
        [ONE],
        {"inventory": "200-299"},
        [f"The range of plugin 'inventory' is '200-299', {SHAPE}"],
    ),
    "range of one": ([ONE], {"inventory": [200]}, [f"The range of plugin 'inventory' is [200], {SHAPE}"]),
    "range of three": (
        [ONE],
        {"inventory": [200, 250, 299]},
        [f"The range of plugin 'inventory' is [200, 250, 299], {SHAPE}"],
    ),
    "range of text": (
        [ONE],
        {"inventory": ["200", "299"]},
        [f"The range of plugin 'inventory' is ['200', '299'], {SHAPE}"],
    ),
    "range of booleans": (
        [ONE],
        {"inventory": [False, True]},
        [f"The range of plugin 'inventory' is [False, True], {SHAPE}"],
    ),
    "range is None": ([ONE], {"inventory": None}, [f"The range of plugin 'inventory' is None, {SHAPE}"]),
    "range upside down": (
        [ONE],
        {"inventory": (299, 200)},
        ["The range of plugin 'inventory' is [299, 200], first id above the last. Swap them."],
    ),
    "range in the host's ids": (
        [ONE],
        {"inventory": (50, 60)},
        [f"The range of plugin 'inventory' is [50, 60], outside 200-9999 {OUTSIDE}"],
    ),
    "range in the custom ids": (
        [ONE],
        {"inventory": (199, 299)},
        [f"The range of plugin 'inventory' is [199, 299], outside 200-9999 {OUTSIDE}"],
    ),
    "range above the last id": (
        [ONE],
        {"inventory": (9999, 10000)},
        [f"The range of plugin 'inventory' is [9999, 10000], outside 200-9999 {OUTSIDE}"],
    ),
    "overlapping ranges": (
        [ONE, TWO],
        {"inventory": (200, 299), "hello": (299, 310)},
        ["The ranges of plugins 'inventory' [200, 299] and 'hello' [299, 310] overlap. Move one of them."],
    ),
    "the same range twice": (
        [ONE, TWO],
        {"inventory": (200, 299), "hello": (200, 299)},
        ["The ranges of plugins 'hello' [200, 299] and 'inventory' [200, 299] overlap. Move one of them."],
    ),
    "offset outside the range": (
        [config("inventory", scan=0, report=10)],
        {"inventory": (200, 209)},
        [
            f"Task 'report' of plugin 'inventory' has offset 10, but {HOLDS}",
        ],
    ),
}


@pytest.mark.parametrize(("configs", "ranges", "expected"), FAULT_TABLE.values(), ids=FAULT_TABLE)
def test_wrong_configuration_is_refused_with_its_remedy(
    configs: list[PluginTaskConfig], ranges: dict[str, Any], expected: list[str]
) -> None:
    assert faults(registry(*configs), ranges) == expected


def test_all_faults_are_listed_together() -> None:
    made = registry(config("a", x=0), config("b", x=50), config("c", x=0), config("d", x=0), config("e", x=0))

    listed = faults(made, {"a": (1, 2), "b": (200, 210), "c": (205, 220), "d": "wide", "nobody": (900, 910)})

    subjects = [re.findall(r"'(\w+)'", fault)[:2] for fault in listed]
    assert len(listed) == 6
    assert ["a"] in subjects  # outside
    assert ["d", "wide"] in subjects  # no range
    assert ["nobody"] in subjects  # unknown plugin
    assert ["b", "c"] in subjects  # overlap
    assert ["x", "b"] in subjects  # offset
    assert ["e"] in subjects  # without range


def test_two_names_of_one_plugin_can_not_both_have_a_range() -> None:
    made = registry(config("hello-world-plugin", greet=0))
    made.alias("hello-world", "hello-world-plugin")

    assert faults(made, {"hello-world": (200, 299), "hello-world-plugin": (300, 399)}) == [
        "'hello-world' and 'hello-world-plugin' are the same plugin. Keep one of the two ranges."
    ]


def test_refused_configuration_leaves_the_operations_as_they_were() -> None:
    made = registry(config("inventory", scan=0))
    made.validate_all({"inventory": (200, 299)})

    faults(made, {"inventory": (5, 6)})

    assert made.get_operation_id("inventory", "scan") == 200


def test_range_of_a_known_plugin_without_tasks_is_no_fault() -> None:
    made = TaskRegistry()

    made.validate_all({"skipped": (200, 299)}, known_plugins=["skipped"])

    assert made.operations() == ()


def test_ranges_that_touch_do_not_overlap() -> None:
    made = registry(ONE, TWO)

    made.validate_all({"inventory": (200, 200), "hello": (201, 201)})

    assert sorted(made.get_all_tasks()) == [200, 201]


@pytest.mark.parametrize("asked", ["hello-world", "hello-world-plugin"])
@pytest.mark.parametrize("declared", ["hello-world", "hello-world-plugin"])
@pytest.mark.parametrize("ranged", ["hello-world", "hello-world-plugin"])
@pytest.mark.parametrize("alias_first", [True, False], ids=["alias first", "tasks first"])
def test_id_and_entry_point_name_mean_the_same_plugin(
    asked: str, declared: str, ranged: str, alias_first: bool
) -> None:
    made = TaskRegistry()
    steps: list[Callable[[], None]] = [
        lambda: made.alias("hello-world", "hello-world-plugin"),
        lambda: made.register(config(declared, greet=2)),
    ]
    for step in steps if alias_first else reversed(steps):
        step()

    made.validate_all({ranged: (5000, 5009)})

    assert made.get_operation_id(asked, "greet") == 5002
    assert made.operation(5002).plugin_id == "hello-world-plugin"
    assert made.operation(5002).queue == "plugin.hello-world-plugin"


def test_same_declaration_twice_is_one() -> None:
    made = registry(config("inventory", scan=0), config("inventory", scan=0))

    assert list(made.get_all_configs()) == ["inventory"]


def test_second_declaration_of_a_plugin_is_refused() -> None:
    made = registry(config("inventory", scan=0))

    with pytest.raises(PluginValidationError) as caught:
        made.register(config("inventory", report=1))

    assert str(caught.value) == (
        "Plugin 'inventory' has registered its tasks already (scan). "
        "Declare all tasks in one PluginTaskConfig."
    )


def test_unregistering_removes_declaration_and_operations() -> None:
    made = registry(ONE, TWO)
    made.validate_all({"inventory": (200, 299), "hello": (300, 399)})

    made.unregister("inventory")
    made.unregister("never-there")

    assert list(made.get_all_configs()) == ["hello"]
    assert list(made.get_all_tasks()) == [300]


@pytest.mark.parametrize(
    ("plugin", "operation", "message"),
    [
        ("inventroy", "scan", "Plugin 'inventroy' has no tasks. Did you mean 'inventory'?"),
        ("zzz", "scan", "Plugin 'zzz' has no tasks."),
        (
            "inventory",
            "scam",
            "Plugin 'inventory' has no operation 'scam'. Did you mean 'scan'? It has: scan.",
        ),
        ("inventory", "zzz", "Plugin 'inventory' has no operation 'zzz'. It has: scan."),
    ],
)
def test_unknown_operation_name_is_refused(plugin: str, operation: str, message: str) -> None:
    made = registry(ONE)
    made.validate_all({"inventory": (200, 299)})

    with pytest.raises(PluginValidationError) as caught:
        made.get_operation_id(plugin, operation)

    assert str(caught.value) == message


def test_unknown_operation_id_is_refused() -> None:
    with pytest.raises(PluginValidationError) as caught:
        TaskRegistry().operation(4711)

    assert str(caught.value).startswith("Operation id 4711 belongs to no task of an enabled plugin. Enable ")


def test_reset_forgets_everything() -> None:
    made = registry(ONE)
    made.alias("stock", "inventory")
    made.validate_all({"inventory": (200, 299)})

    made.reset()

    assert (made.get_all_configs(), made.get_all_tasks()) == ({}, {})
    assert made.canonical("stock") == "stock"


def test_process_has_one_registry() -> None:
    assert isinstance(PluginTaskRegistry, TaskRegistry)


def test_ranges_come_from_the_setting_when_none_are_given() -> None:
    code = (
        "from django.conf import settings\n"
        "settings.configure(PLUGIN_OPERATION_ID_CONFIG={'json': [7000, 7009]})\n"
        "from pagoda_plugin_sdk import PluginTaskConfig, PluginTaskRegistry\n"
        "PluginTaskRegistry.register(PluginTaskConfig('json', 'json', {'dump': (3, 'dump')}))\n"
        "PluginTaskRegistry.validate_all()\n"
        "print(PluginTaskRegistry.get_operation_id('json', 'dump'))\n"
    )

    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert finished.stdout.strip() == "7003"


@given(starts=st.lists(st.integers(200, 9_990), min_size=1, max_size=5, unique=True), size=st.integers(1, 10))
def test_ids_are_unique_and_inside_their_range_or_the_overlap_is_told(starts: list[int], size: int) -> None:
    names = [f"p{number}" for number in range(len(starts))]
    made = registry(*(config(name, only=size - 1) for name in names))
    ranges = {name: (start, start + size - 1) for name, start in zip(names, starts, strict=True)}
    ordered = sorted(starts)
    overlap = any(b - a < size for a, b in pairwise(ordered))

    if overlap:
        assert all("overlap" in fault for fault in faults(made, ranges))
        return
    made.validate_all(ranges)

    numbers = [made.get_operation_id(name, "only") for name in names]
    assert numbers == [start + size - 1 for start in starts]
    assert len(set(numbers)) == len(numbers)
