"""API URLs of a plugin that serves their root."""

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from pagoda_plugin_sdk.api import PluginAPIView


class Root(PluginAPIView):
    """Tells whose it is."""

    def get(self, request: Request) -> Response:
        return Response({"root_of": self.get_plugin_id()})


urlpatterns = [path("", Root.as_view(), name="root")]
