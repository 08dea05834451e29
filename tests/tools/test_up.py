"""What `make up` tells."""

from __future__ import annotations

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
