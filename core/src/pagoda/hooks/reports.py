"""Record what a handler did wrong: one log record and, when error tracking is on, one event."""

from __future__ import annotations

import sentry_sdk
import structlog

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
    if sentry_sdk.is_initialized():
        with sentry_sdk.new_scope() as scope:
            scope.set_tags({"plugin": record.plugin_id, "hook": record.hook, "entity": entity or ""})
            scope.capture_exception(error)


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
