"""Install each distribution alone: in a workspace, where all are importable, every wrong import works."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = pytest.mark.isolated

FOLDERS = {
    "pagoda-plugin-sdk": "sdk",
    "pagoda-core": "core",
    "pagoda-api": "services/api",
    "pagoda-worker": "services/worker",
    "pagoda-hello-world": "plugins/hello-world",
    "pagoda-inventory": "plugins/inventory",
}
SETTINGS = {
    "pagoda-core": "pagoda.settings",
    "pagoda-api": "pagoda_api.settings",
    "pagoda-worker": "pagoda_worker.settings",
}
SCRIPTS = {
    "pagoda-plugin-sdk": "pagoda-plugin",
    "pagoda-core": "pagoda",
    "pagoda-api": "pagoda-api",
    "pagoda-worker": "pagoda-worker",
}
# Adapters that need an extra of a service, or a setting; without it nothing may import them.
NEED_EXTRAS = {
    "pagoda-plugin-sdk": tuple(
        f"pagoda_plugin_sdk.{name}"
        for part, names in (
            ("cli", ("chaos", "dev", "new", "update")),
            ("testing", ("database", "fixtures", "stack", "starting")),
        )
        for name in (f"{part}.{each}" for each in names)
    ),
    "pagoda-core": ("pagoda.jobs.redisbroker",),
    "pagoda-api": ("pagoda_api.oidc", "pagoda_api.database.base"),
}
SDK_TEST_TOOLS = ("hypothesis", "pydantic", "pytest")  # plugins with settings bring pydantic

# Plugins and the SDK have no settings of their own; DRF's modules need some before they can be imported.
IMPORT_EVERYTHING = """
import importlib, pkgutil, sys
import django
from django.conf import settings

package, settings_module, *need_extras = sys.argv[1:]
if not settings_module:
    apps = ["django.contrib.contenttypes", "django.contrib.auth", "rest_framework"]
    settings.configure(INSTALLED_APPS=apps)
django.setup()
root = importlib.import_module(package)
names = [module.name for module in pkgutil.walk_packages(root.__path__, package + ".")]
names = [name for name in names if name not in need_extras and not name.endswith("__main__")]
for name in names:
    importlib.import_module(name)
print("imported", len(names))
"""
OUR_DISTRIBUTIONS = """
from importlib.metadata import distributions
print(*sorted(d.name for d in distributions() if d.name.startswith("pagoda")))
"""


@dataclass(frozen=True, slots=True)
class Environment:
    """A virtual environment that holds one distribution and what it declares."""

    folder: Path

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run one of the environment's scripts in its folder, with nothing of ours in its variables."""
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(("DJANGO", "PYTHON"))
        }
        return subprocess.run(
            [str(self.folder / "venv" / "bin" / command[0]), *command[1:]],
            cwd=self.folder,
            env={**inherited, **environment},
            capture_output=True,
            text=True,
            check=False,
        )


def package_of(name: str) -> str:
    return {"pagoda-core": "pagoda"}.get(name, name.replace("-", "_"))


def declared(root: Path, name: str) -> list[str]:
    """Return the distributions of ours that this one declares, itself first, and theirs."""
    text = (root / FOLDERS[name] / "pyproject.toml").read_text(encoding="utf-8")
    requirements = tomllib.loads(text)["project"]["dependencies"]
    names = [re.split(r"[^\w-]", requirement)[0] for requirement in requirements]
    return [name, *(more for ours in names if ours in FOLDERS for more in declared(root, ours))]


def build_wheel(root: Path, name: str, target: Path) -> Path:
    """Build a distribution's wheel and return it."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(target)]
    result = subprocess.run(command, cwd=root / FOLDERS[name], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return next(target.glob(f"{name.replace('-', '_')}-*.whl"))


def uv(root: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [str(root / ".uv" / "bin" / "uv"), *map(str, arguments)]
    environment = {**os.environ, "UV_PYTHON_DOWNLOADS": "never"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def make_environment(root: Path, folder: Path, name: str, *tools: str) -> Environment:
    """Install a distribution alone, in the versions of the lock, from uv's cache when it has them all."""
    wheels = [build_wheel(root, ours, folder / "wheels") for ours in dict.fromkeys(declared(root, name))]
    python = folder / "venv" / "bin" / "python"
    made = uv(root, "venv", "--python", sys.executable, folder / "venv")
    assert made.returncode == 0, made.stderr
    lock = root / "requirements" / "dev.txt"
    install: tuple[str | Path, ...] = (
        "pip",
        "install",
        "--python",
        python,
        "--constraint",
        lock,
        *wheels,
        *tools,
    )
    result = uv(root, *install, "--offline")
    if result.returncode:
        result = uv(root, *install)
    assert result.returncode == 0, result.stderr
    return Environment(folder)


@pytest.mark.parametrize("name", FOLDERS)
def test_distribution_works_alone(name: str, root: Path, tmp_path: Path) -> None:
    environment = make_environment(root, tmp_path, name)

    present = environment.run("python", "-c", OUR_DISTRIBUTIONS).stdout.split()
    assert present == sorted(set(declared(root, name)))

    settings = SETTINGS.get(name, "")
    variables = {"DJANGO_SETTINGS_MODULE": settings} if settings else {}
    arguments = (package_of(name), settings, *NEED_EXTRAS.get(name, ()))
    result = environment.run("python", "-c", IMPORT_EVERYTHING, *arguments, **variables)
    assert result.returncode == 0, result.stderr
    assert int(result.stdout.split()[-1]) > 0

    if name in SCRIPTS:
        result = environment.run(SCRIPTS[name], "--help")
        assert result.returncode == 0, result.stderr
        assert "usage" in result.stdout.lower()


@pytest.mark.parametrize("name", ["pagoda-plugin-sdk", "pagoda-hello-world", "pagoda-inventory"])
def test_package_imports_without_configured_django(name: str) -> None:
    code = f"import {package_of(name)}; from django.conf import settings; print(settings.configured)"
    environment = {key: value for key, value in os.environ.items() if key != "DJANGO_SETTINGS_MODULE"}
    command = [sys.executable, "-W", "error", "-c", code]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "False"


def test_sdk_passes_its_tests_alone(root: Path, tmp_path: Path) -> None:
    environment = make_environment(root, tmp_path, "pagoda-plugin-sdk", *SDK_TEST_TOOLS)
    shutil.copytree(root / "sdk", tmp_path / "sdk", ignore=shutil.ignore_patterns("__pycache__", "src"))
    options = ("-q", "--import-mode=importlib", "-W", "error", "-p", "no:cacheprovider")
    result = environment.run("python", "-m", "pytest", *options, "sdk/tests")
    assert result.returncode == 0, result.stdout + result.stderr
    assert re.search(r"\d+ passed", result.stdout)
