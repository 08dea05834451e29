"""Containment of plugins: what their code did at each surface, and which surfaces are out of service."""

from pagoda.fencing.breaker import breaker_states
from pagoda.fencing.outcomes import Outcome, Result, Surface, add_observer, remove_observer, report_outcome
from pagoda.fencing.states import BreakerState, Status, breaker_changed

__all__ = [
    "BreakerState",
    "Outcome",
    "Result",
    "Status",
    "Surface",
    "add_observer",
    "breaker_changed",
    "breaker_states",
    "remove_observer",
    "report_outcome",
]
