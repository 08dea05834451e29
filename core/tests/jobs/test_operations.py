from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from pagoda.jobs import operations
from pagoda.jobs.job_errors import UnknownOperation
from pagoda.jobs.models import Job
from pagoda.jobs.operations import OperationTable, register_job_task
from pagoda.jobs.testing import plugin_tasks
from pagoda_plugin_sdk.operations import JobOperation
from pagoda_plugin_sdk.tasks import TaskOptions, plugin_task


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a test add core and custom operations."""
    core = OperationTable(dict(operations.core_operations.specs))
    monkeypatch.setattr(operations, "core_operations", core)
    monkeypatch.setattr(operations, "custom_operations", OperationTable())


@plugin_task(0, max_attempts=2)
def restock(job: Any) -> None: ...


def test_a_number_names_one_task_of_three_sources(tables: None, settings: Any) -> None:
    @register_job_task(1)
    def import_entries(job: Any) -> None: ...

    settings.CUSTOM_TASKS = {100: "pagoda.jobs.core_tasks.purge_jobs"}
    operations.load_custom_tasks()
    with plugin_tasks("shop", [restock]):
        table = Job.method_table()

    assert set(table) == {1, *JobOperation, 100, 5000}
    assert table[1] is import_entries
    assert (table[100].__name__, table[5000]) == ("purge_jobs", restock)


def test_an_operation_has_its_queue_task_name_and_treatment() -> None:
    with plugin_tasks("shop", [restock], first=7000, cancelable_operations=["restock"]):
        spec = operations.resolve_name("shop", "restock")
        assert operations.resolve(7000) == spec

    assert (spec.number, spec.queue, spec.task_name) == (7000, "plugin.shop", "shop.restock")
    assert (spec.is_cancelable, spec.is_hidden, spec.is_downloadable) == (True, False, False)
    assert spec.options == TaskOptions(max_attempts=2)


def test_core_operations_are_named_after_the_enumeration() -> None:
    spec = operations.resolve_name("", "purge_jobs")

    assert (spec.number, spec.task_name, spec.queue) == (JobOperation.PURGE_JOBS, "core.purge_jobs", "core")


def test_hidden_operations_are_known_by_number() -> None:
    with plugin_tasks("shop", [restock], hidden_operations=["restock"]):
        assert set(operations.hidden_numbers()) == {20, 90, 91, 92, 5000}


def test_an_operation_that_nobody_has_is_unknown() -> None:
    assert operations.find(9999) is None
    with pytest.raises(UnknownOperation, match="Operation id 9999 belongs to no task of an enabled plugin"):
        operations.resolve(9999)


@pytest.mark.parametrize("number", [0, 100, 200, -1])
def test_a_core_operation_has_a_number_below_100(tables: None, number: int) -> None:
    with pytest.raises(
        ImproperlyConfigured, match=f"Core operation is {number}, expected a number from 1 to 99"
    ):
        register_job_task(number)


def test_a_number_is_given_once(tables: None) -> None:
    @register_job_task(2)
    def first(job: Any) -> None: ...

    def second(job: Any) -> None: ...

    Job.register_method_table(2, first)
    with pytest.raises(
        ImproperlyConfigured, match="Operation 2 is 'first' already, 'second' can't have it too"
    ):
        Job.register_method_table(2, second)


def test_all_faults_of_custom_tasks_are_listed(tables: None, settings: Any) -> None:
    task, module = "pagoda.jobs.core_tasks.purge_jobs", "pagoda.jobs.core_tasks"
    settings.CUSTOM_TASKS = {
        99: task,
        100: "pagoda.jobs.nowhere.task",
        101: f"{module}.missing",
        102: "pagoda.jobs.operations.CORE_QUEUE",
        "103": task,
    }

    with pytest.raises(ImproperlyConfigured) as raised:
        operations.load_custom_tasks()

    first, *faults = str(raised.value).splitlines()
    assert first == "CUSTOM_TASKS has 5 fault(s):"
    assert faults == [
        f"  - 99: {task!r}: the operation id is 99, expected a number from 100 to 199",
        "  - 100: 'pagoda.jobs.nowhere.task': No module named 'pagoda.jobs.nowhere'",
        f'  - 101: \'{module}.missing\': Module "{module}" does not define a "missing" attribute/class',
        "  - 102: 'pagoda.jobs.operations.CORE_QUEUE': expected \"module.function\" of a task",
        f"  - '103': {task!r}: the operation id is '103', expected a number from 100 to 199",
    ]
    assert operations.custom_operations.specs == {}
