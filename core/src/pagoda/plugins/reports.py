"""Record what keeps a plugin from starting: one log record and, when error tracking is on, one event."""

from __future__ import annotations

import structlog

from pagoda.fencing import Outcome, report_outcome
from pagoda.fencing.reporting import report_error
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
    code = str(record.reason_code)
    report_error(refused, plugin=record.id, surface="load", name=code, reason_code=code)
    report_outcome(
        Outcome(
            plugin=record.id, surface="load", name=code, result="raised", seconds=0.0, error=record.reason
        )
    )
