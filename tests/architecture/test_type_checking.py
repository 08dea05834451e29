from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

MODELS = """
import django
django.setup()
from django.apps import apps
for model in apps.get_models():
    if model.__module__.startswith("pagoda"):
        print("model", model._meta.label)
"""


def models_under(settings: str, root: Path, folder: Path) -> set[str]:
    """Return the host's models that Django knows under the settings."""
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": settings, "PYTHONPATH": str(root)}
    command = [sys.executable, "-c", MODELS]
    result = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return set(re.findall(r"^model (\S+)$", result.stdout, flags=re.MULTILINE))


@pytest.fixture(scope="module")
def checked(root: Path, tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    return models_under("tools.typing_settings", root, tmp_path_factory.mktemp("checked"))


@pytest.mark.parametrize("settings", ["pagoda.settings", "pagoda_api.settings", "pagoda_worker.settings"])
def test_type_checker_reads_every_model_of_the_host(
    settings: str, checked: set[str], root: Path, tmp_path: Path
) -> None:
    served = models_under(settings, root, tmp_path)
    assert len(served) >= 8
    assert served - checked == set()
