"""From counts to verdicts: is this request one too many, and for how long."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog
from django.db import DatabaseError

from pagoda.config.rates import Rate
from pagoda.rates.counters import Counter, CounterUnavailable, Slot

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Where a caller stands with the limit that is nearest."""

    scope: str  # user, token, plugin_user
    limit: int
    remaining: int
    reset_seconds: int  # until the window ends
    is_exceeded: bool


def judge(counter: Counter, scopes: Mapping[str, tuple[str, Rate]]) -> Verdict | None:
    """Count a request in each scope, ``{scope: (who, rate)}``, and return the verdict of the tightest.

    None without scopes, and when the counter does not answer: a limit is no reason to turn everybody away.
    """
    if not scopes:
        return None
    now = time.time()
    slots = [_slot(scope, who, rate, now) for scope, (who, rate) in scopes.items()]
    try:
        counts = counter.count(slots)
    except (CounterUnavailable, DatabaseError) as error:
        log.warning("rate_not_counted", error=f"{type(error).__name__}: {error}")
        return None
    verdicts = _verdicts(scopes, slots, counts, now)
    return min(verdicts, key=lambda one: (not one.is_exceeded, one.remaining, -one.reset_seconds))


def _slot(scope: str, who: str, rate: Rate, now: float) -> Slot:
    return Slot(key=f"{scope}:{who}"[:300], ends_at=(int(now) // rate.seconds + 1) * rate.seconds)


def _verdicts(
    scopes: Mapping[str, tuple[str, Rate]], slots: Sequence[Slot], counts: Mapping[str, int], now: float
) -> list[Verdict]:
    return [
        Verdict(
            scope=scope,
            limit=rate.limit,
            remaining=max(0, rate.limit - counts[slot.key]),
            reset_seconds=max(1, round(slot.ends_at - now)),
            is_exceeded=counts[slot.key] > rate.limit,
        )
        for (scope, (_, rate)), slot in zip(scopes.items(), slots, strict=True)
    ]
