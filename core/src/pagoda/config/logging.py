"""Structured logs: one record per event, with the ids of request, job and plugin bound to it."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog
from structlog.typing import EventDict, Processor

from pagoda import running
from pagoda.config.settings import Settings
from pagoda_plugin_sdk.washing import without_secrets


def name_plugin(_: object, __: str, event: EventDict) -> EventDict:
    """Name the plugin whose code logs, unless the line names one itself.

    A context variable per handler would do, and cost more than the handler's call.
    """
    if "plugin" not in event and (found := running.plugin()):
        event["plugin"] = found
    return event


def scrub_line(_: object, __: str, line: Any) -> Any:  # Any: the text that the renderer made
    """Take the secrets out of a line, whatever texts it was made of: errors quote URLs with passwords."""
    return without_secrets(line)


# Ids travel in structlog's context variables: request_id, job_id, plugin, hook, queue.
SHARED: tuple[Processor, ...] = (
    name_plugin,
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.stdlib.PositionalArgumentsFormatter(),
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
)


def configure_logging(settings: Settings, *, service: str) -> None:
    """Send every log record of the process, structlog's and the standard library's, to stderr.

    JSON or console lines as PAGODA_LOG_FORMAT says. Call it once per process; again, it replaces itself.
    """
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,  # first: what nobody reads is not made ready
            *SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,  # tests capture; the cost is paid only when a record is made
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_formatter(settings, service))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.pagoda_log_level)


def _formatter(settings: Settings, service: str) -> logging.Formatter:
    def add_service(_: object, __: str, event: EventDict) -> EventDict:
        event.setdefault("service", service)
        return event

    renderers: list[Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if settings.pagoda_log_format == "json"
        else [
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
            )
        ]
    )
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=list(SHARED),
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            add_service,
            *renderers,
            scrub_line,
        ],
    )
