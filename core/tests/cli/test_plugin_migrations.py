"""What is wrong with the migrations of a plugin is named wherever somebody looks, and stops no other."""

from __future__ import annotations

import json
import shutil
from typing import Any

import pytest

APPS = 'django_apps = ["generated_shop"]'
MODELS = """
from django.db import models

class Shelf(models.Model):
    name = models.CharField(max_length=10)
"""
MIGRATION = """
from django.db import migrations, models

class Migration(migrations.Migration):
    initial = True
    operations = [
        migrations.CreateModel(
            "Shelf",
            [
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=10)),
            ],
        )
    ]
"""
CHANGED = MODELS + "    size = models.IntegerField(default=0)\n"


@pytest.fixture(autouse=True)
def _tables(pagoda: Any) -> None:
    pagoda.copy_tables()


def install(pagoda: Any, models: str, *migrations: str, name: str = "shop") -> None:
    files = {"models.py": models}
    pagoda.install(name, None, APPS.replace("shop", name), modules=files)
    if migrations:
        folder = pagoda.folder / f"generated_{name}" / "migrations"
        folder.mkdir()
        (folder / "__init__.py").touch()
        for number, text in enumerate(migrations, start=1):
            (folder / f"000{number}_it.py").write_text(text)


NO_MIGRATIONS = "App 'generated_shop' has models (Shelf) and no migrations, so they have no tables. "
CHANGES = "The models of app 'generated_shop' have changes that no migration has: Add field size to shelf. "
REMEDY = "Run `pagoda manage makemigrations generated_shop`, ship what it writes, and run `pagoda migrate`."
UNREADABLE = "The migrations of app 'generated_shop' can't be read: SystemExit: not me"
FAULTS = {
    "no migrations": (MODELS, (), NO_MIGRATIONS + REMEDY),
    "changes": (CHANGED, (MIGRATION,), CHANGES + REMEDY),
    "unreadable": (MODELS, ("raise SystemExit('not me')\n",), UNREADABLE),
}


@pytest.mark.parametrize(("models", "migrations", "text"), FAULTS.values(), ids=FAULTS)
def test_check_doctor_and_health_name_it(
    models: str, migrations: tuple[str, ...], text: str, pagoda: Any
) -> None:
    pagoda.install("good")
    install(pagoda, models, *migrations)
    migrated = pagoda("migrate")

    assert "Plugin 'shop'" in migrated
    assert text in pagoda("plugins", "check", status=1)
    assert f"FAULT  migrations  {text}" in pagoda("plugins", "doctor", "shop", status=1)
    assert "FAULT" not in pagoda("plugins", "doctor", "good")
    health = json.loads(pagoda("health", "--json"))
    shop = next(plugin for plugin in health["plugins"] if plugin["id"] == "shop")
    assert shop["load"]["status"] == "degraded"
    assert text in shop["load"]["text"]
    assert health["checks"]["migrations"]["status"] == "ok"


def test_what_is_not_applied_is_told_by_health_and_doctor(pagoda: Any) -> None:
    install(pagoda, MODELS, MIGRATION)
    text = "Migrations are not applied: generated_shop.0001_it. Run `pagoda migrate`; it tells why one fails."

    assert "ok: 1 plugin(s) active" in pagoda("plugins", "check")  # that asks no database
    assert f"FAULT  migrations  {text}" in pagoda("plugins", "doctor", "shop", status=1)
    lacking = "migrations: failed, 1 migration(s) of plugins are not applied: generated_shop.0001_it. Run"
    assert lacking in pagoda("health", status=1)
    assert "Plugin 'shop': its app 'generated_shop' is migrated" in pagoda("migrate")
    assert "ok     migrations  all applied" in pagoda("plugins", "doctor", "shop")


RAISING = (
    MIGRATION
    + """
    def apply(self, *args, **options):
        raise RuntimeError("no such disk")
"""
)


