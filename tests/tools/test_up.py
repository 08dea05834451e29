"""What `make up` tells."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path

import pytest

from pagoda.config.loading import load_settings
from tools import up


@pytest.mark.parametrize(
    ("plugins", "path"),
    [
        ("inventory", "/api/v2/plugins/inventory/scan/"),
        ("hello-world,inventory", "/api/v2/plugins/inventory/scan/"),
        ("hello-world", "/api/v2/plugins/"),
        ("", "/api/v2/plugins/"),
    ],
)
def test_the_example_is_of_a_plugin_that_is_served(
    plugins: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENABLED_PLUGINS", plugins)
    assert up._example(load_settings()).endswith(f" {{api}}{path}")


@pytest.mark.parametrize("plugins", ["inventory", "hello-world,inventory", ""])
def test_another_terminal_gets_the_plugins_that_a_file_enables(
    plugins: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    numbers = {"inventory": [300, 399]}
    file = tmp_path / "env"
    file.write_text(f"ENABLED_PLUGINS={plugins}\nPLUGIN_OPERATION_ID_CONFIG={json.dumps(numbers)}\n")
    for name in ("ENABLED_PLUGINS", "PLUGIN_OPERATION_ID_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PAGODA_ENV_FILE", str(file))
    served = load_settings()
    assert ",".join(served.enabled_plugins) == plugins
    told = dict(word.split("=", 1) for word in shlex.split(up._plugins(served)))
    monkeypatch.setenv("PAGODA_ENV_FILE", "")
    there = load_settings({**os.environ, **told})
    assert (there.enabled_plugins, there.plugin_operation_id_config) == (served.enabled_plugins, numbers)
