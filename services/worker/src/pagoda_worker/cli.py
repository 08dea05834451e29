"""`pagoda-worker`: the worker processes."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from pagoda_worker.app import Host

EX_OK = 0
EX_DEAD = 1
EX_NOT_READY = 1
EX_CONFIG = 2

ALIVE_FILE = "alive"
"""In PAGODA_DATA_DIR: what a container's health check looks at."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status (1: what it waits for did not come, 2: configuration)."""
    arguments = _parser().parse_args(argv)
    command: Callable[[argparse.Namespace], int] = arguments.command
    return command(arguments)


def _reports_faults(command: Callable[[argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
    """Have a command that needs the host tell what keeps it from starting, in words."""

    @wraps(command)
    def run(arguments: argparse.Namespace) -> int:
        from django.core.exceptions import ImproperlyConfigured  # late: the probe loads nothing of the host

        from pagoda.errors import NotReady
        from pagoda_plugin_sdk.exceptions import PagodaError

        try:
            return command(arguments)
        except (PagodaError, ImproperlyConfigured) as error:
            print(f"pagoda-worker: {error}", file=sys.stderr)
            return EX_NOT_READY if isinstance(error, NotReady) else EX_CONFIG

    return run


@_reports_faults
def _run(arguments: argparse.Namespace) -> int:
    from pagoda_worker import app, targets

    host = app.start("worker")
    target = host.target(arguments.plugin or targets.CORE)
    host.wait_for_database()
    from pagoda_worker.serving import serve  # the host's models exist only now

    return serve(host, target, concurrency=arguments.concurrency, alive_file=_alive_file(arguments, host))


@_reports_faults
def _dispatch(arguments: argparse.Namespace) -> int:
    from pagoda_worker import app

    host = app.start("dispatcher")
    host.wait_for_database()
    from pagoda_worker.dispatching import dispatch  # as above

    return dispatch(host, alive_file=_alive_file(arguments, host))


@_reports_faults
def _up(arguments: argparse.Namespace) -> int:
    from pagoda_worker import app
    from pagoda_worker.fleet import run_fleet

    host = app.start("supervisor")
    host.wait_for_database()
    return run_fleet(host, alive_file=_alive_file(arguments, host))


def _alive_file(arguments: argparse.Namespace, host: Host) -> Path:
    given: Path | None = arguments.alive_file
    return given or host.settings.pagoda_data_dir / ALIVE_FILE


@_reports_faults
def _flower(arguments: argparse.Namespace) -> int:
    from pagoda_worker import app, flower

    host = app.start("flower")
    return flower.serve(host.celery, host.settings, bind=arguments.bind)


def _alive(arguments: argparse.Namespace) -> int:
    from pagoda_worker.liveness import age_of

    age = age_of(arguments.file)
    if age is not None and age <= arguments.max_age:
        return EX_OK
    found = "is not there" if age is None else f"was touched {age:.0f} s ago"
    print(
        f"pagoda-worker: {arguments.file} {found}, expected within {arguments.max_age:g} s", file=sys.stderr
    )
    return EX_DEAD


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="pagoda-worker", description="The worker processes of Pagoda.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="serve the jobs of one queue")
    which = run.add_mutually_exclusive_group(required=True)
    which.add_argument("--plugin", metavar="NAME", help="a plugin's, by its id or entry-point name")
    which.add_argument("--core", action="store_true", help="the host's own")
    run.add_argument(
        "--concurrency", type=_positive, metavar="N", help="jobs at once, by default as configured"
    )
    _takes_alive_file(run)
    run.set_defaults(command=_run)
    dispatch = commands.add_parser("dispatch", help="publish, re-queue and schedule jobs; several may run")
    _takes_alive_file(dispatch)
    dispatch.set_defaults(command=_dispatch)
    up = commands.add_parser("up", help="dispatcher, core worker and a worker per plugin, kept running")
    _takes_alive_file(up)
    up.set_defaults(command=_up)
    flower = commands.add_parser("flower", help="serve Flower: login, read-only")
    flower.add_argument("--bind", metavar="HOST:PORT", help="by default FLOWER_BIND")
    flower.set_defaults(command=_flower)
    alive = commands.add_parser("alive", help="exit 0 if a process touched its file lately, for probes")
    alive.add_argument("file", type=Path)
    alive.add_argument("--max-age", type=float, default=60.0, metavar="SECONDS")
    alive.set_defaults(command=_alive)
    return parser


def _takes_alive_file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--alive-file",
        type=Path,
        metavar="FILE",
        help="touched again and again while the process is well, by default DATA_DIR/alive",
    )


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is no number of processes; give 1 or more")
    return number


def run() -> NoReturn:
    """Run the command line in a process of its own."""
    from pagoda.config.ending import run_and_end  # late: the probe loads nothing of the host

    run_and_end(main)


if __name__ == "__main__":
    run()
