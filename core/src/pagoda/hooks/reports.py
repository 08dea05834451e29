"""Record what a handler did wrong: one log record and, when error tracking is on, one event."""

from __future__ import annotations

import structlog

from pagoda.fencing.reporting import report_error
from pagoda.hooks.errors import HookTimeout, RejectedByPlugin
from pagoda.hooks.records import HandlerRecord

log = structlog.get_logger(__name__)


def report_failure(record: HandlerRecord, entity: str | None, error: BaseException) -> None:
    """Record a failure that was contained."""
    event = "hook_timed_out" if isinstance(error, HookTimeout) else "hook_failed"
    log.error(
        event,
        plugin=record.plugin_id,
        hook=record.hook,
        entity=entity,
        handler=record.name,
        error=f"{type(error).__name__}: {error}",
        exc_info=error,
    )
    report_error(
        error,
        plugin=record.plugin_id,
        surface="hook",
        name=record.hook,
        hook=record.hook,
        entity=entity or "",
    )


def report_rejection(record: HandlerRecord, rejection: RejectedByPlugin) -> None:
    """Record a write that was refused, which is no failure."""
    log.info(
        "hook_rejected",
        plugin=record.plugin_id,
        hook=record.hook,
        entity=rejection.entity,
        handler=record.name,
        messages=rejection.messages,
    )
