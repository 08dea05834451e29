"""Get a test process ready for a plugin: the host where one is installed, else what REST framework needs.

The SDK knows no host. A host's wheel names two entry points of the group ``pagoda.testing``: ``start``,
called as `start` here, sets Django up with the plugins; ``host``, loaded after that, is a `HostClass`.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import PackageNotFoundError, distribution, entry_points
from pathlib import Path
from typing import Any, Protocol

import django
import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from pagoda_plugin_sdk import models
from pagoda_plugin_sdk.exceptions import PagodaError
from pagoda_plugin_sdk.plugin import Plugin
from pagoda_plugin_sdk.testing.settings import validated_settings

HOST_GROUP = "pagoda.testing"
PLUGIN_GROUP = "pagoda.plugins"


class HostClass(Protocol):
    """Makes real hosts, each on a copy of the database file that `prepare` makes."""

    def prepare(self, path: Path) -> None:
        """Make a database with every table at `path`."""
        ...

    def __call__(self, template: Path, path: Path) -> AbstractContextManager[Any]:
        """Return a host whose database is `path`, a copy of `template`. Any: the host is not the SDK's."""
        ...


@dataclass(slots=True)
class TestedProject:
    """What this process tests."""

    __test__ = False  # no test class, whatever its name begins with

    targets: Mapping[str, str] = field(default_factory=dict)  # {entry point: "module:Class"}
    settings: Mapping[str, Any] = field(default_factory=dict)  # [tool.pagoda.settings] of its pyproject.toml
    host_class: HostClass | None = None  # None: no host is installed

    def plugins(self) -> list[Plugin]:
        """Return new instances of the project's plugins, with their settings."""
        made = []
        for target in self.targets.values():
            module, _, name = target.partition(":")
            plugin: Plugin = getattr(import_module(module.strip()), name.strip())()
            plugin.settings = validated_settings(plugin, self.settings)
            made.append(plugin)
        return made


tested = TestedProject()
"""The project of this process; without plugins unless `start_for` was called."""


def start_for(config: pytest.Config, folder: Path, pyproject: Mapping[str, Any]) -> None:
    """Start for the plugin in `folder`.

    Raises:
        pytest.UsageError: the host does not start with the plugin; the message lists the faults.
    """
    project = pyproject["project"]
    tested.targets = dict(project["entry-points"][PLUGIN_GROUP])
    tested.settings = pyproject.get("tool", {}).get("pagoda", {}).get("settings", {})
    data_dir = Path(tempfile.mkdtemp(prefix="pagoda-tests-"))
    config.add_cleanup(lambda: shutil.rmtree(data_dir, ignore_errors=True))
    examples = examples_of(str(project.get("name", "")), folder)
    try:
        start(data_dir, tuple(tested.targets), tested.settings, examples)
    except (PagodaError, ImproperlyConfigured) as error:
        raise pytest.UsageError(f"Pagoda does not start with {', '.join(tested.targets)}: {error}") from error


def examples_of(name: str, folder: Path) -> Path | None:
    """Return where the host finds the plugin of this project; None for one that is installed."""
    try:
        distribution(name)
    except (PackageNotFoundError, ValueError):
        return folder.absolute().parent
    return None


def start(
    data_dir: Path,
    plugins: Sequence[str] = (),
    values: Mapping[str, Any] | None = None,
    examples: Path | None = None,
) -> None:
    """Set Django up: as the host does with `plugins` enabled; where none is installed, for views alone."""
    models.bind_late()  # a memory host and the real one take turns in this process
    found = {point.name: point for point in entry_points(group=HOST_GROUP)}
    if "start" in found:
        found["start"].load()(data_dir, plugins, values or {}, examples)
        tested.host_class = found["host"].load()
    elif not settings.configured:
        settings.configure(ALLOWED_HOSTS=["testserver"], SECRET_KEY="tests", USE_TZ=True)  # noqa: S106
        django.setup()
