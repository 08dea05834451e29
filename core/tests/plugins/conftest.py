"""Real plugin packages, written by hand into a folder of their own, and a host to start them in."""

from __future__ import annotations

import importlib
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import structlog
from django.apps import apps

from pagoda.config.settings import Settings
from pagoda.hooks.manager import HookManager
from pagoda.hooks.testing import fresh_breaker
from pagoda.plugins.boot import boot
from pagoda.plugins.registry import Host, PluginRegistry
from pagoda_plugin_sdk.task_registry import PluginTaskRegistry

SDK_REQUIREMENT = "pagoda-plugin-sdk<2,>=1.0"

PLUGIN = """
    from pagoda_plugin_sdk import Plugin
    from pagoda_plugin_sdk.decorators import entry_hook

    class ThePlugin(Plugin):
        id = {id!r}
        name = "A plugin of the tests"
        version = "1.0.0"
        {attributes}

        @entry_hook("after_create")
        def handle(self, entity_name, user, entry, **kwargs):
            return None
"""


def plugin_source(plugin_id: str, *attributes: str) -> str:
    """Return a whole plugin module; `attributes` are lines of the class."""
    lines = "\n        ".join(attributes)
    return textwrap.dedent(PLUGIN.format(id=plugin_id, attributes=lines))


@dataclass
class Packages:
    """Writes installed distributions into `folder`: dist-info and package."""

    folder: Path

    def install(
        self,
        name: str,
        source: str | None = None,
        *,
        entry_point: str | None = None,
        target: str | None = None,
        requires: tuple[str, ...] = (SDK_REQUIREMENT,),
        version: str = "1.0.0",
        metadata: str | None = None,
        modules: Mapping[str, str] | None = None,
        distribution: str | None = None,
    ) -> str:
        """Install a plugin whose id and entry point are `name`; return the package's name."""
        package = f"generated_{(distribution or name).replace('-', '_')}"
        contents = {"plugin.py": source if source is not None else plugin_source(name), **(modules or {})}
        self.write_package(self.folder / package, contents)
        dist_name = distribution or f"dist-{name}"
        info = self.folder / f"{dist_name.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        headers = [f"Metadata-Version: 2.3\nName: {dist_name}\nVersion: {version}"]
        headers += [f"Requires-Dist: {requirement}" for requirement in requires]
        (info / "METADATA").write_text(metadata if metadata is not None else "\n".join(headers) + "\n")
        line = f"{entry_point or name} = {target or f'{package}.plugin:ThePlugin'}"
        (info / "entry_points.txt").write_text(f"[pagoda.plugins]\n{line}\n")
        importlib.invalidate_caches()
        return package

    @staticmethod
    def write_package(folder: Path, contents: Mapping[str, str]) -> None:
        for file_name, text in {"__init__.py": "", **contents}.items():
            path = folder / file_name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text))


@pytest.fixture(autouse=True)
def _no_failures_of_other_tests() -> Iterator[None]:
    with fresh_breaker():
        yield


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Keep log records: rendering a traceback takes longer than a test."""
    with structlog.testing.capture_logs():
        yield


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Packages]:
    """Give an import path of its own; what is imported from it is forgotten afterwards."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    paths, modules = list(sys.path), set(sys.modules)
    yield Packages(folder)
    sys.path[:] = paths
    for name in set(sys.modules) - modules:
        if name.startswith(("generated_", "example_")):
            del sys.modules[name]


@dataclass
class Started:
    """A registry with the plugins it was started with, and what of the host they may touch."""

    registry: PluginRegistry
    hooks: HookManager
    error: Exception | None = None

    def handlers(self) -> set[str]:
        """Return the plugins that have handlers."""
        return {record.plugin_id for records in self.hooks._hooks.values() for record in records}

    def statuses(self) -> dict[str, str]:
        return {record.id: record.status.value for record in self.registry.records}

    def reason(self, name: str) -> tuple[str | None, str]:
        record = self.registry.get(name)
        return record.reason_code, record.reason


@dataclass
class Starter:
    """Starts registries, and takes all of them down again."""

    started: list[Started] = field(default_factory=list)

    def __call__(self, *enabled: str, **settings: Any) -> Started:
        hooks = HookManager()
        values = Settings(enabled_plugins=enabled, **settings)
        host = Host(
            hooks=hooks,
            tasks=PluginTaskRegistry,
            apps=apps,
            account=values.database_account,
            plugin_settings=values.plugin_settings,
            operation_ranges=values.plugin_operation_id_config,
            load_seconds=values.plugin_load_timeout_seconds,
        )
        started = Started(registry=PluginRegistry(host), hooks=hooks)
        self.started.append(started)
        boot(started.registry, values)
        return started

    def stop(self) -> None:
        for started in self.started:
            for record in reversed(started.registry.active):
                started.registry.unregister(record.id)


@pytest.fixture
def start(packages: Packages) -> Iterator[Callable[..., Started]]:
    """Start a host with the named plugins enabled; further settings by their name."""
    starter = Starter()
    yield starter
    starter.stop()
    PluginTaskRegistry.reset()
