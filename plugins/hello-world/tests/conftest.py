"""What Django and REST framework need to serve the plugin, and a host in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import django
import pytest
from django.conf import settings
from django.urls import include, path

from pagoda_plugin_sdk import PluginTaskRegistry
from pagoda_plugin_sdk.testing import MemoryHost, injected

if not settings.configured:
    settings.configure(
        ALLOWED_HOSTS=["testserver"],
        REST_FRAMEWORK={
            "DEFAULT_AUTHENTICATION_CLASSES": [],
            "UNAUTHENTICATED_USER": None,
            "TEST_REQUEST_DEFAULT_FORMAT": "json",
        },
        SECRET_KEY="tests",
        USE_TZ=True,
    )
    django.setup()
    settings.ROOT_URLCONF = (
        path("api/v2/plugins/hello-world-plugin/", include("pagoda_hello_world.api.urls")),
        path("plugins/hello-world-plugin/", include("pagoda_hello_world.urls")),
    )

from pagoda_hello_world.operations import TASK_CONFIG  # after the settings, which DRF reads
from pagoda_hello_world.plugin import HelloWorldPlugin


@dataclass(frozen=True, slots=True)
class FakeUser:
    """A user that is logged in."""

    username: str = "ann"
    is_authenticated: bool = True
    is_active: bool = True

    def get_username(self) -> str:
        return self.username


@pytest.fixture
def user() -> FakeUser:
    return FakeUser()


@pytest.fixture
def plugin() -> HelloWorldPlugin:
    return HelloWorldPlugin()


@pytest.fixture
def host(plugin: HelloWorldPlugin) -> Iterator[MemoryHost]:
    made = MemoryHost(plugin)
    PluginTaskRegistry.alias("hello-world", plugin.id)
    PluginTaskRegistry.register(TASK_CONFIG)
    PluginTaskRegistry.validate_all({"hello-world": (5000, 5009)})
    with injected(made.models):
        yield made
    PluginTaskRegistry.reset()
