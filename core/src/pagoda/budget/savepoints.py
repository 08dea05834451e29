"""A handler's savepoint: opened before its first query in a transaction, closed when the handler is over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import structlog
from django.db import DatabaseError, Error
from django.db.backends.base.base import BaseDatabaseWrapper

from pagoda_plugin_sdk.exceptions import PluginError

log = structlog.get_logger(__name__)


class TransactionBroken(PluginError):
    """A handler returned normally but left the transaction unusable."""

    code: ClassVar[str] = "transaction_broken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Savepoint:
    """One savepoint on one connection.

    Django's stack of savepoints does not know it: a handler's first query may come inside of ``atomic()``
    blocks that end before the handler does, and each of them pops what it pushed.
    """

    connection: BaseDatabaseWrapper
    sid: str
    callbacks: int  # how many on_commit callbacks there were when it was opened

    @classmethod
    def open(cls, connection: BaseDatabaseWrapper) -> Savepoint:
        """Open a savepoint; the connection must be inside a transaction that is not broken."""
        callbacks = len(connection.run_on_commit)
        # str: Django returns None only for databases without savepoints, of which it supports none any more.
        return cls(connection=connection, sid=str(connection.savepoint()), callbacks=callbacks)

    def release(self) -> None:
        """Keep what the handler wrote.

        Raises:
            TransactionBroken: the handler swallowed an error that broke the transaction; what it wrote is
                undone.
        """
        if not self.connection.in_atomic_block:
            return  # the transaction was the handler's own, and so is over
        if self.connection.needs_rollback:
            self.roll_back()
            raise _broken() from None
        try:
            self.connection.savepoint_commit(self.sid)
        except DatabaseError as error:
            self.roll_back()
            raise _broken() from error

    def roll_back(self) -> None:
        """Undo what the handler wrote, and forget what it wanted done on commit."""
        connection = self.connection
        if not connection.in_atomic_block:
            return
        connection.needs_rollback = False
        try:
            connection.savepoint_rollback(self.sid)
            connection.savepoint_commit(self.sid)
        except Error:
            # The connection is lost, or the transaction with it: the host must not commit the half of it.
            connection.needs_rollback = True
            log.exception("hook_rollback_failed", database=connection.alias)
        del connection.run_on_commit[self.callbacks :]


def _broken() -> TransactionBroken:
    return TransactionBroken(
        "caught a database error that had broken the transaction and returned as if nothing happened; what "
        "it wrote is undone. Put the statement that may fail into `with transaction.atomic():` of its own."
    )
