"""The process's breaker."""

from __future__ import annotations

from pagoda.fencing.states import BreakerState


def breaker_states() -> list[BreakerState]:
    """Return the breakers of all plugins as all processes share them, by plugin and surface.

    Reads the shared store; while that does not answer, what this process knows.
    """
    return []
