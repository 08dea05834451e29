"""The time budget of handlers, kept by one thread per process that looks at all others now and then."""

from __future__ import annotations

import enum
import os
import signal
import threading
import time
import weakref
from types import CodeType, FrameType

import structlog

from pagoda.hooks import cutting
from pagoda.hooks.threads import ASLEEP, IDLE, Mark, Threads, ThreadState

log = structlog.get_logger(__name__)


class _Sight(enum.IntEnum):
    """What a look at all threads finds, the worst of it."""

    NOTHING = 0
    RUNNING = 1  # a handler, within its budget
    OVERDUE = 2  # a handler that is being cut off


class Watchdog:
    """Cuts off handlers that run longer than `timeout_seconds`, within 0.5 s after that.

    It starts with the first dispatch of a process, and anew after a fork. A handler costs nothing but the
    store of its number (`pagoda.hooks.threads`): the watchdog replaces the number by a mark, and what still
    bears the mark at the deadline is cut off.
    """

    def __init__(self, timeout_seconds: float) -> None:
        self.timeout_seconds = timeout_seconds
        self._registry: weakref.WeakValueDictionary[int, ThreadState] = weakref.WeakValueDictionary()
        self.threads = Threads(self._registry)
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._tool: int | None = None
        self._watched: set[CodeType] = set()
        self._survives_fork = False
        self._has_complained = False
        self._intervals = {
            _Sight.NOTHING: min(0.25, timeout_seconds),
            _Sight.RUNNING: min(0.1, timeout_seconds / 2),
            _Sight.OVERDUE: 0.02,
        }

    def watch(self) -> None:
        """Watch the calling thread, if that is not done yet."""
        try:
            slot = self.threads.local.slot
        except AttributeError:
            slot = self.threads.state.frames[0].slot
        if slot[0] == ASLEEP:
            self.wake()

    def wake(self) -> None:
        """Watch the calling thread, whose slot is asleep; start the watchdog's thread where none runs."""
        if threading.current_thread() is threading.main_thread():
            cutting.listen_to_signal(self)
        with self._lock:
            if self._thread is None:
                self._start()
        frame = self.threads.state.frames[0]
        if frame.slot == [ASLEEP]:
            frame.slot[0] = IDLE

    def begin(self, timeout_seconds: float) -> int:
        """Watch what the calling thread does from here on; return the depth to `threads.leave` to."""
        self.watch()
        return self.threads.begin(timeout_seconds)

    def stop(self) -> None:
        """End the watchdog's thread; nothing is cut off any more."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def strike(self, at: FrameType | None) -> None:
        """Raise `HookTimeout` if a handler of the calling thread is past its budget."""
        cutting.strike(self.threads.state, at, self.timeout_seconds)

    def _start(self) -> None:
        if not self._survives_fork:
            _wake_after_fork(self)
            self._survives_fork = True
        self._thread = threading.Thread(target=self._watch, name="pagoda-hook-watchdog", daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        interval = self._intervals[_Sight.NOTHING]
        while not self._stopping.wait(interval):
            interval = self._intervals[self._look(time.monotonic())]

    def _look(self, now: float) -> _Sight:
        """Look at every thread once, and cut off what is past its budget."""
        states = [state for ref in self._registry.valuerefs() if (state := ref()) is not None]
        sights = [self._look_at(state, now) for state in states]
        sight = max(sights, default=_Sight.NOTHING)
        if self._watched and sight is not _Sight.OVERDUE:
            self._watch_codes(set())
        return sight

    def _look_at(self, state: ThreadState, now: float) -> _Sight:
        sight = _Sight.NOTHING
        for frame in tuple(state.frames):
            mark = frame.watch(now + (frame.timeout_seconds or self.timeout_seconds))
            if mark is not None and now >= mark.deadline:
                self._knock(state, mark)
                return _Sight.OVERDUE
            if frame.runs_handler():
                sight = _Sight.RUNNING
        return sight

    def _knock(self, state: ThreadState, mark: Mark) -> None:
        was_expired, mark.expired = mark.expired, True
        query = state.query
        if query is not None and query.stop():
            return
        if was_expired and state.ident == threading.main_thread().ident:
            signal.pthread_kill(state.ident, cutting.CUT_SIGNAL)
        self._watch_codes(self._watched | cutting.handler_codes(state.ident))

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
        base = self.threads.state.frames[0]
        if base.slot == [IDLE]:
            base.slot[0] = ASLEEP


def _wake_after_fork(watchdog: Watchdog) -> None:
    ref = weakref.ref(watchdog)

    def forked() -> None:
        survivor = ref()
        if survivor is not None:
            survivor._forked()

    os.register_at_fork(after_in_child=forked)
