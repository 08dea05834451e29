"""Changes of tables that others write meanwhile, as migrations make them on PostgreSQL."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from django.db import OperationalError, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

LOCK_SECONDS: Final = 2
ATTEMPTS: Final = 60

_LOCK_NOT_AVAILABLE: Final = "55P03"


def patiently(connection: BaseDatabaseWrapper, change: Callable[[], None]) -> None:
    """Make `change` in a transaction of its own, and wait for its locks a little at a time.

    Whoever comes later waits behind what waits for the lock of a table: so it gives up after two seconds,
    lets the others go on, and tries again.

    Raises:
        OperationalError: the lock was not to be had in 60 attempts.
    """
    for attempt in range(ATTEMPTS):
        try:
            with transaction.atomic(using=connection.alias):
                with connection.cursor() as cursor:
                    cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'")
                change()
        except OperationalError as error:
            is_held = getattr(error.__cause__, "sqlstate", None) == _LOCK_NOT_AVAILABLE
            if not is_held or attempt == ATTEMPTS - 1:
                raise
            time.sleep(LOCK_SECONDS)  # those that waited get their turn
        else:
            return
