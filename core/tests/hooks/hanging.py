"""Code that never ends by itself, and where to run it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from typing import Any

LONG = 60.0
CUT_OFF = "cut off: it ran longer than its time budget of 0.1 s"


def spin(*_args: Any) -> None:
    while True:
        pass


def spin_and_catch_errors(*_args: Any) -> None:
    while True:
        try:  # noqa: SIM105 - what a careless plugin does
            int("x")
        except Exception:  # noqa: BLE001
            pass


def spin_in_another_function(*_args: Any) -> None:
    def count() -> None:
        number = 0
        while True:
            number += 1

    count()


def spin_over_library_code(*_args: Any) -> None:
    while True:
        sorted(str(number) for number in range(100))


def spin_in_a_comprehension(*_args: Any) -> None:
    [None for _ in iter(int, 1)]


def sleep(*_args: Any) -> None:
    time.sleep(LONG)


def receive(*_args: Any) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.recv(1)


def wait_for_a_lock(*_args: Any) -> None:
    threading.Event().wait(LONG)


SPINNING = [
    spin,
    spin_and_catch_errors,
    spin_in_another_function,
    spin_over_library_code,
    spin_in_a_comprehension,
]
WAITING = [sleep, receive, wait_for_a_lock]


def in_thread(function: Callable[[], Any]) -> None:
    failures: list[BaseException] = []

    def run() -> None:
        try:
            function()
        except BaseException as error:  # noqa: BLE001  # passed on below
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
