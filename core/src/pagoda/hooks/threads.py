"""Which handlers run in which thread: state that the dispatch writes and the watchdog reads.

A *frame* stands for one dispatch in a thread; a handler's write may start another dispatch, so frames are a
stack. A frame's *slot* is a list of one element that says what runs: storing the handler's number there is
all that a handler costs. An empty slot means that the running handler left something to settle: the next
store raises `IndexError`, so that the dispatch needs no test of its own for it.
"""

from __future__ import annotations

import threading
from collections.abc import MutableMapping
from itertools import count

from pagoda.hooks.errors import HookDepthExceeded
from pagoda.hooks.queries import RunningQuery
from pagoda.hooks.savepoints import Savepoint

IDLE = 0  # no handler runs; handlers are numbered from 1
ASLEEP = -1  # no handler runs, and no watchdog knows the thread: new, or the process was forked
BUSY = -2  # a handler runs, its number is held elsewhere

MAX_DEPTH = 8
"""How deep dispatches may nest in one thread."""

_serials = count()


class Mark:
    """Left by the watchdog in the place of the handler's number.

    The next handler's number overwrites it: a slot that still holds the mark at the deadline has held the
    same call all the time.
    """

    __slots__ = ("deadline", "expired", "next_strike")

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline  # of `time.monotonic`
        self.expired = False  # set by the watchdog once the deadline has passed
        self.next_strike = 0.0  # a handler that was struck gets time to clean up


type Running = int | Mark


class Frame:
    """One dispatch of one thread, or one stretch of other code that has a time budget of its own."""

    __slots__ = ("held", "savepoints", "slot", "timeout_seconds")

    def __init__(self, running: Running = IDLE, timeout_seconds: float | None = None) -> None:
        self.timeout_seconds = timeout_seconds  # None for handlers, who share the watchdog's
        self.slot: list[Running] = [running]
        self.held: Running = IDLE  # what the slot held when it was emptied
        self.savepoints: dict[str, Savepoint] = {}  # {database alias: the running handler's savepoint}

    def running(self) -> Running:
        """Return what runs here, wherever it is noted."""
        try:
            return self.slot[0]
        except IndexError:
            return self.held

    @property
    def is_dispatch(self) -> bool:
        """Return whether it stands for handlers, which get savepoints."""
        return self.timeout_seconds is None

    def runs_handler(self) -> bool:
        """Return whether a handler runs here."""
        running = self.running()
        return isinstance(running, Mark) or running > IDLE

    def watch(self, deadline: float) -> Mark | None:
        """Return the mark on the running handler, or leave one with this deadline and return None.

        Called by the watchdog's thread alone.
        """
        running = self.running()
        if isinstance(running, Mark):
            return running
        if running > IDLE:
            self._leave(Mark(deadline))
        return None

    def _leave(self, mark: Mark) -> None:
        slot = self.slot
        try:
            # The running handler may have changed since it was read, which is fine, but an idle slot must not
            # be marked. CPython switches threads at calls and backward jumps: nothing comes between test and
            # store.
            if slot[0]:
                slot[0] = mark
        except IndexError:
            self.held = mark


class ThreadState:
    """The frames of one thread, outermost first. The first stands for the thread and is never dropped."""

    __slots__ = ("__weakref__", "frames", "ident", "is_opening", "is_reading", "query")

    def __init__(self) -> None:
        self.ident = threading.get_ident()
        self.frames = [Frame(ASLEEP)]
        self.is_opening = False  # a savepoint is being opened, whose own SQL needs none
        self.query: RunningQuery | None = None  # what a handler waits for
        self.is_reading = False  # a handler's last query only reads


class Threads:
    """The calling thread's state.

    ``local.slot`` is the slot of its innermost frame, or says `BUSY` while that one is empty. A thread that
    is new has no such attribute. Compiled dispatch reads it there; everything else asks `state`.
    """

    def __init__(self, registry: MutableMapping[int, ThreadState]) -> None:
        self.local = threading.local()
        self._registry = registry

    @property
    def state(self) -> ThreadState:
        """Return the thread's frames; a thread that is new joins the registry."""
        try:
            state: ThreadState = self.local.state
        except AttributeError:
            state = self.local.state = ThreadState()
            self.local.slot = state.frames[0].slot
            self._registry[next(_serials)] = state
        return state

    @property
    def frame(self) -> Frame:
        """Return the innermost frame."""
        return self.state.frames[-1]

    def enter(self) -> int:
        """Make room for a dispatch and return the depth to `leave` to: a busy frame is covered by a new one.

        Raises:
            HookDepthExceeded: there are `MAX_DEPTH` frames already.
        """
        frames = self.state.frames
        depth = len(frames)
        if self.local.slot[0] != IDLE:
            if depth >= MAX_DEPTH:
                raise _too_deep()
            frames.append(Frame())
            self.local.slot = frames[-1].slot
        return depth

    def begin(self, timeout_seconds: float) -> int:
        """Make a frame for code that is no handler and return the depth to `leave` to."""
        frames, frame = self.state.frames, Frame(1, timeout_seconds)
        frames.append(frame)
        self.local.slot = frame.slot
        return len(frames) - 1

    def leave(self, depth: int) -> None:
        """Drop the frames beyond `depth`."""
        frames = self.local.state.frames
        if len(frames) > depth:
            del frames[depth:]
            self.local.slot = frames[-1].slot or [BUSY]

    def hold(self, frame: Frame) -> None:
        """Empty a frame's slot, so that its dispatch settles the running handler when that is over."""
        if frame.slot:
            frame.held = frame.slot.pop()
            if frame is self.frame:
                self.local.slot = [BUSY]

    def free(self) -> list[Savepoint]:
        """Declare the innermost frame's handler over and return its savepoints, the latest first."""
        frame = self.frame
        savepoints = [*frame.savepoints.values()][::-1]
        frame.savepoints.clear()
        frame.held = IDLE
        frame.slot[:] = (IDLE,)
        self.local.slot = frame.slot
        return savepoints


def _too_deep() -> HookDepthExceeded:
    return HookDepthExceeded(
        f"Hook handlers are nested {MAX_DEPTH} deep, which is the limit: a handler's write starts handlers, "
        "which write again. Most likely a handler starts itself: let it write only what differs, or "
        "skip what it wrote itself."
    )
