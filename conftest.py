"""Give each distribution's tests the Django settings that distribution runs under.

Django knows one settings module per process, so one pytest run takes tests of one row of this table;
``make test`` runs one pytest per row.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

SETTINGS_MODULES = {
    "sdk": None,
    "core": "pagoda.settings",
    "services/api": "pagoda_api.settings",
    "services/worker": "pagoda_worker.settings",
    "plugins/hello-world": None,
    "plugins/inventory": None,
    "tests": None,
}


def _suite(argument: str, config: pytest.Config) -> str | None:
    """Return the row that holds the test a command-line argument names, None if no row does."""
    path = (config.invocation_params.dir / argument.split("::", 1)[0]).resolve()
    if not path.is_relative_to(config.rootpath):
        return None
    relative = path.relative_to(config.rootpath)
    return next((suite for suite in SETTINGS_MODULES if relative.is_relative_to(Path(suite))), None)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    suites = {_suite(argument, config) for argument in config.args}
    modules = {SETTINGS_MODULES[suite] for suite in suites if suite}
    if None in suites or len(modules) != 1:
        known = ", ".join(SETTINGS_MODULES)
        raise pytest.UsageError(
            f"tests {config.args!r} need one Django settings module, found {len(modules)}: "
            f"name tests of one of {known}, or run all with `make test`"
        )
    module = modules.pop()
    if module is None or os.environ.get("DJANGO_SETTINGS_MODULE"):
        return
    os.environ["DJANGO_SETTINGS_MODULE"] = module
    import django

    django.setup()


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> None:  # noqa: ARG001 - made first
    """Take the audit log's guards off: tests with transactions of their own empty its tables after them."""
    from django.db import connection

    from pagoda.audit import append_only

    with django_db_blocker.unblock():
        append_only.unguard(connection)
