"""The process's breaker: made once when Django starts, reached from everywhere."""

from __future__ import annotations

from pagoda.fencing.breaker import CircuitBreaker
from pagoda.fencing.errors import FencesNotStarted
from pagoda.fencing.states import BreakerState


class _FencingProcess:
    breaker: CircuitBreaker | None = None  # set by `install`


def install(breaker: CircuitBreaker | None) -> CircuitBreaker | None:
    """Make `breaker` the process's and return the one it replaces."""
    replaced, _FencingProcess.breaker = _FencingProcess.breaker, breaker
    return replaced


def breaker() -> CircuitBreaker:
    """Return the process's breaker.

    Raises:
        FencesNotStarted: Django is not set up, or `pagoda.fencing` is no installed app.
    """
    if _FencingProcess.breaker is None:
        raise FencesNotStarted(
            "The breaker does not exist yet. It is made when Django starts: call django.setup() with "
            "'pagoda.fencing' in INSTALLED_APPS first."
        )
    return _FencingProcess.breaker


def breaker_states() -> list[BreakerState]:
    """Return the breakers of all plugins as all processes share them, by plugin and surface.

    Reads the shared store; while that does not answer, what this process knows.
    """
    return breaker().states()
