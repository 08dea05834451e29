"""The plugin beside the one that misbehaves: its jobs are short, and say where they ran."""

import socket

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from pagoda_plugin_sdk import Plugin, PluginAPIView, PluginTaskConfig
from pagoda_plugin_sdk.models import Job
from pagoda_plugin_sdk.tasks import JobContext, plugin_task


@plugin_task(0)
def whereabouts(_job: JobContext) -> dict[str, str]:
    """Tell which container ran it."""
    return {"host": socket.gethostname()}


class RunView(PluginAPIView):
    """Queue one job."""

    def post(self, request: Request) -> Response:
        job = Job.objects.submit(plugin="neighbour", operation_name="whereabouts", user=request.user)
        return Response({"job": job.id}, status=202)


urlpatterns = [path("run/", RunView.as_view())]


class NeighbourPlugin(Plugin):
    """A queue of its own, and nothing else."""

    id = "neighbour"
    name = "Neighbour"
    api_v2_patterns = "pagoda_neighbour.plugin"
    task_config = PluginTaskConfig(
        "neighbour", "pagoda_neighbour.plugin", {"whereabouts": (0, "whereabouts")}
    )
