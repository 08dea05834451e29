"""The API of `pagoda-plugin dev`, which the process that stands by forks; see `standby` for its side."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
import time

POLL_SECONDS = 0.02
LONGEST_SECONDS = 60.0
"""For the host to be loaded."""


class ForkedApi:
    """A process that another one has forked and reaps, with what is used of ``subprocess.Popen``."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def poll(self) -> int | None:
        """Return None while it runs; how it ended is not known."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return 0
        return None

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end.

        Raises:
            subprocess.TimeoutExpired: it runs on after so many seconds.
        """
        began = time.monotonic()
        while self.poll() is None:
            if timeout is not None and time.monotonic() - began >= timeout:
                raise subprocess.TimeoutExpired("api", timeout)
            time.sleep(POLL_SECONDS)
        return 0


class Channel:
    """Our end of the socket that is the input of the process that stands by."""

    def __init__(self) -> None:
        self._ours, self.theirs = socket.socketpair()
        self._ours.settimeout(LONGEST_SECONDS)

    def fork(self, listener: socket.socket, figures: tempfile.TemporaryDirectory[str]) -> ForkedApi | None:
        """Have an API forked that serves `listener`, once the host is loaded; None: that failed."""
        try:
            socket.send_fds(self._ours, [figures.name.encode()], [listener.fileno()])
            told = self._ours.recv(32)
        except OSError:
            return None
        return ForkedApi(int(told)) if told else None

    def close(self) -> None:
        """Close it: who stands by ends."""
        self._ours.close()