def test_waiting_ends_when_the_migrations_of_plugins_are_applied(pagoda: Any) -> None:
    install(pagoda, MODELS, MIGRATION)
    wait = ("wait", "--for", "migrations", "--timeout", "0")

    assert "1 migration(s) of plugins are not applied: generated_shop.0001_it." in pagoda(*wait, status=1)
    pagoda("migrate", "--plan")
    pagoda(*wait, status=1)
    pagoda("migrate")
    assert "ready: migrations" in pagoda(*wait)


def test_what_is_not_to_be_reached_is_told_and_waited_for_in_strict_mode_alone(pagoda: Any) -> None:
    install(pagoda, MODELS, RAISING)
    install(pagoda, MODELS, MIGRATION, name="store")
    wait = ("wait", "--for", "migrations", "--timeout", "0")
    told = "Plugin 'shop': generated_shop.0001_it failed; `pagoda migrate` tells why."

    assert "RuntimeError: no such disk" in pagoda("migrate")
    assert "ready: migrations" in pagoda(*wait)
    health = json.loads(pagoda("health", "--json"))["checks"]["migrations"]
    assert (health["status"], health["text"]) == ("ok", f"all of the host's applied. {told}")
    assert "The last time: RuntimeError: no such disk" in pagoda("plugins", "doctor", "shop", status=1)
    pagoda.set(PAGODA_PLUGIN_STRICT="true")
    assert "Migrations of plugins failed: generated_shop." in pagoda("migrate", status=1)
    assert told in pagoda(*wait, status=1)

    pagoda.set(PAGODA_PLUGIN_STRICT="false")  # another version is worth another try
    plugin = pagoda.folder / "generated_shop" / "plugin.py"
    plugin.write_text(plugin.read_text().replace("1.4.0", "1.4.1"))
    assert "not applied: generated_shop.0001_it." in pagoda(*wait, status=1)
    (pagoda.folder / "generated_shop" / "migrations" / "0001_it.py").write_text(MIGRATION)
    pagoda("migrate")
    pagoda.set(PAGODA_PLUGIN_STRICT="true")
    assert "ready: migrations" in pagoda(*wait)


def test_migrate_tells_models_without_migrations_in_a_sentence(pagoda: Any) -> None:
    install(pagoda, MODELS)
    pagoda.set(PAGODA_PLUGIN_STRICT="true")

    assert NO_MIGRATIONS + REMEDY in pagoda("migrate", status=1)


@pytest.mark.parametrize("strict", ["false", "true"])
def test_an_app_without_models_needs_no_migrations(strict: str, pagoda: Any) -> None:
    install(pagoda, "")
    pagoda.set(PAGODA_PLUGIN_STRICT=strict)

    printed = pagoda("migrate")

    assert "Plugin 'shop': its app 'generated_shop' is migrated" in printed
    assert "plugin_migration_failed" not in printed
    assert "FAULT" not in pagoda("plugins", "doctor", "shop")


def test_the_migrations_of_one_plugin_stop_no_other(pagoda: Any) -> None:
    install(pagoda, MODELS, "raise SystemExit('not me')\n")
    install(pagoda, MODELS, MIGRATION, name="store")

    printed = pagoda("migrate")

    assert "Plugin 'store': its app 'generated_store' is migrated" in printed
    assert "Plugin 'shop': its app 'generated_shop' can't be migrated: The migrations of app" in printed


def test_what_a_removed_plugin_leaves_behind_is_told(pagoda: Any) -> None:
    install(pagoda, MODELS, MIGRATION)
    pagoda("migrate")
    pagoda.set(ENABLED_PLUGINS="")
    shutil.rmtree(pagoda.folder / "generated_shop")
    text = (
        "App 'generated_shop' is not installed, and the database holds its migrations and the tables "
        "generated_shop_shelf. Enable its plugin again"
    )

    assert f"left behind: {text}" in pagoda("plugins", "list")
    assert text in pagoda("plugins", "doctor", "shop", status=1)
