"""A process that has loaded the host, and waits to become the API of `pagoda-plugin dev`.

``python -m pagoda_plugin_sdk.cli.standby DESCRIPTOR``: the descriptor is the socket that it is to serve. It
outlives the process, so that a request waits there while one API takes another's place. A line on its input
has it load the plugins and serve; nothing of them is read before.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from importlib import import_module
from pkgutil import iter_modules

SOCKET = 3
"""Where a server finds the first socket that it was started with, as systemd has it."""

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


def main(descriptor: int) -> None:
    """Become the API, which waits where the plugins would be loaded."""
    os.dup2(descriptor, SOCKET)
    os.environ |= {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())}
    for name in IMPORTED:
        with suppress(ImportError):  # some are optional
            import_module(name)
    import_module("pagoda.plugins.boot").before_plugins.append(wait)
    sys.argv = ["pagoda-api", "serve"]
    import_module("pagoda_api.cli").run()


def wait() -> None:
    """Import what serves requests, and wait for a line; without one, who would write it is gone: end."""
    for package in PACKAGES:
        for found in iter_modules(import_module(package).__path__, f"{package}."):
            import_module(found.name)
    for name in MODULES:
        import_module(name)
    if not sys.stdin.readline():
        sys.exit()


if __name__ == "__main__":
    main(int(sys.argv[1]))
