"""Makes Celery's app from the operations of this process, and checks what only shows when all are known."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import structlog
from celery import Celery
from django.core.exceptions import ImproperlyConfigured

from pagoda.fencing.interrupts import is_host_interrupt
from pagoda.jobs import celery, operations, plugin_host, runtime
from pagoda.jobs.operations import OperationSpec
from pagoda_plugin_sdk.task_registry import PluginTaskRegistry

log = structlog.get_logger(__name__)


def make_app() -> Celery:
    """Return Celery's app with a task for each operation and a queue for each plugin.

    Raises:
        ImproperlyConfigured: Celery is set wrongly, or, in strict mode, a plugin's task can't be loaded.
    """
    specs = _specs()
    app = celery.make_app(runtime.host_settings(), plugin_ids=plugin_host.active_plugin_ids())
    celery.assert_configuration(app)
    _register_tasks(app, specs)
    return app


def _specs() -> tuple[OperationSpec, ...]:
    """Return all operations; a plugin whose tasks can't be looked at loses them and is told as at fault.

    Raises:
        ImproperlyConfigured: PAGODA_PLUGIN_STRICT is set and there is such a plugin.
    """
    for operation in PluginTaskRegistry.operations():
        if operation.plugin_id not in PluginTaskRegistry.get_all_configs():
            continue  # lost them already
        try:
            operations.resolve(operation.number)
        except BaseException as error:  # the fence: a module may give another object than at registration
            if is_host_interrupt(error):
                raise
            text = f"Its task {operation.name!r} can't be loaded, so it has none: {type(error).__name__}."
            if runtime.host_settings().pagoda_plugin_strict:
                raise ImproperlyConfigured(f"Plugin {operation.plugin_id!r}: {text}") from error
            log.exception("plugin_tasks_failed", plugin=operation.plugin_id)
            PluginTaskRegistry.unregister(operation.plugin_id)
            plugin_host.report_fault(operation.plugin_id, text)
    return operations.all_specs()


def _register_tasks(app: Celery, specs: Iterable[OperationSpec]) -> None:
    """Give each operation its task, called ``plugin.operation`` so that Flower tells them apart."""
    for spec in specs:
        app.task(name=spec.task_name, bind=True, ignore_result=True)(_run)


def _run(self: Any, /, *, job_id: int, **_seen: Any) -> None:
    """Run a job; the message's further arguments, plugin and user, are there to be seen."""
    runtime.runner().run(job_id, str(self.request.id))
