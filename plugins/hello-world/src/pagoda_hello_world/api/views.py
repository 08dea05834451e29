"""Views: one for anybody, the others for people who are logged in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from pagoda_hello_world.api.serializers import (
    HelloWorldEntitySerializer,
    HelloWorldMessageSerializer,
    HelloWorldStatusSerializer,
    HelloWorldTaskSerializer,
)
from pagoda_hello_world.operations import TASK_CONFIG, HelloWorldOperation
from pagoda_hello_world.plugin import HelloWorldPlugin, greeting
from pagoda_plugin_sdk import Job, PermissionLevel, PluginAPIView, PluginPagination, PluginTaskRegistry
from pagoda_plugin_sdk.models import Entity


def _operation_id() -> int:
    name = HelloWorldOperation.HELLO_WORLD_TASK.name.lower()
    return PluginTaskRegistry.get_operation_id(TASK_CONFIG.plugin_id, name)


class HelloWorldView(PluginAPIView):
    """What the plugin's views have in common."""

    plugin_id = HelloWorldPlugin.id
    plugin_version = HelloWorldPlugin.version
    serializer_class: ClassVar[type[Any]] = HelloWorldMessageSerializer  # what it takes and answers


class TestView(HelloWorldView):
    """Answers anybody: shows that the plugin is served."""

    permission_classes = [AllowAny]

    def get(self, _request: Request) -> Response:
        return Response({"message": "The Hello World plugin works."})


class HelloView(HelloWorldView):
    """Greets the user, or queues a job that greets somebody else."""

    response_statuses: ClassVar[Mapping[str, int]] = {"POST": 202}

    def get_serializer_class(self) -> type[Any]:
        """Return what the request's method takes and answers, for the OpenAPI schema."""
        return HelloWorldTaskSerializer if self.request.method == "POST" else HelloWorldMessageSerializer

    def get(self, request: Request) -> Response:
        return Response({"message": greeting(request.user.get_username())})

    def post(self, request: Request) -> Response:
        """Queue the task for ``{"name": ...}`` and answer 202 with the job's id."""
        wanted = HelloWorldTaskSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        job = Job._create_new_job(request.user, _operation_id(), params=dict(wanted.validated_data))
        job.run()
        return Response(HelloWorldTaskSerializer({"job": job.id}).data, status=202)


class GreetView(HelloWorldView):
    """Greets the name in the URL."""

    def get(self, _request: Request, name: str) -> Response:
        return Response({"message": greeting(name)})


class StatusView(HelloWorldView):
    """Shows what the host knows of the plugin."""

    serializer_class = HelloWorldStatusSerializer

    def get(self, _request: Request) -> Response:
        info = HelloWorldPlugin().get_info()
        return Response(HelloWorldStatusSerializer({**info, "operation_id": _operation_id()}).data)


class EntitiesView(HelloWorldView):
    """Lists the entities that the user may read, page by page."""

    serializer_class = HelloWorldEntitySerializer
    pagination_class = PluginPagination  # by which the OpenAPI schema knows that it answers with pages

    def get(self, request: Request) -> Response:
        entities = Entity.objects.filter(is_active=True).order_by("name")
        readable = [
            entity for entity in entities if entity.may_permitted(request.user, PermissionLevel.READABLE)
        ]
        paginator = self.pagination_class()
        page = paginator.paginate_queryset(readable, request, view=self)
        return paginator.get_paginated_response(HelloWorldEntitySerializer(page, many=True).data)
