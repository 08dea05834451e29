from __future__ import annotations

import enum
from typing import Any

import pytest

from pagoda_plugin_sdk import PluginTaskConfig, PluginValidationError
from pagoda_plugin_sdk.task_config import is_offset


class Offset(enum.IntEnum):
    SCAN = 0
    REPORT = 1


def config(**changes: Any) -> PluginTaskConfig:
    fields = {
        "plugin_id": "inventory",
        "module_path": "inventory.tasks",
        "tasks": {"scan": (Offset.SCAN, "scan"), "report": (Offset.REPORT, "write_report")},
    }
    return PluginTaskConfig(**fields | changes)


def test_positional_and_keyword_forms_are_the_same() -> None:
    tasks = {"scan": (0, "scan")}

    assert PluginTaskConfig("inventory", "inventory.tasks", tasks) == config(tasks=tasks)


def test_operation_lists_are_empty_unless_given() -> None:
    plain = config()

    assert [
        plain.hidden_operations,
        plain.cancelable_operations,
        plain.parallelizable_operations,
        plain.downloadable_operations,
        plain.shared_operations,
    ] == [(), (), (), (), ()]


TASK_SHAPE = "expected (offset from 0, function name)"
FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"module_path": ""}, "`module_path` is '', expected a non-empty string"),
    ({"module_path": None}, "`module_path` is None, expected a non-empty string"),
    ({"tasks": {}}, "`tasks` is empty, expected {operation name: (offset, function name)}"),
    ({"tasks": {"scan": (-1, "scan")}}, f"task 'scan' is (-1, 'scan'), {TASK_SHAPE}"),
    ({"tasks": {"scan": (True, "scan")}}, f"task 'scan' is (True, 'scan'), {TASK_SHAPE}"),
    ({"tasks": {"scan": ("0", "scan")}}, f"task 'scan' is ('0', 'scan'), {TASK_SHAPE}"),
    ({"tasks": {"scan": (0, "")}}, f"task 'scan' is (0, ''), {TASK_SHAPE}"),
    ({"tasks": {"scan": "scan"}}, f"task 'scan' is 'scan', {TASK_SHAPE}"),
    ({"tasks": {"scan": (0,)}}, f"task 'scan' is (0,), {TASK_SHAPE}"),
    (
        {"tasks": {"scan": (0, "scan"), "report": (0, "report")}},
        "tasks 'scan' and 'report' share offset 0",
    ),
    (
        {"cancelable_operations": ["scann"]},
        "`cancelable_operations` names 'scann', which is no task of it. Did you mean 'scan'?",
    ),
    ({"hidden_operations": ["zzz"]}, "`hidden_operations` names 'zzz', which is no task of it."),
    (
        {"parallelizable_operations": ["Report"]},
        "`parallelizable_operations` names 'Report', which is no task of it. Did you mean 'report'?",
    ),
    (
        {"downloadable_operations": ["reports"]},
        "`downloadable_operations` names 'reports', which is no task of it. Did you mean 'report'?",
    ),
]


@pytest.mark.parametrize(("changes", "fault"), FAULTS, ids=[fault for _, fault in FAULTS])
def test_wrong_declaration_is_refused(changes: dict[str, Any], fault: str) -> None:
    with pytest.raises(PluginValidationError) as caught:
        config(**changes)

    assert str(caught.value) == f"PluginTaskConfig of 'inventory': {fault}."


def test_missing_plugin_id_is_refused() -> None:
    with pytest.raises(PluginValidationError, match="`plugin_id` is '', expected a non-empty string"):
        config(plugin_id="")


def test_all_faults_are_listed_together() -> None:
    with pytest.raises(PluginValidationError) as caught:
        config(module_path="", tasks={"scan": (0, "")}, hidden_operations=["x"], cancelable_operations=["y"])

    message = str(caught.value)
    assert message.count("; ") == 3
    assert [message.find(part) > 0 for part in ("module_path", "'scan'", "'x'", "'y'")] == [True] * 4


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, True),
        (5, True),
        (Offset.REPORT, True),
        (-1, False),
        (True, False),
        ("1", False),
        (1.0, False),
        (None, False),
    ],
)
def test_offset_is_a_whole_number_from_zero(value: object, expected: bool) -> None:
    assert is_offset(value) is expected
