"""The database of the real host in the process of a test: one is migrated, and each host has a copy of it."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytest

from pagoda_plugin_sdk.testing.starting import HostClass, tested


def host_class() -> HostClass:
    """Return what makes real hosts; the test that asks fails where none is installed."""
    if tested.host_class is None:
        pytest.fail(
            "`pagoda_host` needs a host in this environment: pip install 'pagoda-plugin-sdk[dev]'. "
            "`memory_host` needs none.",
            pytrace=False,
        )
    return tested.host_class


@pytest.fixture(scope="session")
def pagoda_template(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """The database file, with all tables and no rows, that each `pagoda_host` has a copy of."""
    file = tmp_path_factory.mktemp("pagoda") / "template.sqlite3"
    with database_allowed(request):
        host_class().prepare(file)
    return file


def database_allowed(request: pytest.FixtureRequest) -> AbstractContextManager[Any]:
    """Return a block in which pytest-django, where it is installed, lets the database be used."""
    if not request.config.pluginmanager.hasplugin("django"):
        return nullcontext()
    unblocked: AbstractContextManager[Any] = request.getfixturevalue("django_db_blocker").unblock()
    return unblocked
