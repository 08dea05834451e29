"""A hook manager per test."""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from structlog.testing import capture_logs

from pagoda.hooks.bridge import Bridge
from pagoda.hooks.manager import HookManager, install

type Handler = Callable[..., Any]

BUDGET_SECONDS = 0.1
"""Short enough for tests of handlers that hang; the others never get near it."""


@pytest.fixture(autouse=True)
def logs() -> Iterator[list[MutableMapping[str, Any]]]:
    """What is logged, which here is most often what handlers of the tests do wrong."""
    with capture_logs() as records:
        yield records


@pytest.fixture
def hooks() -> Iterator[HookManager]:
    manager = HookManager(timeout_seconds=10)
    manager.open()
    yield manager
    manager.close()


@pytest.fixture
def impatient() -> Iterator[HookManager]:
    """A manager that cuts handlers off soon."""
    manager = HookManager(timeout_seconds=BUDGET_SECONDS)
    manager.open()
    yield manager
    manager.close()


@dataclass
class Calls:
    """Handlers that note their calls; each is named by a letter or a word."""

    names: list[str] = field(default_factory=list)
    arguments: list[tuple[Any, ...]] = field(default_factory=list)

    def handler(self, name: str, result: Any = None) -> Handler:
        def handle(*args: Any) -> Any:
            self.names.append(name)
            self.arguments.append(args)
            return result

        return handle


@pytest.fixture
def calls() -> Calls:
    return Calls()


@pytest.fixture
def dispatch() -> Callable[..., Any]:
    """Run ``entry.after_create``."""

    def run(hooks: HookManager, entity_name: str = "customer", user: Any = None, entry: Any = None) -> Any:
        return hooks.execute_hook("entry.after_create", entity_name, user, entry)

    return run


@pytest.fixture
def bridged(hooks: HookManager) -> Iterator[HookManager]:
    """The manager takes the place of the process's own: the domain's changes run its hooks."""
    replaced = install(hooks)
    Bridge(hooks).connect()
    yield hooks
    install(replaced)
    if replaced is not None:
        Bridge(replaced).connect()
