"""`pagoda-plugin check` knows the labels of the host's apps without a host."""

from __future__ import annotations

from django.apps import AppConfig, apps

from pagoda.config.oidc import APPS as OIDC_APPS
from pagoda.plugins.migrations import plugin_labels
from pagoda.plugins.registry import registry
from pagoda_plugin_sdk.checking.host_apps import HOST_LABELS


def test_the_labels_are_those_of_a_host() -> None:
    installed = set(apps.app_configs) - set(plugin_labels(registry()))
    assert installed | {AppConfig.create(name).label for name in OIDC_APPS} == HOST_LABELS
