from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection

from pagoda.plugins.description import describe

Start = Callable[..., Any]

PLUGIN = """
from pagoda_plugin_sdk import Plugin
class ThePlugin(Plugin):
    id = "shop"
    name = "Shop"
    django_apps = ["generated_shop", "generated_shop.extra.ExtraConfig"]
"""
APP = """
from django.apps import AppConfig
class ExtraConfig(AppConfig):
    name = "generated_shop.more"
    label = "shop_more"
    default_auto_field = "django.db.models.BigAutoField"
"""
MODELS = """
from django.db import models
class Shop(models.Model):
    entry = models.OneToOneField("entry.Entry", models.CASCADE)
    entities = models.ManyToManyField("entity.Entity")
"""
MORE = """
from django.db import models
class Shelf(models.Model):
    shop = models.ForeignKey("generated_shop.Shop", models.CASCADE)
    entry = models.ForeignKey("entry.Entry", models.CASCADE, related_name="shelves")
"""


@pytest.fixture
def started(packages: Any, start: Start) -> Any:
    modules = {"models.py": MODELS, "extra.py": APP, "more/__init__.py": "", "more/models.py": MORE}
    packages.install("shop", PLUGIN, modules=modules)
    return start("shop")


def model(app_label: str, name: str) -> Any:
    return apps.get_model(app_label, name)


def names_on_entry() -> set[str]:
    entry = apps.get_model("entry", "Entry")
    return {field.name for field in entry._meta.get_fields()} | set(vars(entry))


def test_a_plugins_apps_and_models_are_django_s(started: Any) -> None:
    assert started.registry.get("shop").is_active, started.reason("shop")
    assert apps.get_app_config("shop_more").name == "generated_shop.more"
    assert model("shop_more", "Shelf")._meta.get_field("shop").related_model.__name__ == "Shop"
    assert {"shop", "shelves"} <= names_on_entry()
    assert apps.is_installed("generated_shop")
    assert describe(started.registry, started.registry.get("shop"))["django_apps"] == [
        "generated_shop",
        "generated_shop.extra.ExtraConfig",
    ]


def test_unregistering_takes_all_of_them_out(started: Any) -> None:
    started.registry.unregister("shop")

    assert not {"generated_shop", "shop_more"} & {
        *apps.app_configs,
        *filter(apps.all_models.get, apps.all_models),
    }
    assert not {"shop", "shelves"} & names_on_entry()
    assert not any("generated" in str(model) for model in apps.get_models(include_auto_created=True))
    assert not any("shop" in str(key) for key in apps._pending_operations)


def test_a_second_plugin_with_the_same_label_is_refused(packages: Any, start: Start, started: Any) -> None:
    source = PLUGIN.replace('"shop"', '"other"').replace(
        '"generated_shop", "generated_shop.extra', '"generated_other'
    )
    app = APP.replace("generated_shop.more", "generated_other")
    packages.install("other", source.replace(".ExtraConfig", ".apps.ExtraConfig"), modules={"apps.py": app})

    code, reason = start("other").reason("other")

    assert code == "app_label_clash"
    assert (
        "'generated_other' has the label 'shop_more', which app 'generated_shop.more' has already." in reason
    )


@pytest.mark.django_db(transaction=True)
def test_a_plugins_tables_can_be_made_and_used(started: Any) -> None:
    shelf, shop = model("shop_more", "Shelf"), model("generated_shop", "Shop")
    with connection.schema_editor() as editor:
        editor.create_model(shop)
        editor.create_model(shelf)
    try:
        assert shelf.objects.filter(entry__name="x").count() == 0
    finally:
        with connection.schema_editor() as editor:
            editor.delete_model(shelf)
            editor.delete_model(shop)


def test_system_checks_see_the_apps(started: Any) -> None:
    call_command("check", "generated_shop", "shop_more")

    assert started.registry.get("shop").is_active
