from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from celery import Celery

from pagoda_plugin_sdk import JobOperation, JobStatus, JobTarget, PermissionLevel, PluginValidationError
from pagoda_plugin_sdk.tasks import (
    CeleryAppProxy,
    TaskOptions,
    celery_app,
    plugin_task,
    register_plugin_job_task,
    task_offset,
    task_options,
)


def fresh() -> Callable[[Any], str]:
    def task(job: Any) -> str:
        return "done"

    return task


def test_plugin_task_marks_and_returns_the_same_function() -> None:
    function = fresh()

    assert plugin_task(3, max_attempts=5)(function) is function
    assert task_offset(function) == 3
    assert task_options(function) == TaskOptions(max_attempts=5)


def test_plugin_task_without_parentheses_has_offset_zero() -> None:
    function = fresh()

    assert plugin_task(function) is function
    assert (task_offset(function), task_options(function)) == (0, TaskOptions())


def test_raw_form_is_marked_with_its_offset_alone() -> None:
    function = fresh()

    assert register_plugin_job_task(4)(function) is function
    assert (task_offset(function), task_options(function)) == (4, None)


def test_unmarked_function_has_neither() -> None:
    assert (task_offset(fresh()), task_options(fresh())) == (None, None)


@pytest.mark.parametrize("offset", [-1, True, "0", 1.5, None], ids=repr)
@pytest.mark.parametrize("decorate", [register_plugin_job_task, lambda offset: plugin_task(offset)(fresh())])
def test_wrong_offset_is_refused(decorate: Any, offset: Any) -> None:
    with pytest.raises(PluginValidationError) as caught:
        decorate(offset)

    assert str(caught.value) == f"Task offset is {offset!r}, expected a whole number from 0."


def test_options_default_to_the_host_s() -> None:
    options = TaskOptions()

    assert (options.soft_time_limit_seconds, options.hard_time_limit_seconds) == (None, None)
    assert (options.max_attempts, options.retry_backoff_seconds) == (None, None)
    assert (options.schedule, options.singleton) == (None, False)


SECONDS = "expected a positive number of seconds, at most a year"
CRON = "expected five cron fields, such as '*/15 * * * *'"
FEBRUARY = "day_of_month '30' never occurs in month_of_year '2'"
FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"soft_time_limit_seconds": 0}, f"`soft_time_limit_seconds` is 0, {SECONDS}"),
    ({"hard_time_limit_seconds": -1.5}, f"`hard_time_limit_seconds` is -1.5, {SECONDS}"),
    ({"retry_backoff_seconds": 0}, f"`retry_backoff_seconds` is 0, {SECONDS}"),
    (
        {"soft_time_limit_seconds": 60, "hard_time_limit_seconds": 60},
        "soft limit 60 s is not below hard limit 60 s",
    ),
    ({"max_attempts": 0}, "`max_attempts` is 0, expected 1 to 1000"),
    ({"max_attempts": "3"}, "`max_attempts` is '3', expected 1 to 1000"),
    ({"max_attempts": True}, "`max_attempts` is True, expected 1 to 1000"),
    ({"max_attempts": 10**9}, "`max_attempts` is 1000000000, expected 1 to 1000"),
    ({"soft_time_limit_seconds": "60"}, f"`soft_time_limit_seconds` is '60', {SECONDS}"),
    ({"hard_time_limit_seconds": float("nan")}, f"`hard_time_limit_seconds` is nan, {SECONDS}"),
    ({"hard_time_limit_seconds": float("inf")}, f"`hard_time_limit_seconds` is inf, {SECONDS}"),
    ({"retry_backoff_seconds": 10**400}, f"`retry_backoff_seconds` is {10**400}, {SECONDS}"),
    ({"singleton": "yes"}, "`singleton` is 'yes', expected True or False"),
    ({"schedule": "hourly"}, f"`schedule` is 'hourly', {CRON}"),
    ({"schedule": "* * * *"}, f"`schedule` is '* * * *', {CRON}"),
    ({"schedule": ""}, f"`schedule` is '', {CRON}"),
    ({"schedule": 5}, f"`schedule` is 5, {CRON}"),
    ({"schedule": "61 3 * * *"}, f"`schedule` is '61 3 * * *', {CRON} (Invalid end range: 61 > 59)"),
    (
        {"schedule": "0 3 30 2 *"},
        f"`schedule` is '0 3 30 2 *', {CRON} (Invalid crontab: {FEBRUARY})",
    ),
]


