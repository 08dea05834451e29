"""What a plugin does to the process while it is loaded is put back and told; the plugin is active."""

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
from pathlib import Path
from typing import Any

import psutil
import pytest

from pagoda.plugins.boot import PluginBootError
from pagoda_plugin_sdk.checking.load_watch import ExitCalled, LoadTimeExceeded, watched_load

PLUGIN = """
from pagoda_plugin_sdk import Plugin

class ThePlugin(Plugin):
    id = "bad"
    name = "A bad plugin"
"""

FAULTS = {
    "thread": (
        """
import threading
stop = threading.Event()
feeder = threading.Thread(target=stop.wait, name='feeder')
feeder.stop = stop
feeder.start()
""",
        "it starts the thread 'feeder', which keeps processes from ending",
    ),
    "process": (
        """
import os, sys
command = [sys.executable, '-c', 'import time; time.sleep(600)']
os.posix_spawn(sys.executable, command, os.environ)
""",
        "time.sleep(600)' behind, which was ended",
    ),
    "forked process": (
        """
import os, time
if not os.fork():
    time.sleep(600)
""",
        "behind, which was ended",
    ),
    "working folder": ("import os\nos.chdir('/')\n", "it changes the working folder of the process"),
    "umask": ("import os\nos.umask(0)\n", "it changes the umask of"),
    "locale": ("import locale\nlocale.setlocale(locale.LC_ALL, 'C')\n", "it changes the locale of"),
    "recursion": ("import sys\nsys.setrecursionlimit(99_999)\n", "it changes the recursion limit of"),
    "signals": (
        "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n",
        "it changes handlers of signals of",
    ),
    "alarm": ("import signal\nsignal.alarm(1)\n", None),
    "root logger": (
        """
import logging
logging.getLogger().setLevel(1)
logging.getLogger().addHandler(logging.NullHandler())
""",
        "it changes the root logger of",
    ),
    "logging of others": (
        """
import logging.config
logging.config.dictConfig({'version': 1, 'disable_existing_loggers': True})
""",
        "it changes the loggers of others of",
    ),
    "sockets": ("import socket\nsocket.setdefaulttimeout(1)\n", "the default time-out of sockets"),
    "excepthook": ("import sys\nsys.excepthook = print\n", "it changes sys.excepthook of"),
    "collector": ("import gc\ngc.disable()\n", "it changes the garbage collector of"),
}


def state() -> list[Any]:
    root = logging.getLogger()
    return [
        Path.cwd(),
        locale.setlocale(locale.LC_ALL),
        sys.getrecursionlimit(),
        signal.getsignal(signal.SIGTERM),
        signal.getsignal(signal.SIGALRM),
        signal.getitimer(signal.ITIMER_REAL),
        root.level,
        list(root.handlers),
        logging.getLogger("django").disabled,
        socket.getdefaulttimeout(),
        sys.excepthook,
        gc.isenabled(),
    ]


@pytest.fixture(autouse=True)
def _locale() -> Iterator[None]:
    """Start from a locale that is not the one which the plugin sets."""
    before = locale.setlocale(locale.LC_ALL)
    locale.setlocale(locale.LC_CTYPE, "C.UTF-8")
    yield
    locale.setlocale(locale.LC_ALL, before)


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    """End what would keep this process from ending, too."""
    yield
    for thread in threading.enumerate():
        if (stop := getattr(thread, "stop", None)) is not None:
            stop.set()
            thread.join()


@pytest.mark.parametrize(("source", "fault"), FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("place", ["import", "ready"])
def test_what_loading_does_to_the_process_is_put_back_and_told(
    place: str, source: str, fault: str | None, packages: Any, start: Callable[..., Any]
) -> None:
    if place == "import":
        packages.install("bad", source + PLUGIN)
    else:
        lines = "".join(f"        {line}\n" for line in source.splitlines())
        app = (
            "from django.apps import AppConfig\nclass Config(AppConfig):\n    name = 'generated_bad'\n"
            f"    def ready(self):\n{lines}"
        )
        packages.install("bad", PLUGIN + "    django_apps = ['generated_bad']\n", modules={"apps.py": app})
    before, children = state(), psutil.Process().children()

    started = start("bad")

    assert state() == before
    record = started.registry.get("bad")
    assert record.is_active
    faults = [(found.code, found.text) for found in record.faults]
    if fault is None:
        assert faults == []
    else:
        ((code, text),) = faults
        assert code == "side_effects"
        assert text.startswith("Loading it changes the process: ")
        assert fault in text
        assert text.endswith("Do such things in a task, or when they are first needed.")
    assert psutil.Process().children() == children  # zombies are some too


def test_strict_mode_stops(packages: Any, start: Callable[..., Any]) -> None:
    packages.install("bad", "import os\nos.chdir('/')\n" + PLUGIN)

    with pytest.raises(PluginBootError, match="it changes the working folder"):
        start("bad", pagoda_plugin_strict=True)


def test_a_daemon_thread_keeps_nothing_and_is_no_fault(packages: Any, start: Callable[..., Any]) -> None:
    source = FAULTS["thread"][0].replace("name='feeder'", "name='feeder', daemon=True")
    packages.install("bad", source + PLUGIN)

    assert start("bad").registry.get("bad").faults == []


def test_the_child_of_a_fork_never_goes_on_as_a_second_host() -> None:
    read, write = os.pipe()
    status = None
    with watched_load(5, "It", lambda _text: None):
        if child := os.fork():
            status = os.waitpid(child, 0)[1]  # in here: behind the block children that live are killed
    os.write(write, b"x")  # the child has ended before it came here

    assert os.read(read, 10) == b"x"
    assert status == 0
    os.close(read)
    os.close(write)


def test_time_is_kept_in_the_main_thread_alone() -> None:
    done = []

    def load() -> None:
        with watched_load(0.01, "It", lambda _text: None):
            threading.Event().wait(0.1)
        done.append(True)

    thread = threading.Thread(target=load)
    thread.start()
    thread.join()
    assert done == [True]
    with pytest.raises(LoadTimeExceeded), watched_load(0.01, "It", lambda _text: None):
        threading.Event().wait(60)


def test_exit_is_refused_in_the_block_alone() -> None:
    before = os._exit
    with pytest.raises(ExitCalled), watched_load(5, "It", lambda _text: None):
        os._exit(3)
    assert os._exit is before
