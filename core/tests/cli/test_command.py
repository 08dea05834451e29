from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version
from typing import Any

import pytest

IMPORTING = """
from importlib import import_module
from pagoda.cli.app import PARTS
for target in PARTS.values():
    import_module(target.partition(":")[0])
from django.conf import settings
print(len(PARTS), settings.configured)
"""


def test_help_names_the_parts(pagoda: Any) -> None:
    printed = pagoda("--help")

    for part in ("jobs", "manage", "migrate", "plugins"):
        assert f"\n  {part} " in printed


def test_help_works_with_settings_that_are_wrong(pagoda: Any) -> None:
    pagoda.set(PAGODA_LOG_LEVEL="LOUD")

    assert "Usage: " in pagoda("plugins", "--help")


def test_each_part_is_imported_before_there_are_settings() -> None:
    environ = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    command = [sys.executable, "-c", IMPORTING]
    ended = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)

    assert (ended.stdout.split()[1:], ended.returncode) == (["False"], 0), ended.stderr


def test_version_is_the_distribution_s(pagoda: Any) -> None:
    assert version("pagoda-core") in pagoda("--version")


def test_an_unknown_command_is_refused(pagoda: Any) -> None:
    assert "No such command 'plugin'" in pagoda("plugin", status=2)


def test_migrate_makes_the_tables_of_plugins_too(pagoda: Any) -> None:
    migration = """
        from django.db import migrations, models
        class Migration(migrations.Migration):
            fields = [("id", models.BigAutoField(primary_key=True))]
            operations = [migrations.CreateModel("Thing", fields)]
    """
    pagoda.install(
        "shop",
        None,
        'django_apps = ["generated_shop"]',
        modules={
            "models.py": "from django.db import models\nclass Thing(models.Model): ...\n",
            "migrations/__init__.py": "",
            "migrations/0001_initial.py": migration,
        },
    )

    assert "Applying generated_shop.0001_initial... OK" in pagoda("migrate")
    assert "[X] 0001_initial" in pagoda("manage", "showmigrations", "generated_shop")


def test_manage_hands_options_to_django(pagoda: Any) -> None:
    assert "usage: pagoda manage check" in pagoda("manage", "check", "--help")


@pytest.mark.parametrize("command", [["migrate"], ["manage", "check"]], ids=["migrate", "manage"])
def test_a_strict_host_with_a_bad_plugin_runs_no_command(command: list[str], pagoda: Any) -> None:
    pagoda.install("bad", "import no_such_module\n")
    pagoda.set(PAGODA_PLUGIN_STRICT="1")

    printed = pagoda(*command, status=1)

    assert "Error: The plugins have 1 fault(s), and PAGODA_PLUGIN_STRICT lets none pass:" in printed


def test_a_tolerant_host_with_a_bad_plugin_runs_commands(pagoda: Any) -> None:
    pagoda.install("bad", "import no_such_module\n")
    pagoda.set(PAGODA_LOG_FORMAT="json")

    assert "System check identified no issues" in pagoda("manage", "check")
