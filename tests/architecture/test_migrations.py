from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

MODEL_WITHOUT_MIGRATION = """
from django.db import models


class Forgotten(models.Model):
    name = models.CharField(max_length=10)

    class Meta:
        app_label = "forgetful"
"""


def django(settings: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a Django command in a process of its own, with its data in the folder."""
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": settings, "PYTHONPATH": str(folder)}
    command = [sys.executable, "-m", "django", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("settings", ["pagoda.settings", "pagoda_api.settings", "pagoda_worker.settings"])
def test_every_model_change_has_its_migration(settings: str, tmp_path: Path) -> None:
    result = django(settings, tmp_path, "makemigrations", "--check", "--dry-run")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "No changes detected" in result.stdout


def test_model_without_migration_is_noticed(tmp_path: Path) -> None:
    app = tmp_path / "forgetful"
    (app / "migrations").mkdir(parents=True)
    for package in (app, app / "migrations"):
        (package / "__init__.py").touch()
    (app / "models.py").write_text(MODEL_WITHOUT_MIGRATION, encoding="utf-8")
    settings = "from pagoda.settings import *\nINSTALLED_APPS = [*INSTALLED_APPS, 'forgetful']\n"
    (tmp_path / "forgetful_settings.py").write_text(settings, encoding="utf-8")
    result = django("forgetful_settings", tmp_path, "makemigrations", "--check", "--dry-run")
    assert result.returncode == 1, result.stdout + result.stderr
    assert "Forgotten" in result.stdout


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
