"""A breaker per test, in place of the process's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pagoda.fencing import runtime as fencing
from pagoda.fencing.breaker import CircuitBreaker
from pagoda.fencing.policy import Policy
from pagoda.fencing.store import Store
from pagoda.fencing.testing import MemoryStore
from pagoda.hooks import breaking, runtime


@contextmanager
def fresh_breaker(policy: Policy | None = None, store: Store | None = None) -> Iterator[CircuitBreaker]:
    """Have the process's hooks, endpoints and tasks use a breaker that knows of no failure."""
    breaker = CircuitBreaker(store or MemoryStore(), policy or Policy())
    manager = runtime.manager()
    replaced = fencing.install(breaker)
    breaking.connect(manager, breaker)
    try:
        yield breaker
    finally:
        fencing.install(replaced)
        manager.set_out_of_service(frozenset())
        if replaced is not None:
            breaking.connect(manager, replaced)
