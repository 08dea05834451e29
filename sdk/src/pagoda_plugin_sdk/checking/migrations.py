"""Whether the migrations of an app are as its models."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec

from django.apps import apps
from django.apps.config import AppConfig
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.questioner import MigrationQuestioner
from django.db.migrations.state import ProjectState


def unmigrated_text(config: AppConfig, program: str = "pagoda") -> str | None:
    """Return the sentence on an app that has models and no migrations, so that nobody makes their tables."""
    models = [m.__name__ for m in config.get_models() if m._meta.managed and not m._meta.proxy]
    if not models or is_migrated(config):
        return None
    return (
        f"App {config.label!r} has models ({', '.join(models)}) and no migrations, so they have no tables. "
        f"{how_to_migrate(config.label, program)}"
    )


def is_migrated(config: AppConfig) -> bool:
    """Return whether an app has a package of migrations."""
    name, _ = MigrationLoader.migrations_module(config.label)
    spec = find_spec(name) if name is not None else None
    return spec is not None and spec.origin is not None  # an empty folder is a package without a file


def how_to_migrate(label: str, program: str) -> str:
    """Return the sentence that says how an app gets the migrations that it lacks."""
    return f"Run `{program} manage makemigrations {label}`, ship what it writes, and run `pagoda migrate`."


def unwritten_changes(loader: MigrationLoader, program: str = "pagoda") -> Mapping[str, str]:
    """Return ``{app label: sentence}`` of the apps whose models have changes that no migration has."""
    # The one that asks nobody and goes on: another one ends the process where a column lacks a default.
    asked = MigrationQuestioner()
    detector = MigrationAutodetector(loader.project_state(), ProjectState.from_apps(apps), asked)
    return {
        label: f"The models of app {label!r} have changes that no migration has: "
        f"{'; '.join(operation.describe() for one in changes for operation in one.operations)}. "
        f"{how_to_migrate(label, program)}"
        for label, changes in detector.changes(graph=loader.graph).items()
    }