@pytest.mark.parametrize(("options", "fault"), FAULTS, ids=[fault[:60] for _, fault in FAULTS])
def test_wrong_option_is_refused_where_it_is_written(options: dict[str, Any], fault: str) -> None:
    with pytest.raises(PluginValidationError) as caught:
        plugin_task(0, **options)

    assert str(caught.value) == f"Task options are invalid: {fault}."


def test_all_wrong_options_are_listed_together() -> None:
    with pytest.raises(PluginValidationError) as caught:
        TaskOptions(soft_time_limit_seconds=-1, max_attempts=0, schedule="x")

    assert str(caught.value).count("; ") == 2


def test_unknown_option_is_refused() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'max_tries'"):
        plugin_task(0, max_tries=3)  # type: ignore[call-overload]  # that is the point


def test_options_that_are_right_are_accepted() -> None:
    options = TaskOptions(
        soft_time_limit_seconds=1,
        hard_time_limit_seconds=2.5,
        max_attempts=1,
        retry_backoff_seconds=0.1,
        schedule="*/15 0 1 * 1-5",
        singleton=True,
    )

    assert options.schedule == "*/15 0 1 * 1-5"


def test_celery_app_says_that_it_is_not_there_yet() -> None:
    with pytest.raises(AttributeError) as caught:
        CeleryAppProxy().send_task  # noqa: B018  # the access is what is tested

    assert str(caught.value) == (
        "celery_app.send_task is not available yet: the host's Celery app does not exist. "
        "Only celery_app.task may be used before the host is up."
    )


def test_task_declared_before_the_app_exists_is_the_app_s_task_afterwards() -> None:
    code = (
        "from celery import Celery\n"
        "from pagoda_plugin_sdk import celery_app\n"
        "@celery_app.task(bind=True, name='plugin.greet')\n"
        "def greet(self, job_id):\n"
        "    return (self.name, job_id)\n"
        "app = Celery('host', set_as_current=True)\n"
        "celery_app.bind(app)\n"
        "print(greet.app is app, 'plugin.greet' in app.tasks, celery_app.main, greet(7))\n"
    )

    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert finished.stdout.strip() == "True True host ('plugin.greet', 7)"


def test_stored_numbers_never_change() -> None:
    assert {status.name: status.value for status in JobStatus} == {
        "PREPARING": 1,
        "DONE": 2,
        "ERROR": 3,
        "TIMEOUT": 4,
        "PROCESSING": 5,
        "CANCELED": 6,
        "WARNING": 7,
    }
    assert {target.name: target.value for target in JobTarget} == {"UNKNOWN": 0, "ENTRY": 1, "ENTITY": 2}
    assert (JobOperation.PURGE_JOBS.value, JobOperation.RUN_DEFERRED_HOOK.value) == (90, 91)


def test_levels_of_permission_include_the_lower_ones() -> None:
    assert [(level.name, level.value) for level in sorted(PermissionLevel)] == [
        ("NOTHING", 1),
        ("READABLE", 2),
        ("WRITABLE", 4),
        ("FULL", 8),
    ]


@pytest.mark.parametrize("status", JobStatus)
def test_job_is_finished_unless_it_prepares_or_processes(status: JobStatus) -> None:
    assert status.is_finished == (status.name not in ("PREPARING", "PROCESSING"))


@pytest.mark.parametrize("options", [{}, {"bind": True}], ids=["plain", "bound"])
def test_the_offset_stays_with_the_function_whatever_app_makes_the_task(options: dict[str, bool]) -> None:
    name = f"offset.{len(options)}"

    @register_plugin_job_task(7)
    @celery_app.task(name=name, **options)  # type: ignore[untyped-decorator]  # as Celery's own
    def rebuild(*_: object) -> None: ...

    assert task_offset(rebuild) == 7
    assert task_offset(Celery("another", set_as_current=False).tasks[name]) == 7


@pytest.mark.parametrize("is_outermost", [True, False], ids=["over the task", "under the task"])
def test_celery_task_tells_its_offset(is_outermost: bool) -> None:
    def work(self: Any, job_id: int) -> None: ...

    task = celery_app.task(bind=True, name=f"offset.{is_outermost}")
    mark = register_plugin_job_task(7)
    marked: Any = mark(task(work)) if is_outermost else task(mark(work))
    unmarked: Any = celery_app.task(name=f"unmarked.{is_outermost}")(fresh())

    assert (marked._offset, unmarked._offset) == (7, None)
    assert callable(marked.delay)
