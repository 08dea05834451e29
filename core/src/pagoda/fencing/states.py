"""The states of circuit breakers, as operators and other parts of the host see them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from django.dispatch import Signal

from pagoda.fencing.outcomes import Surface
from pagoda_plugin_sdk.rules.saying import say

type Status = Literal["closed", "half_open", "open"]
"""In service; on probation; out of service."""

breaker_changed = Signal()
"""Sent once per transition, by the process that made it, after it is stored.

Keywords: ``plugin``, ``surface``, ``old`` and ``new`` (`Status`), ``reason`` (a sentence) and ``dry_run``
(True: nothing is taken out of service). A receiver that raises is logged and does no harm.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerState:
    """The breaker of one surface of one plugin; a surface without a failure so far has none."""

    plugin: str
    surface: Surface
    state: Status
    since: datetime  # of the last transition
    calls: int  # in the current window
    failures: int  # among them
    last_error: str  # type and text; empty when there was none
    retry_at: datetime | None  # when an open breaker lets a probe through; None while closed
    dry_run: bool = False  # the state is kept, but nothing is taken out of service


def probe_of(state: Status, retry_at: datetime | None) -> str:
    """Return when a breaker lets a call through, as a sentence; "" for one that is closed."""
    if state == "closed" or retry_at is None:
        return ""
    if state == "half_open":
        return say("One call is let through now, to see whether it works again.")
    if retry_at <= datetime.now(UTC):
        return say("The next call is let through.")
    return say("One call is let through at {moment} UTC.", moment=f"{retry_at:%H:%M:%S}")
