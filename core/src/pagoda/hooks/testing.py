"""A breaker per test, in place of the process's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pagoda.fencing.breaker import CircuitBreaker, install
from pagoda.fencing.policy import Policy
from pagoda.fencing.store import Store
from pagoda.fencing.testing import MemoryStore
from pagoda.hooks import breaking
from pagoda.hooks.manager import manager


@contextmanager
def fresh_breaker(policy: Policy | None = None, store: Store | None = None) -> Iterator[CircuitBreaker]:
    """Have the process's hooks, endpoints and tasks use a breaker that knows of no failure."""
    breaker = CircuitBreaker(store or MemoryStore(), policy or Policy())
    hooks = manager()
    replaced = install(breaker)
    breaking.connect(hooks, breaker)
    try:
        yield breaker
    finally:
        install(replaced)
        hooks.set_out_of_service(frozenset())
        if replaced is not None:
            breaking.connect(hooks, replaced)
