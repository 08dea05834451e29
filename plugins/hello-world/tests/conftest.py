"""What the tests share beside the fixtures of the SDK's pytest plugin."""

from __future__ import annotations

from typing import Any

import pytest

from pagoda_hello_world.plugin import HelloWorldPlugin
from pagoda_plugin_sdk.testing import MemoryHost


@pytest.fixture
def plugin() -> HelloWorldPlugin:
    return HelloWorldPlugin()


@pytest.fixture
def host(memory_host: MemoryHost) -> MemoryHost:
    return memory_host


@pytest.fixture
def user(host: MemoryHost) -> Any:
    return host.user("ann")
