"""The `pagoda` command in a process of its own, with plugins that are real packages on its import path."""

from __future__ import annotations

import json
import tempfile
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tools.migrated_host import put_tables
from tools.warm import Warm

LIBRARIES = (  # what commands import of others, and ours that asks no settings
    "celery.app",
    "celery.app.amqp",
    "celery.app.control",
    "celery.events",
    "celery.fixups.django",
    "celery.worker",
    "click",
    "django.contrib.admin",
    "django.contrib.auth.hashers",
    "django.contrib.auth.password_validation",
    "django.contrib.messages.storage.fallback",
    "django.contrib.sessions.backends.db",
    "django.core.management.commands.migrate",
    "django.db.backends.sqlite3.base",
    "django.db.models",
    "django.views.defaults",
    "ijson.backends.python",
    "kombu.transport.filesystem",
    "openpyxl",
    "packaging.requirements",
    "pagoda.cli.startup",
    "pagoda.config.django",
    "pydantic_settings",
    "rich.traceback",
    "sentry_sdk",
    "structlog",
)

GOOD = """
from pagoda_plugin_sdk import Plugin, PluginTaskConfig
from pagoda_plugin_sdk.decorators import entry_hook

class ThePlugin(Plugin):
    id = {id!r}
    name = "A plugin of the tests"
    version = "1.4.0"
    {attributes}

    @entry_hook("after_create", entity="customer", priority=50)
    def on_customer(self, entity_name, user, entry): ...

    @entry_hook("after_create")
    def on_any(self, entity_name, user, entry): ...
"""


@dataclass
class Command:
    """Runs the command with these settings alone; nothing of the caller's environment counts."""

    folder: Path
    warm: Warm
    environment: dict[str, str] = field(default_factory=dict)

    def install(
        self, name: str, source: str | None = None, *attributes: str, modules: Mapping[str, str] | None = None
    ) -> None:
        """Install a plugin and enable it."""
        package = f"generated_{name}"
        text = source if source is not None else GOOD.format(id=name, attributes="\n    ".join(attributes))
        for file_name, content in {"__init__.py": "", "plugin.py": text, **(modules or {})}.items():
            path = self.folder / package / file_name
            path.parent.mkdir(exist_ok=True)
            path.write_text(textwrap.dedent(content))
        info = self.folder / f"dist_{name}-1.0.dist-info"
        info.mkdir()
        requirement = "Requires-Dist: pagoda-plugin-sdk>=1.0\n"
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.3\nName: dist-{name}\nVersion: 1.0\n{requirement}"
        )
        (info / "entry_points.txt").write_text(f"[pagoda.plugins]\n{name} = {package}.plugin:ThePlugin\n")
        self.enable(name)

    def enable(self, name: str) -> None:
        enabled = self.environment.get("ENABLED_PLUGINS", "")
        self.environment["ENABLED_PLUGINS"] = f"{enabled},{name}".strip(",")

    def set(self, **settings: Any) -> None:
        """Set settings; what is no text is written as JSON."""
        for name, value in settings.items():
            self.environment[name] = value if isinstance(value, str) else json.dumps(value)

    def __call__(self, *arguments: str, status: int = 0) -> str:
        """Run the command, assert its exit status, and return what it printed, errors after the rest."""
        code, printed = self.run(*arguments)
        assert code == status, printed
        assert not any(line.startswith("Traceback") for line in printed.splitlines()), printed
        return printed

    def run(self, *arguments: str) -> tuple[int, str]:
        """Run the command; return its exit status and what it printed."""
        environment = {
            "PATH": "",
            "PYTHONPATH": str(self.folder),
            "PAGODA_ENV_FILE": "",
            "PAGODA_DATA_DIR": str(self.folder / "data"),
            **self.environment,
        }
        with tempfile.TemporaryDirectory() as outputs:
            paths = [Path(outputs, name) for name in ("output", "errors")]
            code = self.warm.run("pagoda.cli", arguments, paths, environment=environment, folder=self.folder)
            return code, "".join(path.read_text() for path in paths)

    def copy_tables(self) -> None:
        """Give it the tables of the host, as `pagoda migrate` without plugins has made them."""
        put_tables(self.folder / "data")


@pytest.fixture(scope="session")
def warm() -> Iterator[Warm]:
    with Warm(*LIBRARIES) as made:
        yield made


@pytest.fixture
def pagoda(tmp_path: Path, warm: Warm) -> Command:
    """Run the `pagoda` command."""
    return Command(tmp_path, warm)
