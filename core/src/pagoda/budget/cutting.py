"""Cut off what is past its time budget, in the thread that runs it.

The watchdog only knocks; whether there is something to cut is decided by the thread itself, between two byte
codes. So code that ends while the watchdog aims at it is never hit, and neither is the host.

- Events (`sys.monitoring`) of the code that a thread runs reach everything that executes Python.
- A signal wakes the main thread from a system call: sleeping, sockets, locks. It comes second, as some of
  CPython's own C code drops an exception that a signal raises inside of it, `int("x")` for one.

What waits inside a system call in another thread than the main one is cut off when the call returns.
"""

from __future__ import annotations

import _weakrefset
import dis
import gc
import signal
import sys
import time
import weakref
from collections.abc import Iterable
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Protocol

from django.db.backends.utils import CursorWrapper
from django.db.transaction import Atomic

from pagoda.budget.frames import Frame, Mark, ThreadState, TimeBudgetExceeded

_OURS = [str(Path(__file__).parent)]

CUT_SIGNAL = signal.SIGURG  # ignored by default, so that it does no harm where nobody expects it
CLEAN_UP_SECONDS = 0.25
"""How long what was struck may clean up before it is struck again."""

SPARED_KNOCKS = 15
"""For how many knocks of the watchdog strikes are left out because of where they would hit: a transaction's
begin or end, a cursor's end, or code whose exceptions the interpreter drops."""

_TOOL_NAME = "pagoda.budget"
_WEAKREF_FILES = (weakref.__file__, _weakrefset.__file__)  # their callbacks run whenever an object dies
_EDGES_OF_HANDLING = frozenset(dis.opmap[name] for name in ("PUSH_EXC_INFO", "POP_EXCEPT"))
_EVENTS = (sys.monitoring.events.PY_START, sys.monitoring.events.JUMP, sys.monitoring.events.LINE)
_BOUNDARIES = {
    *(Atomic.__enter__.__code__, Atomic.__exit__.__code__),
    CursorWrapper.__exit__.__code__,  # a cursor that stays open may keep SQLite from opening savepoints
}


def spare(folder: Path) -> None:
    """Never cut code from files below `folder`: it runs what has a budget, and has none itself."""
    _OURS.append(str(folder))


class Striker(Protocol):
    """What a knock is passed on to."""

    def strike(self, at: FrameType | None) -> None:
        """Raise `TimeBudgetExceeded` if something in this thread is past its budget at `at`."""


class Relay:
    """Passes the process's one signal, or one kind of event, on to every watchdog that lives.

    Any: what the interpreter calls it with.
    """

    def __init__(self, striker: Striker, replaced: Any) -> None:
        inherited = replaced.strikers if isinstance(replaced, Relay) else ()
        others = (ref for ref in inherited if ref() not in (None, striker))
        self.strikers: tuple[weakref.ref[Striker], ...] = (weakref.ref(striker), *others)
        self.replaced: Any = replaced.replaced if isinstance(replaced, Relay) else replaced

    def __call__(self, *args: Any) -> None:
        for ref in self.strikers:
            striker = ref()
            if striker is not None:
                striker.strike(sys._getframe(1))
        if callable(self.replaced):
            self.replaced(*args)


def listen_to_signal(striker: Striker) -> None:
    """Let the cut signal reach `striker`; to be called in the main thread."""
    signal.signal(CUT_SIGNAL, Relay(striker, signal.getsignal(CUT_SIGNAL)))


def listen_to_events(striker: Striker) -> int | None:
    """Let events reach `striker` and return the monitoring tool's number; None when no number is free."""
    tool = _tool()
    if tool is None:
        return None
    for event in _EVENTS:
        replaced = sys.monitoring.register_callback(tool, event, None)
        sys.monitoring.register_callback(tool, event, Relay(striker, replaced))
    return tool


