"""A process that has loaded the host, and forks the APIs of `pagoda-plugin dev`, one for each edit.

Its input is a socket. Each message there is the folder for an API's figures, and brings the socket that the
API is to serve, on which requests wait while one takes another's place; the answer is the API's process id.
The fork loads the plugins and serves; nothing of them is read before.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from contextlib import suppress
from importlib import import_module
from pkgutil import iter_modules

SOCKET = 3
"""Where a server finds the first socket that it was started with, as systemd has it."""

LONGEST = 4096
"""Of a path, in bytes."""

# What Django imports late, at its first request or its first look at migrations
IMPORTED = (
    "django.db.migrations.autodetector",
    "django.test.client",
    "docutils.core",
    "jinja2",
    "psycopg",
    "sentry_sdk.integrations.django",
)
# What the URLs and what is around them are made of; `pagoda_api.urls` itself asks for the plugins
PACKAGES = ("pagoda_api.resources", "pagoda_api.console")
MODULES = (
    "django.contrib.auth.urls",
    "pagoda.health.waiting",
    "pagoda.jobs.starting",
    "pagoda_api.conditional",
    "pagoda_api.endpoint_fence",
    "pagoda_api.middleware",
    "pagoda_api.openapi",
    "pagoda_api.overrides",
    "pagoda_api.own_password",
    "pagoda_api.plugin_routes",
    "pagoda_api.watching",
    "pagoda_plugin_sdk.api",
    "whitenoise.middleware",
)


def main() -> None:
    """Begin as the API does, and wait where the plugins would be loaded."""
    sys.dont_write_bytecode = False  # of what is loaded here, which nobody edits
    for name in IMPORTED:
        with suppress(ImportError):  # some are optional
            import_module(name)
    import_module("pagoda.plugins.boot").before_plugins.append(wait)
    sys.argv = ["pagoda-api", "serve"]
    import_module("pagoda_api.cli").run()


def wait() -> None:
    """Import what serves requests, and fork at each message; returns in the forks alone."""
    for package in PACKAGES:
        for found in iter_modules(import_module(package).__path__, f"{package}."):
            import_module(found.name)
    for name in MODULES:
        import_module(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nothing is left of forks that ended
    channel = socket.socket(fileno=sys.stdin.fileno())
    while (told := socket.recv_fds(channel, LONGEST, 1))[0]:
        if (pid := os.fork()) == 0:
            _begin(told[0].decode(), told[1][0])
            channel.detach()
            return
        os.close(told[1][0])
        channel.sendall(str(pid).encode())
    sys.exit()  # who would send is gone


def _begin(figures: str, descriptor: int) -> None:
    """Be as a process that was started to serve: of a session of its own, and tied to its parent."""
    os.setsid()
    sys.dont_write_bytecode = True  # like the other processes, see `development`
    import_module("pagoda_worker.tether").die_with_parent()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.dup2(descriptor, SOCKET)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, sys.stdin.fileno())
    os.environ |= {
        "LISTEN_FDS": "1",
        "LISTEN_PID": str(os.getpid()),
        "PROMETHEUS_MULTIPROC_DIR": figures,
    }


if __name__ == "__main__":
    main()
