"""Run `pagoda` in forks of a process that has imported the libraries, each for a line of JSON on its input.

Most of what a command costs is the import of what others wrote. Our own modules and Django's settings are
imported by each fork anew, and it ends as an interpreter does.
"""

import gc
import json
import os
import runpy
import sys
from importlib import import_module

LIBRARIES = (
    "celery.app",
    "celery.app.amqp",
    "celery.app.control",
    "celery.events",
    "celery.fixups.django",
    "celery.worker",
    "click",
    "django.contrib.admin",
    "django.contrib.auth.hashers",
    "django.contrib.auth.password_validation",
    "django.contrib.messages.storage.fallback",
    "django.contrib.sessions.backends.db",
    "django.core.management.commands.migrate",
    "django.db.backends.sqlite3.base",
    "django.db.models",
    "django.views.defaults",
    "ijson.backends.python",
    "kombu.transport.filesystem",
    "openpyxl",
    "packaging.requirements",
    "pydantic_settings",
    "rich.traceback",
    "sentry_sdk",
    "structlog",
)


def become(environment: dict[str, str], folder: str, arguments: list[str], outputs: list[str]) -> None:
    """Turn into a process that was started with these."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    for number, path in enumerate((os.devnull, *outputs)):
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT), number)
    sys.path[0] = folder
    sys.dont_write_bytecode = "PYTHONDONTWRITEBYTECODE" in environment
    sys.argv = ["pagoda", *arguments]


def main() -> None:
    for name in LIBRARIES:
        import_module(name)
    gc.freeze()  # no fork looks through what all of them share
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            become(**json.loads(line))
            runpy.run_module("pagoda.cli", run_name="__main__", alter_sys=True)
            return
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


main()
