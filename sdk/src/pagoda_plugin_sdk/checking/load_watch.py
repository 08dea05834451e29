"""Watch what loading a plugin does to the process: it is put back, and named as a fault of that plugin.

Loading is meant to define things. A thread or child process that it starts, a signal handler that it sets or
a folder that it changes into is the whole host's, in every process and every command.
"""

from __future__ import annotations

import gc
import locale
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

AGAIN_SECONDS = 1.0
"""A load that swallows the end of its time is ended again after this."""


SIGNALS = (
    *(signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGCHLD, signal.SIGPIPE),
    *(signal.SIGUSR1, signal.SIGUSR2, signal.SIGURG),
)
"""Those that the host, gunicorn and Celery use: all 64 would be a third of what a plugin may cost."""

REMEDY = "Do such things in a task, or when they are first needed."


class LoadTimeExceeded(BaseException):
    """Loading a plugin took longer than PLUGIN_LOAD_TIMEOUT_SECONDS; no `except Exception` holds it up."""


class ExitCalled(BaseException):
    """A plugin calls `os._exit` while it is loaded, which would end the host without a word."""


@contextmanager
def watched_load(seconds: float, what: str, report: Callable[[str], object]) -> Iterator[None]:
    """Run the load inside the block, `seconds` at most, and report a sentence on what it did to the process.

    `what` is the beginning of that sentence: what is loaded.

    The time is kept in the main thread alone: only there a signal can end what waits in the system.

    Raises:
        LoadTimeExceeded: it took longer.
        ExitCalled: it called `os._exit`.
    """
    before = {name: read() for name, (read, _) in _PROCESS.items()}
    threads, children = set(threading.enumerate()), _children()
    owner = os.getpid()
    try:
        with _time_limit(seconds), _exit_refused(owner):
            yield
    finally:
        if os.getpid() != owner:
            os._exit(0)  # a fork of the load's that would go on as a second host
        found = [*_changed(before), *_threads(threads), *_processes(children)]
        if found:
            report(f"{what} changes the process: {'; '.join(found)}. {REMEDY}")


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(_signal: int, _frame: FrameType | None) -> None:
        raise LoadTimeExceeded(f"it took longer than {seconds:g} s (PLUGIN_LOAD_TIMEOUT_SECONDS)")

    replaced = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, replaced)


@contextmanager
def _exit_refused(owner: int) -> Iterator[None]:
    exit_now = os._exit

    def refuse(status: int) -> None:
        if os.getpid() != owner:
            exit_now(status)  # children end themselves so
        raise ExitCalled(f"os._exit({status!r}) is called")

    os._exit = refuse  # type: ignore[assignment]  # it returns in no case, as the original
    try:
        yield
    finally:
        os._exit = exit_now


def _handlers() -> dict[int, Any]:
    """Return the handlers of the signals that processes live by; none outside of the main thread."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    return {number: signal.getsignal(number) for number in SIGNALS}


def _set_handlers(handlers: dict[int, Any]) -> None:
    for number, handler in handlers.items():
        if handler is not None and signal.getsignal(number) is not handler:
            signal.signal(number, handler)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _disabled() -> frozenset[str]:
    loggers = logging.getLogger().manager.loggerDict.items()
    return frozenset(name for name, one in loggers if isinstance(one, logging.Logger) and one.disabled)


def _enable(kept: frozenset[str]) -> None:
    for name in _disabled() - kept:
        logging.getLogger(name).disabled = False


def _root_logger() -> tuple[int, int, tuple[logging.Handler, ...]]:
    root = logging.getLogger()
    return root.level, root.manager.disable, tuple(root.handlers)


def _set_root_logger(kept: tuple[int, int, tuple[logging.Handler, ...]]) -> None:
    root = logging.getLogger()
    root.setLevel(kept[0])
    root.manager.disable = kept[1]
    root.handlers[:] = kept[2]


def _set_hook(hook: Any) -> None:
    sys.excepthook = hook


def _set_collecting(*, is_on: bool) -> None:
    (gc.enable if is_on else gc.disable)()


_PROCESS: dict[str, tuple[Callable[[], Any], Callable[[Any], object]]] = {
    "the working folder": (os.getcwd, os.chdir),
    "the umask": (_umask, os.umask),
    "the locale": (
        lambda: locale.setlocale(locale.LC_ALL),
        lambda kept: locale.setlocale(locale.LC_ALL, kept),
    ),
    "the recursion limit": (sys.getrecursionlimit, sys.setrecursionlimit),
    "handlers of signals": (_handlers, _set_handlers),
    "the root logger": (_root_logger, _set_root_logger),
    "the loggers of others": (_disabled, _enable),
    "the default time-out of sockets": (socket.getdefaulttimeout, socket.setdefaulttimeout),
    "sys.excepthook": (lambda: sys.excepthook, _set_hook),
    "the garbage collector": (gc.isenabled, lambda kept: _set_collecting(is_on=kept)),
}
"""``{what: (read it, put it back)}``: what belongs to the process, and so to the host."""


def _changed(before: dict[str, Any]) -> Iterator[str]:
    """Put back what the load changed, and yield a clause for each."""
    for name, (read, put_back) in _PROCESS.items():
        try:
            is_changed = read() != before[name]
        except OSError:  # the folder it changed into is gone
            is_changed = True
        if is_changed:
            put_back(before[name])
            yield f"it changes {name} of the process, which was put back"


def _threads(before: set[threading.Thread]) -> Iterator[str]:
    """Yield a clause for each thread that would keep the process from ending; daemon threads don't."""
    for thread in threading.enumerate():
        if thread not in before and not thread.daemon:
            yield f"it starts the thread {thread.name!r}, which keeps processes from ending"


def _processes(before: set[int]) -> Iterator[str]:
    """End the child processes that the load left behind, and yield a clause for each."""
    for pid in sorted(_children() - before):
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        if "multiprocessing.resource_tracker" in command:
            continue  # Python's own, it ends with us
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        yield f"it leaves the process {command.strip()[:100]!r} behind, which was ended"


def _children() -> set[int]:
    """Return this process's children that live; nothing is read when it has none, as nearly always."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return set()
    return {int(path.parent.name) for path in Path("/proc").glob("[0-9]*/stat") if _is_living_child(path)}


def _is_living_child(stat: Path) -> bool:
    try:
        state, parent = stat.read_text().rpartition(")")[2].split()[:2]
    except OSError:  # gone meanwhile
        return False
    return state != "Z" and int(parent) == os.getpid()
