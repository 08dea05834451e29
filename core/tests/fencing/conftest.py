"""Breakers of several processes over one store, under a clock that only the tests move."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from pagoda.fencing.breaker import CircuitBreaker
from pagoda.fencing.policy import Policy
from pagoda.fencing.states import breaker_changed
from pagoda.fencing.testing import MemoryStore

POLICY = Policy(min_calls=10, consecutive_failures=3, window_seconds=60, cooldown_seconds=30)


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


class Process(CircuitBreaker):
    """The breaker of one of several processes."""

    def __init__(self, name: str, *args: Any) -> None:
        super().__init__(*args)
        self._name = name

    @property
    def process(self) -> str:
        return self._name

    def refresh_now(self) -> None:
        self._rows._read_at = float("-inf")
        self.refresh()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def process(store: MemoryStore, clock: Clock) -> Callable[..., Process]:
    def make(name: str = "one", **policy: Any) -> Process:
        return Process(name, store, replace(POLICY, **policy), clock)

    return make


@pytest.fixture(autouse=True)
def changes() -> Iterator[list[tuple[str, str, str, str]]]:
    """Every transition that was announced: plugin, surface, old and new state."""
    seen: list[tuple[str, str, str, str]] = []

    def note(*, plugin: str, surface: str, old: str, new: str, **_: Any) -> None:
        seen.append((plugin, surface, old, new))

    breaker_changed.connect(note)
    yield seen
    breaker_changed.disconnect(note)
