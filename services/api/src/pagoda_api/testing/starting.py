"""Start the host in a test's process; nothing here needs Django's settings, which it makes."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import django
import structlog
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from pagoda.config.loading import ENV_FILE
from pagoda.config.settings import Settings
from pagoda.plugins.discovery import discover
from pagoda_plugin_sdk.checking.source import may_have_tasks

SETTINGS_MODULE = "pagoda_api.settings"
FIRST_ID = 5000
IDS_EACH = 100


def start(data_dir: Path, plugins: Sequence[str], values: Mapping[str, Any], examples: Path | None) -> None:
    """Set Django up with these plugins, and those they depend on, and no setting of the surroundings.

    `values` are the first plugin's in PLUGIN_SETTINGS. Each plugin with tasks has 100 ids, from 5000 on.

    Raises:
        PluginBootError, SettingsError: something is at fault; it lists everything.
        ImproperlyConfigured: the process has other settings already.
    """
    module = os.environ.get("DJANGO_SETTINGS_MODULE", SETTINGS_MODULE)
    if settings.configured or module != SETTINGS_MODULE:
        raise ImproperlyConfigured(
            f"the process has Django settings of its own ({module}), and the host needs {SETTINGS_MODULE}. "
            "Remove them: a plugin's tests need none."
        )
    enabled = _with_dependencies(plugins, examples)
    for name in Settings.model_fields:
        os.environ.pop(name.upper(), None)
    chosen: dict[str, Any] = {
        ENV_FILE: "",
        "DJANGO_SETTINGS_MODULE": SETTINGS_MODULE,
        "PAGODA_ALLOWED_HOSTS": "localhost,127.0.0.1,[::1],testserver",  # the name that clients of tests send
        "PAGODA_DATA_DIR": data_dir,
        "PAGODA_PLUGIN_STRICT": True,
        "ENABLED_PLUGINS": ",".join(enabled),
        "PLUGIN_OPERATION_ID_CONFIG": json.dumps(
            {
                name: [FIRST_ID + IDS_EACH * place, FIRST_ID + IDS_EACH * (place + 1) - 1]
                for place, (name, has_tasks) in enumerate(enabled.items())
                if has_tasks
            }
        ),
        "PLUGIN_SETTINGS": json.dumps({plugins[0]: values} if values else {}),
        "PLUGIN_EXAMPLES_DIR": examples or "",
    }
    os.environ.update({name: str(value) for name, value in chosen.items()})
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        processors=[
            *structlog.get_config()["processors"][:-1],
            # Its own default draws each traceback with the variables of every frame.
            structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
        ],
    )
    django.setup()
    del os.environ["DJANGO_SETTINGS_MODULE"]  # workers of pytest-xdist are to start as this process does
    # A real one computes for most of a second, on purpose; what hashes is Django's to test.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def _with_dependencies(plugins: Sequence[str], examples: Path | None) -> dict[str, bool]:
    """Return ``{name: whether it may have tasks}`` of the plugins and of what their sources depend on."""
    catalogue = discover(examples)
    names = dict.fromkeys(plugins, True)
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        for candidate in catalogue.find(name):
            names[name] = may_have_tasks(candidate.module, candidate.distribution.folder)
            others = [
                each.name for needed in candidate.declared_dependencies() for each in catalogue.find(needed)
            ]
            new = [other for other in others if other not in names]
            waiting += new
            names |= dict.fromkeys(new, True)
    return names
