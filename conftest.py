"""What tests of all distributions share; each suite's own conftest sets the Django settings it runs under."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import settings

from tools.after_failures import pytest_runtest_logfinish, pytest_runtest_makereport  # noqa: F401 - hooks

# A process of tests keeps a million objects: looking through them again and again took a fifth of its time.
gc.set_threshold(20_000, 20, 20)

# Tests assert counts: how long an example takes says how busy the machine is.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# Its own default draws each traceback with colours and variables, which takes longer than most tests.
structlog.configure(
    processors=[
        *structlog.get_config()["processors"][:-1],
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]
)


def pytest_collection_finish() -> None:
    """Have the garbage collector leave alone what was imported and collected."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def django_db_setup(
    request: pytest.FixtureRequest,
    django_db_modify_db_settings: None,  # noqa: ARG001 - says where the database is
    django_db_blocker: Any,
) -> Iterator[None]:
    """Take the audit log's guards off: tests with transactions of their own empty its tables after them."""
    from django.db import connection

    from pagoda.audit import append_only
    from tools.flushed_database import put_back_by_flush, rows_of_all_tables
    from tools.migrated_database import prefilled

    cache: pytest.Cache | None = getattr(request.config, "cache", None)
    folder = Path(cache.mkdir("migrated")) if cache else None
    with django_db_blocker.unblock(), prefilled(folder):
        request.getfixturevalue("django_db_setup")
    with django_db_blocker.unblock():
        append_only.unguard(connection)
        stored = rows_of_all_tables()
    with put_back_by_flush(stored):
        yield