def _tool() -> int | None:
    names = {number: sys.monitoring.get_tool(number) for number in range(6)}
    for number, name in names.items():
        if name == _TOOL_NAME:
            return number
    for number in (4, 3):  # the others are meant for debuggers, coverage, profilers and optimizers
        if names[number] is None:
            sys.monitoring.use_tool_id(number, _TOOL_NAME)
            return number
    return None


def watch_events(tool: int, codes: Iterable[CodeType], *, on: bool) -> None:
    """Turn events of these code objects on or off, whichever thread runs them."""
    events = sum(_EVENTS) if on else sys.monitoring.events.NO_EVENTS
    for code in codes:
        sys.monitoring.set_local_events(tool, code, events)


def codes_to_cut(ident: int) -> set[CodeType]:
    """Return the code that runs in a thread right now below the outermost frame, without ours and Django's
    boundaries of transactions and cursors.
    """
    frame = sys._current_frames().get(ident)
    found: set[CodeType] = set()
    candidates: set[CodeType] = set()
    while frame is not None:
        if is_ours(frame.f_code):
            found |= candidates
            candidates = set()
        else:
            candidates.add(frame.f_code)
        frame = frame.f_back
    return found - _BOUNDARIES


def is_ours(code: CodeType) -> bool:
    """Return whether `code` is the host's, around what has a budget."""
    return code.co_filename.startswith(tuple(_OURS))


def expired_mark(state: ThreadState) -> tuple[Frame, Mark] | None:
    """Return the outermost frame of this thread in which something is past its budget."""
    for frame in state.busy():
        running = frame.running
        if isinstance(running, Mark) and running.expired:
            return frame, running
    return None


def seconds_of(mark: Mark) -> float:
    """Return the time budget of what bears the mark."""
    return mark.what.seconds if mark.what is not None else 0.0


def strike(state: ThreadState, at: FrameType | None) -> None:
    """Cut off the outermost thing in the calling thread that is past its budget, if there is one.

    `at` is where the thread is. Nothing is raised into the host's own code, nor into the begin or end of
    a transaction or the end of a cursor, whose bookkeeping would be torn, nor into finalizers and callbacks
    of the garbage collector, where it would be lost: the watchdog knocks again.
    """
    found = expired_mark(state)
    if found is None or at is None or at.f_code in _BOUNDARIES or is_ours(at.f_code) or _is_at_edge(at):
        return
    frame, mark = found
    has_budget, in_bad_place = _surroundings(at)
    now = time.monotonic()
    if not has_budget or now < mark.next_strike:
        return
    if in_bad_place and mark.spare(SPARED_KNOCKS):
        return
    mark.next_strike, mark.spared_at = now + CLEAN_UP_SECONDS, None
    raise TimeBudgetExceeded(frame, seconds_of(mark))


def _is_at_edge(at: FrameType) -> bool:
    """Return whether the frame is about to begin or end the handling of an exception.

    Raised there, ours would leave the other one behind as the thread's current exception, for ever: CPython
    takes for granted that these instructions do not fail.
    """
    return at.f_lasti >= 0 and at.f_code.co_code[at.f_lasti] in _EDGES_OF_HANDLING


def _surroundings(at: FrameType) -> tuple[bool, bool]:
    """Return whether `at` is within a frame, and whether something lies in between that must not be hit."""
    dropping = _dropping_codes()
    has_budget = in_bad_place = bad_place_seen = False
    frame: FrameType | None = at
    while frame is not None:
        if is_ours(frame.f_code):
            has_budget = True
            in_bad_place = in_bad_place or bad_place_seen
            bad_place_seen = False
        elif frame.f_code in _BOUNDARIES or frame.f_code in dropping or _is_finalizer(frame.f_code):
            bad_place_seen = True
        frame = frame.f_back
    return has_budget, in_bad_place


def _is_finalizer(code: CodeType) -> bool:
    return code.co_name == "__del__" or code.co_filename in _WEAKREF_FILES


def _dropping_codes() -> set[CodeType]:
    """Return the code of the garbage collector's callbacks."""
    return {code for callback in gc.callbacks if (code := getattr(callback, "__code__", None)) is not None}
