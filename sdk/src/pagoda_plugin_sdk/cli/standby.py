"""A process that has imported what takes long, and waits to become the API of `pagoda-plugin dev`.

``python -m pagoda_plugin_sdk.cli.standby DESCRIPTOR``: the descriptor is the socket that it is to serve. It
outlives the process, so that a request waits there while one API takes another's place. A line on its input
starts it.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from importlib import import_module

SOCKET = 3
"""Where a server finds the first socket that it was started with, as systemd has it."""

# What needs no Django that is set up, and is no plugin's: half of what a start costs.
IMPORTED = (
    "pagoda_api.cli",
    "celery.worker.worker",
    "django.contrib.admin",
    "django.db.migrations.autodetector",
    "django.test.client",
    "docutils.core",
    "jinja2",
    "psycopg",
    "rest_framework.renderers",
    "rest_framework.serializers",
    "sentry_sdk.integrations.django",
)


def main(descriptor: int) -> None:
    """Import, wait for a line, and serve; end when there is none, as who would write it is gone."""
    os.dup2(descriptor, SOCKET)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pagoda_api.settings")
    for name in IMPORTED:
        with suppress(ImportError):  # some are optional
            import_module(name)
    if sys.stdin.readline():
        os.environ |= {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())}
        sys.argv = ["pagoda-api", "serve"]
        import_module("pagoda_api.cli").run()


if __name__ == "__main__":
    main(int(sys.argv[1]))
