"""The Django app that starts jobs: the last of the host's, when every plugin is in service."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from django.apps import AppConfig

from pagoda import running
from pagoda_plugin_sdk.task_registry import PluginTaskRegistry
from pagoda_plugin_sdk.tasks import celery_app


class JobConfig(AppConfig):
    """Starts jobs in this process: operations checked, Celery's app made and its tasks registered."""

    name = "pagoda.jobs"
    label = "job"
    verbose_name = "Jobs"

    def ready(self) -> None:
        # Late: these modules use models, which exist once Django has loaded the apps
        from pagoda.jobs import (
            access,
            deferred,
            interface,
            models,
            operations,
            plugin_host,
            runtime,
            starting,
        )

        access.bind()
        models.Job.services = cast("models.JobServices", running.Hosted(interface))
        import_module("pagoda.jobs.core_tasks")  # registers the host's operations
        import_module("pagoda.jobs.schema_tasks")
        PluginTaskRegistry.validate_all(known_plugins=plugin_host.known_plugin_names())
        operations.load_custom_tasks()
        runtime.start(starting.make_app(), registry_digest=plugin_host.registry_digest())
        celery_app.bind(runtime.celery_app())
        deferred.install()
