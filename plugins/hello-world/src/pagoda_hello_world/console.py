"""The plugin's page in the console, under ``/console/plugins/hello-world-plugin/``."""

from __future__ import annotations

from typing import Any

from django.urls import path

from pagoda_hello_world.plugin import greeting
from pagoda_plugin_sdk.pages import PluginPage


class HelloPage(PluginPage):
    """Says hello to whoever looks."""

    title = "Hello"
    template_name = "hello_world/hello.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add the greeting."""
        return super().get_context_data(greeting=greeting(self.request.user.get_username()))


urlpatterns = [path("hello/", HelloPage.as_view(), name="hello")]
