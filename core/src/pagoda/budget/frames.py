"""What runs in which thread, written by the thread itself and read by the watchdog; and what ends it.

A *frame* stands for code that has a time budget: the handlers of one dispatch, one after the other, or one
view. A handler's write may start another dispatch, so a thread has a chain of frames. Storing what runs in
its frame is all that the start of a handler costs.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Protocol

from pagoda.budget.queries import RunningQuery
from pagoda.budget.savepoints import Savepoint


class Running(Protocol):
    """What runs in a frame."""

    plugin_id: str  # whose it is, "" for the host's
    seconds: float  # how long it may run
    is_undone: bool  # whether what it writes gets savepoints, to be undone if it fails


class Mark:
    """Left by the watchdog in place of what runs.

    The next thing that runs overwrites it: a frame that still holds the mark at the deadline has held the
    same call all the time.
    """

    __slots__ = ("deadline", "knocks", "next_strike", "spared_at", "what")

    def __init__(self) -> None:
        self.deadline = float("inf")  # of `time.monotonic`
        self.knocks = 0  # of the watchdog, once the deadline has passed
        self.next_strike = 0.0  # what was struck gets time to clean up
        self.spared_at: int | None = None  # the knock whose strike was the first to be left out
        self.what: Running | None = None  # what runs

    @property
    def expired(self) -> bool:
        """Whether what runs is past its budget."""
        return self.knocks > 0

    def spare(self, knocks: int) -> bool:
        """Return whether a strike is to be left out: the first one, and those of `knocks` knocks after it.

        Counted in knocks, as a busy machine may hold up the watchdog, or this thread, for any time.
        """
        if self.spared_at is None:
            self.spared_at = self.knocks
        return self.knocks - self.spared_at < knocks


class Frame:
    """What runs in a thread at one depth; used again for what comes next there."""

    __slots__ = ("depth", "inner", "outer", "running", "savepoints", "thread")

    def __init__(self, thread: ThreadState, outer: Frame | None = None) -> None:
        self.thread = thread
        self.outer = outer
        self.inner: Frame | None = None  # the next deeper one, once there was one
        self.depth: int = 1 if outer is None else outer.depth + 1
        self.running: Running | Mark | None = None  # None: the host's own code
        self.savepoints: dict[str, Savepoint] | None = None  # {database alias: of what runs}; None: none

    def watch(self, now: float) -> Mark | None:
        """Return the mark on what runs, or leave one and return None.

        Called by the watchdog's thread alone.
        """
        running = self.running
        if isinstance(running, Mark):
            return running
        mark = Mark()
        # CPython switches threads at calls and backward jumps: nothing comes between the load and the store.
        if (what := self.running) is not None:
            self.running = mark
            mark.what = what  # type: ignore[assignment]  # no mark: this thread alone leaves any
            mark.deadline = now + what.seconds  # type: ignore[union-attr]
        return None

    def what(self) -> Running | None:
        """Return what runs, None when nothing does."""
        running = self.running
        return running.what if isinstance(running, Mark) else running

    @property
    def plugin_id(self) -> str:
        """Whose code runs, "" for the host's."""
        what = self.what()
        return "" if what is None else what.plugin_id

    def take_savepoints(self) -> list[Savepoint]:
        """Return the savepoints of what ran here, the latest first; they are the caller's to close."""
        savepoints, self.savepoints = self.savepoints, None
        return [*savepoints.values()][::-1] if savepoints else []


class ThreadState:
    """One thread: its frames, and the query that it waits for."""

    __slots__ = ("__weakref__", "base", "ident", "is_opening", "is_reading", "query")

    def __init__(self) -> None:
        self.ident = threading.get_ident()
        self.base = Frame(self)
        self.is_opening = False  # a savepoint is being opened, whose own SQL needs none
        self.query: RunningQuery | None = None  # what a handler waits for
        self.is_reading = False  # a handler's last query only reads

    def busy(self) -> Iterator[Frame]:
        """Yield the frames in which something runs, outermost first."""
        frame: Frame | None = self.base
        while frame is not None:
            if frame.running is not None:
                yield frame
            frame = frame.inner


class TimeBudgetExceeded(BaseException):
    """Raised inside code that ran past its time budget.

    No `Exception`, as ``except Exception`` is what plugins wrap their loops in. It never leaves the fence of
    the code it is meant for.
    """

    def __init__(self, frame: Frame, seconds: float) -> None:
        super().__init__(f"cut off: it ran longer than its time budget of {seconds:g} s")
        self.frame = frame  # of the code that is cut off, which may have started other code
