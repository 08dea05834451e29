"""Time budgets, kept by one thread per process that looks at all others now and then."""

from __future__ import annotations

import os
import signal
import threading
import time
import weakref
from collections.abc import Callable
from itertools import count
from types import CodeType, FrameType
from typing import Any

import structlog

from pagoda.budget import cutting
from pagoda.budget.frames import Frame, Mark, ThreadState
from pagoda.budget.guard import QueryGuard

log = structlog.get_logger(__name__)

IDLE_SECONDS = 0.25
"""How often the watchdog looks while nothing runs."""

BUSY_SECONDS = 0.1
"""How often it looks while something runs, and more often where a budget is short."""

OVERDUE_SECONDS = 0.02
"""How often it looks while something is being cut off."""


class View:
    """Code that is no handler: its writes stand when it fails."""

    __slots__ = ("plugin_id", "seconds")

    is_undone = False

    def __init__(self, plugin_id: str, seconds: float) -> None:
        self.plugin_id = plugin_id
        self.seconds = seconds


class TimeBudget:
    """Cuts off what runs longer than it may, within 0.5 s after that.

    The watchdog's thread starts with the first frame of a process, and anew after a fork. What runs costs
    nothing but a store (`pagoda.budget.frames`): the watchdog replaces it by a mark, and what still bears the
    mark at the deadline is cut off.
    """

    def __init__(self) -> None:
        self.local = threading.local()  # ``local.frame``, the innermost; absent in a thread that is new
        self.guard = QueryGuard(self.local)
        self._registry: weakref.WeakValueDictionary[int, ThreadState] = weakref.WeakValueDictionary()
        self._serials = count()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._tool: int | None = None
        self._watched: set[CodeType] = set()
        self._survives_fork = False
        self._has_complained = False

    def open(self) -> None:
        """Guard the database connections, so that handlers get savepoints and their queries are stopped."""
        self.guard.put_on_all()

    def close(self) -> None:
        """Let go of connections and threads; nothing is cut off any more."""
        self.guard.take_off()
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    # Any: the function's arguments.
    def run_within[T](self, seconds: float, plugin_id: str, function: Callable[..., T], *args: Any) -> T:
        """Call a function of a plugin that is no handler, a view, and return what it returns.

        Raises:
            TimeBudgetExceeded: it ran longer than `seconds` and was cut off.
        """
        frame = self.enter()
        frame.running = View(plugin_id, seconds)
        try:
            return function(*args)
        finally:
            self.leave(frame)

    def enter(self) -> Frame:
        """Return a frame in which nothing runs, to be left again; it is watched from here on."""
        try:
            frame: Frame = self.local.frame
        except AttributeError:
            frame = self._join()
        if frame.running is not None:
            if frame.inner is None:
                frame.inner = Frame(frame.thread, frame)
            frame = self.local.frame = frame.inner
        return frame

    def leave(self, frame: Frame) -> None:
        """Leave a frame that was entered."""
        frame.running = None
        if frame.outer is not None:
            self.local.frame = frame.outer

    def strike(self, at: FrameType | None) -> None:
        """Raise `TimeBudgetExceeded` if something in the calling thread is past its budget."""
        frame = getattr(self.local, "frame", None)
        if frame is not None:
            cutting.strike(frame.thread, at)

    def _join(self) -> Frame:
        if threading.current_thread() is threading.main_thread():
            cutting.listen_to_signal(self)
        with self._lock:
            if self._thread is None:
                self._start()
        thread = ThreadState()
        self._registry[next(self._serials)] = thread
        self.local.frame = thread.base
        return thread.base

    def _start(self) -> None:
        if not self._survives_fork:
            _renew_after_fork(self)
            self._survives_fork = True
        self._thread = threading.Thread(target=self._watch, name="pagoda-watchdog", daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        interval = IDLE_SECONDS
        while not self._stopping.wait(interval):
            interval = self._look(time.monotonic())

    def _look(self, now: float) -> float:
        """Look at every thread once, cut off what is past its budget, and return when to look again."""
        states = [state for ref in self._registry.valuerefs() if (state := ref()) is not None]
        pauses = [self._look_at(state, now) for state in states]
        pause = min(pauses, default=IDLE_SECONDS)
        if self._watched and pause > OVERDUE_SECONDS:
            self._watch_codes(set())
        return pause

    def _look_at(self, state: ThreadState, now: float) -> float:
        pause = IDLE_SECONDS
        for frame in state.busy():
            mark = frame.watch(now)
            if mark is not None and now >= mark.deadline:
                self._knock(state, mark)
                return OVERDUE_SECONDS
            what = frame.what()
            if what is not None:
                pause = max(OVERDUE_SECONDS * 1.01, min(pause, BUSY_SECONDS, what.seconds / 2))
        return pause

    def _knock(self, state: ThreadState, mark: Mark) -> None:
        was_expired, mark.knocks = mark.expired, mark.knocks + 1
        query = state.query
        if query is not None and query.stop():
            return
        if was_expired and state.ident == threading.main_thread().ident:
            signal.pthread_kill(state.ident, cutting.CUT_SIGNAL)
        self._watch_codes(self._watched | cutting.codes_to_cut(state.ident))

    def _watch_codes(self, codes: set[CodeType]) -> None:
        if self._tool is None:
            self._tool = cutting.listen_to_events(self)
        if self._tool is None:
            self._complain_once()
            return
        cutting.watch_events(self._tool, self._watched - codes, on=False)
        cutting.watch_events(self._tool, codes - self._watched, on=True)
        self._watched = codes

    def _complain_once(self) -> None:
        if not self._has_complained:
            self._has_complained = True
            log.error("hook_not_cut_off", reason="no monitoring tool number is free in this process")

    def _forked(self) -> None:
        # Whatever another thread held at the fork stays held in the child for ever.
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = None
        self._watched = set()
        frame = getattr(self.local, "frame", None)
        if frame is not None and not any(frame.thread.busy()):
            del self.local.frame  # the next one joins, and so starts the watchdog


def _renew_after_fork(budget: TimeBudget) -> None:
    ref = weakref.ref(budget)

    def forked() -> None:
        survivor = ref()
        if survivor is not None:
            survivor._forked()  # noqa: SLF001 - of this module

    os.register_at_fork(after_in_child=forked)
