"""Each test of the suite runs twice: on the host in memory, and on the real one."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pagoda_plugin_sdk.testing.starting import start, tested

if tested.host_class is None:
    DATA_DIR = Path(tempfile.mkdtemp(prefix="pagoda-contract-"))
    start(DATA_DIR)

from pagoda_plugin_sdk.models import Entity, Entry  # after the start, as in a plugin's tests
from pagoda_plugin_sdk.testing.database import pagoda_template
from pagoda_plugin_sdk.testing.fixtures import memory_host, pagoda_host

__all__ = ["memory_host", "pagoda_host", "pagoda_template"]


@pytest.fixture(scope="session", autouse=True)
def _data_dir() -> Iterator[None]:
    yield
    shutil.rmtree(DATA_DIR, ignore_errors=True)


@pytest.fixture(params=["memory_host", "pagoda_host"])
def host(request: pytest.FixtureRequest) -> Any:
    """Any: two classes with the same methods."""
    return request.getfixturevalue(request.param)


class Maker:
    """Makes entities and entries as the host itself."""

    def entity(self, name: str = "Host", **types: Any) -> Any:
        """Make an entity: ``entity("Host", os="string", up={"type": "boolean", "is_mandatory": True})``."""
        attrs = [
            {"name": attr, **(spec if isinstance(spec, dict) else {"type": spec})}
            for attr, spec in types.items()
        ]
        return Entity.objects.create_entity(user=None, name=name, attrs=attrs)

    def entry(self, schema: Any, name: str = "web-1", **attrs: Any) -> Any:
        return Entry.objects.create_entry(user=None, schema=schema, name=name, attrs=attrs)


@pytest.fixture
def make(host: Any) -> Maker:
    return Maker()
