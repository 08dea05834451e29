"""Tells that jobs ended, to whoever counts them in the process that ended them."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction
from django.dispatch import Signal

from pagoda_plugin_sdk.operations import JobStatus

job_ended = Signal()
"""Sent with ``ended``, once per job and run, when the end is committed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A job that ended."""

    plugin: str  # "" for the host's
    operation: int
    status: JobStatus


def tell_ended(plugin: str, operation: int, status: JobStatus) -> None:
    """Tell it when the current transaction is committed, at once outside of one."""
    ended = Ended(plugin=plugin, operation=operation, status=status)
    transaction.on_commit(lambda: _send(ended), robust=True)


def _send(ended: Ended) -> None:
    job_ended.send_robust(sender=Ended, ended=ended)
