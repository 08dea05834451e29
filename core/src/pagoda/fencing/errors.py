"""Errors of fences."""

from __future__ import annotations

from typing import ClassVar

from pagoda_plugin_sdk.exceptions import PagodaError


class FencesNotStarted(PagodaError):
    """The process's breaker was asked for before Django was set up."""

    code: ClassVar[str] = "fences_not_started"


class HostInterrupt(BaseException):
    """Raised by a host process into whatever runs, plugin code too: no fence holds it up."""
