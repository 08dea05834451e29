"""The plugin that tries to get out of its worker, and an endpoint to start each try."""

from __future__ import annotations

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from pagoda_plugin_sdk import Plugin, PluginAPIView, PluginTaskConfig
from pagoda_plugin_sdk.models import Job

TASKS = ("write", "privileges", "memory", "processes", "processor", "connect", "look_around")
"""By offset."""


class TryView(PluginAPIView):
    """Queue one try, with the body as its parameters."""

    def post(self, request: Request, task: str) -> Response:
        job = Job.objects.submit(
            plugin="probe", operation_name=task, user=request.user, params=dict(request.data)
        )
        return Response({"job": job.id}, status=202)


urlpatterns = [path("<str:task>/", TryView.as_view())]


class ProbePlugin(Plugin):
    """What it gets is told in the job's result."""

    id = "probe"
    name = "Probe"
    api_v2_patterns = "pagoda_probe.plugin"
    task_config = PluginTaskConfig(
        "probe", "pagoda_probe.tasks", {name: (offset, name) for offset, name in enumerate(TASKS)}
    )
