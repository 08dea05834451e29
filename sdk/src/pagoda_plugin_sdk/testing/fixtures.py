"""The fixtures of the pytest plugin. They need no configuration; docs/plugins/testing.md tells of each.

`run_task`, `run_hook`, `plugin_settings` and `api_client` work on the host that the test asks for: on
`pagoda_host` where it is among the test's fixtures, else on `memory_host`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings
from django.urls import include, path
from rest_framework.test import APIClient

from pagoda_plugin_sdk.authority import set_authority
from pagoda_plugin_sdk.plugin import Plugin
from pagoda_plugin_sdk.task_registry import PluginTaskRegistry
from pagoda_plugin_sdk.testing.database import database_allowed, host_class
from pagoda_plugin_sdk.testing.injection import injected
from pagoda_plugin_sdk.testing.memory import MemoryHost
from pagoda_plugin_sdk.testing.starting import tested

FIRST_ID = 5000


@pytest.fixture
def memory_host() -> Iterator[MemoryHost]:
    """A host in memory with the plugins of the project: fast, without a database."""
    plugins = tested.plugins()
    made = MemoryHost(*plugins)
    is_registered = tested.host_class is not None  # by the real host, which keeps them
    if not is_registered:
        for name, plugin in zip(tested.targets, plugins, strict=True):
            PluginTaskRegistry.alias(name, plugin.id)
            if plugin.task_config is not None:
                PluginTaskRegistry.register(plugin.task_config)
        ranges = {
            plugin.id: (FIRST_ID + 100 * place, FIRST_ID + 100 * place + 99)
            for place, plugin in enumerate(plugins)
        }
        PluginTaskRegistry.validate_all(ranges, known_plugins=ranges)
    sessions = "django.contrib.sessions.backends.signed_cookies"  # they need no table
    with (
        injected(made.models),
        override_settings(ROOT_URLCONF=_urls(plugins), MIDDLEWARE=[], SESSION_ENGINE=sessions),
    ):
        before = set_authority(made.acting_for_itself)
        yield made
        set_authority(before)
    if not is_registered:
        PluginTaskRegistry.reset()


@pytest.fixture
def pagoda_host(pagoda_template: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Any]:
    """The real host in this process, with the project's plugins, on an SQLite database of the test's own.

    Any: a `PagodaHost` of the host's wheel.
    """
    file = tmp_path / "pagoda.sqlite3"
    with database_allowed(request), host_class()(pagoda_template, file) as host:
        yield host


@pytest.fixture
def tested_host(request: pytest.FixtureRequest) -> Any:
    """The host that the test asks for; Any: one of two classes with the same methods."""
    name = "pagoda_host" if "pagoda_host" in request.fixturenames else "memory_host"
    return request.getfixturevalue(name)


@pytest.fixture
def plugin_settings(tested_host: Any) -> Callable[..., Any]:
    """Give the project's plugin settings: ``plugin_settings(limit=3)`` returns them, validated."""
    return lambda **values: tested_host.settings(values)


@pytest.fixture
def run_hook(tested_host: Any) -> Callable[..., Any]:
    """Run a hook's handlers: ``run_hook("entry.validate", user, "Host", "web-1", attrs, None)``.

    It returns the data that a transform or a filter ends with. A refusal is raised.
    """
    return tested_host.run_hook  # type: ignore[no-any-return]


@pytest.fixture
def run_task(tested_host: Any) -> Callable[..., Any]:
    """Run a task to its end: ``run_task("scan", {"host": "web-1"}, user)`` returns its job."""

    def run(operation_name: str, params: Mapping[str, Any] | None = None, user: Any = None) -> Any:
        plugin: Plugin = tested_host.plugins[0]
        return tested_host.run_task(plugin.id, operation_name, params, user)

    return run


@pytest.fixture
def api_client(tested_host: Any) -> Callable[..., APIClient]:
    """Log a user in: ``api_client("ann", PermissionLevel.WRITABLE, entity)`` returns a client of the API.

    Without a level the user has what everybody has; without things the level is on every entity there is.
    """

    def log_in(
        username: str | None = "ann", level: int | None = None, *things: Any, **user: Any
    ) -> APIClient:
        if username is None:
            return client_of(tested_host, None)
        made = tested_host.user(username, **user)
        if level is not None:
            tested_host.allow(made, level, *things)
        return client_of(tested_host, made)

    return log_in


def client_of(host: Any, user: Any) -> APIClient:
    """Return a client of `host` that is logged in as `user`; None: as nobody."""
    if not isinstance(host, MemoryHost):
        return host.client(user)  # type: ignore[no-any-return]
    client = APIClient()
    if user is not None:
        client.force_authenticate(user)
    return client


def _urls(plugins: list[Plugin]) -> tuple[Any, ...]:
    """Return URLs that lead to the plugins' views, as the host's do. Any: Django's patterns."""
    return tuple(
        path(f"{prefix}/{plugin.id}/", include((module, plugin.id), namespace=plugin.id))
        for plugin in plugins
        for prefix, module in (("api/v2/plugins", plugin.api_v2_patterns), ("plugins", plugin.url_patterns))
        if module
    )
