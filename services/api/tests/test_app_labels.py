"""`pagoda-plugin check` knows the labels and tables of the host's apps without a host."""

from __future__ import annotations

from django.apps import AppConfig, apps

from pagoda.config.oidc import APPS as OIDC_APPS
from pagoda.plugins.migrations import plugin_labels
from pagoda.plugins.registry import registry
from pagoda_plugin_sdk.checking.host_apps import HOST_LABELS, HOST_TABLES


def test_the_labels_are_those_of_a_host() -> None:
    installed = set(apps.app_configs) - set(plugin_labels(registry()))
    assert installed | {AppConfig.create(name).label for name in OIDC_APPS} == HOST_LABELS


def test_the_tables_are_those_of_a_host() -> None:
    of_plugins = plugin_labels(registry())
    installed = {
        model._meta.db_table
        for model in apps.get_models(include_auto_created=True)
        if model._meta.app_label not in of_plugins
    }
    assert installed | {"django_migrations"} == HOST_TABLES
