"""The plugin that tries to reach what others have: from an endpoint, from a hook, and in a task."""

from __future__ import annotations

from typing import Any

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from pagoda_escapee.attempts import HASHES, READS, WRITES, tried
from pagoda_plugin_sdk import Plugin, PluginAPIView, PluginTaskConfig
from pagoda_plugin_sdk.decorators import entry_hook
from pagoda_plugin_sdk.models import Job

TASKS = ("sdk", "environment", "call")
"""By offset."""


class TryView(PluginAPIView):
    """Try what the body names, here."""

    def get(self, _request: Request) -> Response:
        """Return the names of the attempts."""
        return Response({"reads": list(READS), "hashes": list(HASHES), "writes": list(WRITES)})

    def post(self, request: Request) -> Response:
        wanted: dict[str, Any] = dict(request.data)
        facts, names = wanted["facts"], wanted["names"]
        if not wanted["authority"]:
            return Response({name: tried(name, facts) for name in names})
        with self.authority():
            return Response({name: tried(name, facts) for name in names})


class RunView(PluginAPIView):
    """Queue a task, with the body as its parameters."""

    def post(self, request: Request, task: str) -> Response:
        job = Job.objects.submit(
            plugin="escapee", operation_name=task, user=request.user, params=dict(request.data)
        )
        return Response({"job": job.id}, status=202)


urlpatterns = [path("try/", TryView.as_view()), path("run/<str:task>/", RunView.as_view())]


class EscapeePlugin(Plugin):
    """It was granted the entries of one entity, and wants the rest."""

    id = "escapee"
    name = "Escapee"
    permissions = ["entry:write:Open"]
    api_v2_patterns = "pagoda_escapee.plugin"
    task_config = PluginTaskConfig(
        "escapee", "pagoda_escapee.tasks", {name: (offset, name) for offset, name in enumerate(TASKS)}
    )

    @entry_hook("before_create", entity="Open")
    def try_it(self, entity_name: str, user: Any, data: dict[str, Any]) -> dict[str, Any]:
        """Try what the entry is named after, with the facts in its note; the note tells what came of it."""
        facts = dict(pair.split("=") for pair in data["note"].split())
        return {**data, "note": tried(data["name"], facts)}
