"""API URLs of a well-behaved plugin."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.http import HttpRequest, JsonResponse
from django.urls import path
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from pagoda.hooks.rejections import RejectedByPlugin
from pagoda_plugin_sdk.api import PluginAPIView, PluginPagination

app_name = "good"


class ShelfSerializer(serializers.Serializer[Any]):
    """What is shown of a shelf."""

    name = serializers.CharField(read_only=True)


class Things(APIView):
    """A view for people who are logged in, by the host's defaults."""

    def get(self, request: Request) -> Response:
        return Response({"user": request.user.get_username()})

    def post(self, request: Request) -> Response:
        return Response(request.data, status=201)


class Failing(APIView):
    """A view that raises."""

    authentication_classes = ()
    permission_classes = ()

    def get(self, request: Request) -> Response:
        raise RuntimeError("secret inside")


class Shelves(PluginAPIView):
    """A view that tells the OpenAPI schema of its pages, and of another status."""

    serializer_class = ShelfSerializer
    pagination_class = PluginPagination
    response_statuses: ClassVar[Mapping[str, int]] = {"POST": 202}

    def get(self, request: Request) -> Response:
        pages = self.pagination_class()
        page = pages.paginate_queryset([], request, view=self)
        return pages.get_paginated_response(ShelfSerializer(page, many=True).data)

    def post(self, request: Request) -> Response:
        return Response({"name": "new"}, status=202)


class Writing(PluginAPIView):
    """A view whose write another plugin refuses."""

    def post(self, request: Request) -> Response:
        raise RejectedByPlugin(plugin_id="keeper", hook="entry.validate", entity="Host", messages=["no"])


def plain_failing(request: HttpRequest) -> JsonResponse:
    raise RuntimeError("secret inside")


def number(request: HttpRequest, number: int) -> JsonResponse:
    return JsonResponse({"number": number})


urlpatterns = [
    path("shelves/", Shelves.as_view()),
    path("things/", Things.as_view(), name="things"),
    path("numbers/<int:number>/", number, name="number"),
    path("writing/", Writing.as_view(), name="writing"),
    path("failing/", Failing.as_view(), name="failing"),
    path("plain-failing/", plain_failing, name="plain-failing"),
]
