"""Start the host for a command, and tell what keeps it from starting."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click
import django
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError

from pagoda.config.logging import configure_logging
from pagoda.errors import SettingsError
from pagoda.plugins.boot import PluginBootError, faults
from pagoda.plugins.migrations import migration_faults, plugin_labels
from pagoda.plugins.records import ReasonCode
from pagoda.plugins.registry import PluginRegistry, registry
from pagoda.plugins.url_modules import url_faults
from pagoda_plugin_sdk.exceptions import PagodaError

if TYPE_CHECKING:
    from pagoda.config.settings import Settings

SETTINGS_MODULE = "pagoda.settings"
"""Django settings of commands, unless DJANGO_SETTINGS_MODULE says otherwise."""

QUIET = "CRITICAL"
"""Log level of commands that print the same facts themselves."""

BULLET = "  - "
"""Beginning of each fault in messages that list several."""


class HostGroup(click.Group):
    """A group of commands that work on the host: what keeps them from it is told in words."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command of the group; click calls it. Any: what the command returns."""
        with faults_reported():
            return super().invoke(ctx)


@contextmanager
def faults_reported() -> Iterator[None]:
    """Turn errors of the configuration, of the database and of files into a message and exit status 1."""
    try:
        yield
    except DatabaseError as error:
        cause = str(error).strip().partition("\n")[0]
        raise click.ClickException(
            f"The database can't be used: {cause}. Check DATABASE_URL or PAGODA_DATA_DIR; "
            "`pagoda migrate` makes what is missing."
        ) from error
    except (PagodaError, ImproperlyConfigured) as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        if error.filename is None:  # not of a file that was named
            raise
        raise click.ClickException(f"{error.filename}: {error.strerror}") from error


def read_settings() -> Settings:
    """Return the settings that Django's settings module was built from.

    Raises:
        SettingsError: the environment is wrong; it lists all faults.
    """
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", SETTINGS_MODULE)

    found: Settings = settings.PAGODA
    return found


def set_up(*, log_level: str | None = None) -> None:
    """Set up logging and Django, and so start the plugins; `log_level` replaces PAGODA_LOG_LEVEL.

    Raises:
        SettingsError: the environment is wrong.
        PluginBootError: a plugin is at fault in strict mode.
        ImproperlyConfigured: operation ids or Django's own settings are wrong.
    """
    settings = read_settings()
    if log_level is not None:
        settings = settings.model_copy(update={"pagoda_log_level": log_level})
    configure_logging(settings, service="cli")

    django.setup()


def startup_faults() -> tuple[str, ...]:
    """Start the host; return a sentence for each fault of settings, plugins, URL modules, operation ids."""
    stopped: list[str] = []
    try:
        set_up(log_level=QUIET)
    except SettingsError as error:
        return error.faults
    except PluginBootError:
        stopped = []  # the registry, which is complete by then, tells the same faults
    except ImproperlyConfigured as error:
        stopped = _lines(error)
    try:
        plugins = registry()
    except ImproperlyConfigured:
        return tuple(stopped)
    return tuple(dict.fromkeys([*_plugin_faults(plugins), *stopped]))


def _plugin_faults(registry: PluginRegistry) -> Iterator[str]:

    # First: these may leave more faults at a plugin
    of_urls = list(url_faults(registry))
    labels = plugin_labels(registry)
    for label, text in migration_faults(registry, None) if labels else ():
        registry.report_fault(labels[label].id, ReasonCode.MIGRATIONS_MISSING, text)
    yield from (*faults(registry), *of_urls)
    try:
        registry.host.tasks.validate_all(known_plugins=registry.known_names())
    except ImproperlyConfigured as error:
        yield from _lines(error)


def _lines(error: Exception) -> list[str]:
    """Return the faults that a message lists, or the message itself."""
    listed = [line for line in str(error).splitlines() if line.startswith(BULLET)]
    return [line.removeprefix(BULLET) for line in listed] or [str(error)]
