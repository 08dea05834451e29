"""What no fence holds up."""

from __future__ import annotations

import signal
import threading
from types import FrameType


class HostInterrupt(BaseException):
    """Raised by a host process into whatever runs, plugin code too: no fence holds it up."""


class OperatorInterrupt(HostInterrupt, KeyboardInterrupt):
    """Ctrl-C, in a process that has no handler of its own for it."""


def tell_interrupts_apart() -> None:
    """Let Ctrl-C raise `OperatorInterrupt` from now on: a bare `KeyboardInterrupt` is a plugin's then."""
    is_main = threading.current_thread() is threading.main_thread()  # the only one that may
    if is_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise OperatorInterrupt


def is_host_interrupt(error: BaseException) -> bool:
    """Return whether the host itself is interrupted: no fence holds that up.

    Where a handler for Ctrl-C is installed, ours or a server's, a bare KeyboardInterrupt is one that a plugin
    has raised.
    """
    if isinstance(error, KeyboardInterrupt) and not isinstance(error, HostInterrupt):
        return signal.getsignal(signal.SIGINT) is signal.default_int_handler
    return isinstance(error, HostInterrupt)
