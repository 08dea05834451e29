"""`pagoda-worker`: the worker processes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import NoReturn

import click

from pagoda_worker.liveness import age_of

EX_OK = 0
EX_DEAD = 1

takes_alive_file = click.option(
    "--alive-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Touched again and again while the process is well; by default DATA_DIR/alive.",
)


@click.group(context_settings={"max_content_width": 110})
def pagoda_worker() -> None:
    """Run the worker processes of Pagoda."""


@pagoda_worker.command(name="run")
@click.option("--plugin", metavar="NAME", help="A plugin's, by its id or entry-point name.")
@click.option("--core", is_flag=True, help="The host's own.")
@click.option("--concurrency", type=click.IntRange(min=1), metavar="N", help="Jobs at once.")
@takes_alive_file
def run_worker(*, plugin: str | None, core: bool, concurrency: int | None, alive_file: Path | None) -> int:
    """Serve the jobs of one queue."""
    if (plugin is not None) == core:
        raise click.UsageError("Give either --plugin NAME or --core.")
    return int(_commands().run(plugin=plugin, concurrency=concurrency, alive_file=alive_file))


@pagoda_worker.command()
@takes_alive_file
def dispatch(*, alive_file: Path | None) -> int:
    """Publish, re-queue and schedule jobs; several may run."""
    return int(_commands().dispatch(alive_file=alive_file))


@pagoda_worker.command()
@takes_alive_file
def up(*, alive_file: Path | None) -> int:
    """Keep dispatcher, core worker and a worker per plugin running."""
    return int(_commands().up(alive_file=alive_file))


@pagoda_worker.command()
@click.option("--bind", metavar="HOST:PORT", help="By default FLOWER_BIND.")
def flower(*, bind: str | None) -> int:
    """Serve Flower: login, read-only."""
    return int(_commands().flower(bind=bind))


@pagoda_worker.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--max-age", type=click.FloatRange(min=0), default=60.0, show_default=True, metavar="SECONDS")
def alive(*, file: Path, max_age: float) -> int:
    """Exit 0 if a process touched its file lately; for probes."""
    age = age_of(file)
    if age is not None and age <= max_age:
        return EX_OK
    found = "is not there" if age is None else f"was touched {age:.0f} s ago"
    click.echo(f"pagoda-worker: {file} {found}, expected within {max_age:g} s", err=True)
    return EX_DEAD


def _commands() -> ModuleType:
    from pagoda_worker import commands  # late: the probe loads nothing of the host

    return commands


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status (1: what it waits for did not come, 2: configuration)."""
    try:
        return int(pagoda_worker.main(argv, prog_name="pagoda-worker", standalone_mode=False) or 0)
    except click.ClickException as error:
        error.show()
        return error.exit_code


def run() -> NoReturn:
    """Run the command line in a process of its own."""
    if sys.argv[1:2] == ["alive"]:
        sys.exit(main())
    sys.exit(_commands().in_process(main))


if __name__ == "__main__":
    run()
