"""API URLs of a well-behaved plugin."""

from django.http import HttpRequest, JsonResponse
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from pagoda.hooks.errors import RejectedByPlugin
from pagoda_plugin_sdk.api import PluginAPIView

app_name = "good"


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


class Writing(PluginAPIView):
    """A view whose write another plugin refuses."""

    def post(self, request: Request) -> Response:
        raise RejectedByPlugin(plugin_id="keeper", hook="entry.validate", entity="Host", messages=["no"])


def plain_failing(request: HttpRequest) -> JsonResponse:
    raise RuntimeError("secret inside")


def number(request: HttpRequest, number: int) -> JsonResponse:
    return JsonResponse({"number": number})


urlpatterns = [
    path("things/", Things.as_view(), name="things"),
    path("numbers/<int:number>/", number, name="number"),
    path("writing/", Writing.as_view(), name="writing"),
    path("failing/", Failing.as_view(), name="failing"),
    path("plain-failing/", plain_failing, name="plain-failing"),
]
