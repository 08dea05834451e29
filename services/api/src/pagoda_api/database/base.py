"""PostgreSQL whose outage is known once it was found: nobody else waits for a connection that does not come.

A request asks for a connection several times (who asks, limits, the answer), and each try may take
`connect_timeout`. After one that took long, all fail at once until a thread has got a connection.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from django.db.backends.postgresql import base
from psycopg import OperationalError

SLOW_SECONDS = 0.5
"""A try that fails sooner is not worth knowing: the next one fails as soon."""

AGAIN_SECONDS = 1.0


class Outage:
    """What this process knows of a server that does not answer; after a fork nothing."""

    def __init__(self) -> None:
        self._watch: threading.Thread | None = None
        self._text = ""

    def attempt(self, connect: Callable[[], Any]) -> Any:
        """Return what `connect` returns, unless it is known not to come. Any: a connection of psycopg's.

        Raises:
            OperationalError: there is no connection.
        """
        if self._watch is not None and self._watch.is_alive():
            raise OperationalError(f"not tried again yet: {self._text}")
        began = time.monotonic()
        try:
            return connect()
        except OperationalError as error:
            if time.monotonic() - began >= SLOW_SECONDS:
                self._text = str(error)
                self._watch = threading.Thread(target=_try_on, args=(connect,), daemon=True)
                self._watch.start()
            raise


def _try_on(connect: Callable[[], Any]) -> None:
    while True:
        time.sleep(AGAIN_SECONDS)
        try:
            connect().close()
        except OperationalError:
            continue
        return


outage = Outage()


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's, with the above."""

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Return a connection, as Django's does."""
        return outage.attempt(lambda: super(DatabaseWrapper, self).get_new_connection(conn_params))
