from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tools.warm import Warm

MODEL_WITHOUT_MIGRATION = """
from django.db import models


class Forgotten(models.Model):
    name = models.CharField(max_length=10)

    class Meta:
        app_label = "forgetful"
"""


LIBRARIES = (  # what all settings load of others
    "celery.app",
    "django.contrib.admin",
    "django.core.management.commands.makemigrations",
    "django.db.backends.sqlite3.base",
    "pydantic_settings",
    "rest_framework.serializers",
    "sentry_sdk",
    "structlog",
)


@pytest.fixture(scope="module")
def warm() -> Iterator[Warm]:
    with Warm(*LIBRARIES) as process:
        yield process


@dataclass
class Checked:
    """What Django tells of models that differ from their migrations."""

    status: int
    output: str
    errors: str


@pytest.fixture
def check(warm: Warm, tmp_path: Path) -> Callable[[str], Checked]:
    """Check the apps of these settings in a process of its own, with its data in the test's folder."""

    def checked(settings: str) -> Checked:
        outputs = tmp_path / "output.txt", tmp_path / "errors.txt"
        environment = os.environ | {"DJANGO_SETTINGS_MODULE": settings, "PYTHONPATH": str(tmp_path)}
        arguments = ("makemigrations", "--check", "--dry-run")
        status = warm.run("django", arguments, outputs, environment=environment, folder=tmp_path)
        return Checked(status, *(path.read_text(encoding="utf-8") for path in outputs))

    return checked


@pytest.mark.parametrize("settings", ["pagoda.settings", "pagoda_api.settings", "pagoda_worker.settings"])
def test_every_model_change_has_its_migration(check: Callable[[str], Checked], settings: str) -> None:
    result = check(settings)
    assert result.status == 0, result
    assert "No changes detected" in result.output


def test_model_without_migration_is_noticed(check: Callable[[str], Checked], tmp_path: Path) -> None:
    app = tmp_path / "forgetful"
    (app / "migrations").mkdir(parents=True)
    for package in (app, app / "migrations"):
        (package / "__init__.py").touch()
    (app / "models.py").write_text(MODEL_WITHOUT_MIGRATION, encoding="utf-8")
    settings = "from pagoda.settings import *\nINSTALLED_APPS = [*INSTALLED_APPS, 'forgetful']\n"
    (tmp_path / "forgetful_settings.py").write_text(settings, encoding="utf-8")
    result = check("forgetful_settings")
    assert result.status == 1, result
    assert "Forgotten" in result.output


def test_apps_with_models_have_a_migrations_package(modules: list[Path], root: Path) -> None:
    """Without the package Django skips the app, and the check above passes in silence."""
    with_models = [path.parent for path in modules if path.name == "models.py" and is_django_app(path.parent)]
    assert len(with_models) >= 4
    lacking = [
        app.relative_to(root) for app in with_models if not (app / "migrations" / "__init__.py").is_file()
    ]
    assert lacking == []


def is_django_app(folder: Path) -> bool:
    return (folder / "apps.py").is_file()
