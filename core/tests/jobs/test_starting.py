from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest
from django.core.management import call_command

from pagoda.jobs import operations, plugin_host, runtime, starting
from pagoda.jobs.job_errors import NoRunner
from pagoda.jobs.testing import plugin_tasks
from pagoda_plugin_sdk.operations import JobOperation
from pagoda_plugin_sdk.tasks import PluginTaskConfig, PluginTaskRegistry, celery_app, plugin_task


@plugin_task(0, hard_time_limit_seconds=7200)
def slow(job: Any) -> None: ...


def test_each_operation_has_a_celery_task_and_each_plugin_a_queue() -> None:
    with plugin_tasks("shop", [slow]):
        app = starting.make_app()

    assert {"shop.slow", "core.purge_jobs", "core.run_deferred_hook"} <= app.tasks.keys()
    assert set(app.amqp.queues) == {"core", "plugin.shop"}


def test_a_message_goes_to_the_runner_of_this_process() -> None:
    ran: list[Any] = []

    class Runner:
        def run(self, job_id: int, task_id: str) -> None:
            ran.append((job_id, task_id))

    task = starting.make_app().tasks["core.purge_jobs"]
    runtime.set_runner(Runner())
    try:
        task.apply(kwargs={"job_id": 7, "plugin": "", "user": None}, task_id="t").get()
    finally:
        runtime.set_runner(None)

    assert ran == [(7, "t")]


def test_a_process_without_a_runner_says_what_runs_jobs() -> None:
    with pytest.raises(NoRunner, match=r"Start them with `pagoda-worker run`"):
        runtime.runner()


class Changing(ModuleType):
    """A module that gives a task once, and then an error: what is evaluated lazily may change."""

    left = 1

    def __init__(self, name: str, error: BaseException) -> None:
        super().__init__(name)
        self.error = error

    def __getattr__(self, name: str) -> Any:
        if name not in ("a", "b"):
            raise AttributeError(name)
        self.left -= 1
        if self.left < 0:
            raise self.error
        return slow


@pytest.fixture(params=[SystemExit("not again"), KeyboardInterrupt("not again")], ids=repr)
def lazy(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> PluginTaskConfig:
    monkeypatch.setattr("signal.getsignal", lambda _signal: print)  # as where Ctrl-C raises another
    monkeypatch.setitem(sys.modules, "lazy_tasks", Changing("lazy_tasks", request.param))
    return PluginTaskConfig("lazy", "lazy_tasks", {"a": (0, "a"), "b": (1, "b")})


def test_a_plugin_whose_tasks_cannot_be_loaded_again_loses_them_and_no_other_does(
    lazy: PluginTaskConfig,
) -> None:
    with plugin_tasks("shop", [slow]):
        PluginTaskRegistry.register(lazy)
        try:
            PluginTaskRegistry.validate_all({"shop": [500, 509], "lazy": [600, 609]})
            app = starting.make_app()
        finally:
            PluginTaskRegistry.unregister("lazy")

    assert "shop.slow" in app.tasks
    assert not {name for name in app.tasks if name.startswith("lazy.")}


def test_the_sdk_speaks_to_the_hosts_app() -> None:
    assert celery_app.conf is runtime.celery_app().conf


def test_core_operations_are_registered_and_hidden() -> None:
    specs = {spec.number: spec for spec in operations.all_specs()}

    assert {JobOperation.PURGE_JOBS, JobOperation.RUN_DEFERRED_HOOK} <= specs.keys()
    asked_for_by_people = {
        JobOperation.EXPORT_ENTRIES,
        JobOperation.IMPORT_ENTRIES,
        JobOperation.CONVERT_VALUES,
    }
    assert {number for number in JobOperation if not specs[number].is_hidden} == asked_for_by_people
    assert set(JobOperation) <= set(operations.core_operations.specs)


def test_the_plugin_registry_is_found_through_its_app() -> None:
    from pagoda.plugins.registry import registry

    assert plugin_host.plugin_host() is registry()
    assert plugin_host.registry_digest() == registry().digest() == runtime.registry_digest()


def test_plugins_with_tasks_have_a_queue() -> None:
    with plugin_tasks("shop", [slow]):
        assert "shop" in plugin_host.active_plugin_ids()


@pytest.mark.django_db
def test_no_model_change_lacks_its_migration(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("makemigrations", "job", check=True, dry_run=True)

    assert capsys.readouterr().out == "No changes detected in app 'job'\n"
