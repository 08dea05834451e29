"""Run `pagoda` in forks of a process that has imported the libraries, each for a line of JSON on its input.

Most of what a command costs is the import of what others wrote. Our own modules and Django's settings are
imported by each fork anew, and it ends as an interpreter does.
"""

import json
import os
import runpy
import sys
from importlib import import_module

LIBRARIES = (
    "celery.app",
    "click",
    "django.core.management",
    "django.db.backends.sqlite3.base",
    "django.db.models",
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
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            become(**json.loads(line))
            runpy.run_module("pagoda.cli", run_name="__main__", alter_sys=True)
            return
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


main()
