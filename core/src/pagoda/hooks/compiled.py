"""Dispatch code for notifications, written out per number of handlers.

A loop over handlers costs more than calling them does, so the loop is unrolled once, when a chain is first
run. For two handlers of ``entry.after_create`` the code is::

    def run(entity_name, user, entry):
        try: slot = local.slot
        except AttributeError: slot = [ASLEEP]
        if slot[0]: return carefully(entity_name, user, entry)
        for _ in ticks: break
        else: return carefully(entity_name, user, entry)
        slot[0] = 1
        try: handler_1(entity_name, user, entry)
        except BaseException as error: fail(1, error, entity_name, user, entry)
        try: slot[0] = 2
        except IndexError: settle(1, 2, entity_name, user, entry)
        try: handler_2(entity_name, user, entry)
        except BaseException as error: fail(2, error, entity_name, user, entry)
        try: slot[0] = 0
        except IndexError: settle(2, 0, entity_name, user, entry)

`pagoda.hooks.threads` says what a slot is, `pagoda.hooks.counts` what ticks are. A ``try`` that raises
nothing is free, on a line of its own it would cost one instruction. Everything but the handlers' calls adds
up to about the cost of one call, most of it for reading the thread's slot.
"""

from __future__ import annotations

import linecache
from collections.abc import Callable, Sequence
from functools import lru_cache
from types import CodeType
from typing import Any, Protocol

from pagoda.hooks.cutting import FOLDER
from pagoda.hooks.records import Handler
from pagoda.hooks.threads import ASLEEP, Threads

type Runner = Callable[..., Any]  # takes a hook's arguments, returns its data

_HEAD = """\
def run({arguments}):
    try: slot = local.slot
    except AttributeError: slot = [ASLEEP]
    if slot[0]: return carefully({arguments})
    for _ in ticks: break
    else: return carefully({arguments})
    slot[0] = 1
"""
_STEP = """\
    try: handler_{number}({arguments})
    except BaseException as error: fail({number}, error, {arguments})
    try: slot[0] = {following}
    except IndexError: settle({number}, {following}, {arguments})
"""


class Owner(Protocol):
    """What compiled code falls back on."""

    def carefully(self, *args: Any) -> Any:
        """Run all handlers where compiled code may not."""

    def settle(self, done: int, following: int, *args: Any) -> None:
        """Close the savepoints of handler `done` and store the number of the `following` one."""

    def fail(self, number: int, error: BaseException, *args: Any) -> None:
        """Contain what handler `number` raised."""


def compile_runner(
    arguments: Sequence[str],
    handlers: Sequence[Handler],
    *,
    threads: Threads,
    owner: Owner,
    namespace: dict[str, Any],
) -> Runner:
    """Return a function that calls `handlers`, at least one, in order.

    `namespace` becomes its globals and must hold ``ticks``.
    """
    namespace.update(
        ASLEEP=ASLEEP, local=threads.local, carefully=owner.carefully, settle=owner.settle, fail=owner.fail
    )
    namespace.update({f"handler_{number}": handler for number, handler in enumerate(handlers, 1)})
    exec(_code(", ".join(arguments), len(handlers)), namespace)  # noqa: S102 - made of our own names alone
    runner: Runner = namespace["run"]
    return runner


@lru_cache(maxsize=256)
def _code(arguments: str, count: int) -> CodeType:
    source = _source(arguments, count)
    # A name below our folder marks the code as ours, never to be cut off; the cache lets tracebacks show it.
    name = f"{FOLDER}/<compiled: {count} handlers of ({arguments})>"
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    return compile(source, name, "exec")


def _source(arguments: str, count: int) -> str:
    numbers = range(1, count + 1)
    steps = [
        _STEP.format(number=number, following=number + 1 if number < count else 0, arguments=arguments)
        for number in numbers
    ]
    return "".join([_HEAD.format(arguments=arguments), *steps])
