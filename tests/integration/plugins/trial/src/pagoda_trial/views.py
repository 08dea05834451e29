"""Endpoints that queue jobs, and one that raises."""

from __future__ import annotations

import socket
from datetime import datetime
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from pagoda_plugin_sdk import PluginAPIView, PluginTaskRegistry
from pagoda_plugin_sdk.models import Job


class RunView(PluginAPIView):
    """Queue a job of any of the tasks: ``{"params": {}, "depend_on": job id, "count": 1, ...}``."""

    def post(self, request: Request, operation: str) -> Response:
        wanted: dict[str, Any] = dict(request.data)
        params, count = wanted.pop("params", {}), wanted.pop("count", None)
        named: dict[str, Any] = {"plugin": "trial", "operation_name": operation, "user": request.user}
        if count is not None:
            jobs = Job.objects.submit_many(params=[params] * int(count), **named)
            return Response({"jobs": [job.id for job in jobs]}, status=202)
        if "depend_on" in wanted:
            wanted["depend_on"] = Job.objects.get(pk=wanted["depend_on"])
        if "run_at" in wanted:
            wanted["run_at"] = datetime.fromisoformat(wanted["run_at"])
        job = Job.objects.submit(params=params, **named, **wanted)
        return Response({"job": job.id}, status=202)


class PrepareView(PluginAPIView):
    """Make a job, and leave it at that: the first half of the diagram of the job flow."""

    def post(self, request: Request, operation: str) -> Response:
        number = PluginTaskRegistry.get_operation_id("trial", operation)
        job = Job._create_new_job(request.user, number, params=dict(request.data))
        return Response({"job": job.id, "operation": number}, status=201)


class StartView(PluginAPIView):
    """Run a job that was made: the second half."""

    def post(self, _request: Request, job: int) -> Response:
        Job.objects.get(pk=job).run()
        return Response({"job": job}, status=202)


class WhereView(PluginAPIView):
    """Tell which container answers."""

    def get(self, _request: Request) -> Response:
        return Response({"host": socket.gethostname()})


class RaiseView(PluginAPIView):
    """Raise."""

    def get(self, _request: Request) -> Response:
        raise ArithmeticError("the trial's endpoint failed")
