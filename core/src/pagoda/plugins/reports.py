"""Record what keeps a plugin from starting: one log record and, when error tracking is on, one event."""

from __future__ import annotations

import sentry_sdk
import structlog

from pagoda.plugins.records import PluginRecord, PluginRefused, ReasonCode

log = structlog.get_logger(__name__)


def report_skipped(record: PluginRecord, refused: PluginRefused) -> None:
    """Record that a plugin is skipped: an error with its traceback, unless safe mode is the reason."""
    if refused.reason_code is ReasonCode.SAFE_MODE:
        log.warning("plugin_skipped", plugin=record.id, reason_code=record.reason_code)
        return
    log.error(
        "plugin_skipped",
        plugin=record.id,
        distribution=record.distribution,
        reason_code=record.reason_code,
        reason=record.reason,
        exc_info=refused.__cause__,
    )
    if sentry_sdk.is_initialized():
        with sentry_sdk.new_scope() as scope:
            scope.set_tags({"plugin": record.id, "surface": "load", "reason_code": str(record.reason_code)})
            scope.capture_exception(refused)
