"""Makes Celery's app from the operations of this process, and checks what only shows when all are known."""

from __future__ import annotations

from celery import Celery
from django.core.exceptions import ImproperlyConfigured

from pagoda.jobs import celery, celery_tasks, cron, operations, plugin_host, runtime, store
from pagoda.jobs.operations import OperationSpec
from pagoda_plugin_sdk.exceptions import PluginError


def make_app() -> Celery:
    """Return Celery's app with a task for each operation and a queue for each plugin.

    Raises:
        ImproperlyConfigured: a task can't be loaded, a schedule is not understood, or Celery is set wrongly.
    """
    specs = _specs()
    longest = max((store.longest_limit_seconds(spec) for spec in specs), default=0.0)
    app = celery.make_app(
        runtime.host_settings(), plugin_ids=plugin_host.active_plugin_ids(), longest_limit_seconds=longest
    )
    celery.assert_configuration(app, longest_limit_seconds=longest)
    celery_tasks.register_tasks(app, specs)
    return app


def _specs() -> tuple[OperationSpec, ...]:
    try:
        specs = operations.all_specs()
    except (PluginError, ImportError) as error:
        raise ImproperlyConfigured(f"A task of a plugin can't be loaded: {error}") from error
    faults = [fault for spec in specs if (fault := _schedule_fault(spec)) is not None]
    if faults:
        listed = "\n".join(f"  - {fault}" for fault in faults)
        raise ImproperlyConfigured(f"Schedules of tasks have {len(faults)} fault(s):\n{listed}")
    return specs


def _schedule_fault(spec: OperationSpec) -> str | None:
    if spec.options is None or spec.options.schedule is None:
        return None
    try:
        cron.parse(spec.options.schedule)
    except ValueError as error:
        return f"{spec.task_name}: {error}"
    return None
