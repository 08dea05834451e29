"""`make demo`: start Pagoda, have a plugin take stock of this machine, show what it found, stop everything.

The last line is ``demo: job N DONE, E entries, S s``. On a failure the logs' tails are printed and the exit
status is 1.
"""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import httpx
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / ".client"))  # what `make client` makes
from pagoda_client import AuthenticatedClient, Client
from pagoda_client.api.auth import auth_token_create
from pagoda_client.api.entries import entries_list
from pagoda_client.api.jobs import jobs_retrieve
from pagoda_client.api.plugins import plugins_inventory_scan_create
from pagoda_client.models import Error, JobDetail, ListedEntry, TokenRequestRequest

from tools.stack import (
    ADMIN,
    DEMO_PLUGINS,
    Stack,
    StackError,
    clean_environ,
    free_port,
    interrupt_on_signals,
    is_ready,
    prepare,
)

READY_SECONDS = 90.0
JOB_SECONDS = 180.0
TIMEOUT = httpx.Timeout(30)
ROWS = 3  # shown of each entity
SHOWN = {
    "Host": ("os", "kernel", "python_version"),
    "NetworkInterface": ("addresses", "mac", "is_up"),
    "Filesystem": ("mount_point", "type", "size_bytes"),
    "PythonPackage": ("version", "summary"),
}
"""The plugin's entities, and which of their attributes the table shows."""

console = Console(highlight=False, width=None if sys.stdout.isatty() else 140)


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoResult:
    """What the demo did."""

    job_id: int
    entries: int


def main() -> int:
    """Run the demo; return the exit status."""
    interrupt_on_signals()
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="pagoda-demo-") as folder:
        stack = Stack(Path(folder), clean_environ() | DEMO_PLUGINS, say)
        try:
            with stack:
                outcome = run(stack)
            if left := stack.left_behind():
                raise StackError(f"left behind: {', '.join(left)}")
        except (StackError, httpx.HTTPError) as error:
            say(stack.tails())
            say(f"demo failed: {type(error).__name__}: {error}")
            return 1
        except KeyboardInterrupt:
            say("demo stopped")
            return 130
    seconds = time.monotonic() - started
    say(f"demo: job {outcome.job_id} DONE, {outcome.entries} entries, {seconds:.1f} s")
    return 0


def run(stack: Stack) -> DemoResult:
    """Start everything, scan, show what was found."""
    say(f"setting up in {stack.data_dir}")
    password = prepare(stack)
    address = f"127.0.0.1:{free_port()}"
    stack.start("api", "pagoda_api.cli", "serve", "--bind", address, "--workers", "2")
    stack.start("workers", "pagoda_worker.cli", "up")
    base = f"http://{address}"
    with httpx.Client(base_url=base, timeout=30) as plain:
        stack.wait_for("/readyz", lambda: is_ready(plain), READY_SECONDS)
    with log_in(base, password) as client:
        job = follow(stack, client, start_scan(client))
        entries = show_entities(client)
    show_urls(base, job.id)
    return DemoResult(job_id=job.id, entries=entries)


def log_in(base: str, password: str) -> AuthenticatedClient:
    """Exchange name and password for a token; return the client that sends it."""
    body = TokenRequestRequest(username=ADMIN, password=password)
    token = checked(auth_token_create.sync(client=Client(base_url=base, timeout=TIMEOUT), body=body)).token
    say(f"logged in as {ADMIN}")
    return AuthenticatedClient(base_url=base, token=token, prefix="Token", timeout=TIMEOUT)


def start_scan(client: AuthenticatedClient) -> int:
    """Have the inventory plugin scan this machine; return the job's id."""
    queued = checked(plugins_inventory_scan_create.sync(client=client))
    say(f"job {queued.job} queued on {queued.queue}")
    return int(queued.job)


def follow(stack: Stack, client: AuthenticatedClient, job_id: int) -> JobDetail:
    """Show the job's progress until it has finished; return it.

    Raises:
        StackError: it did not end well, or not in time.
    """
    seen: list[JobDetail] = []
    with Meter() as meter:

        def missing() -> str | None:
            job = checked(jobs_retrieve.sync(str(job_id), client=client))
            seen[:] = [job]
            meter.show(job.progress.percent, job.progress.text or job.phase)
            return None if job.phase == "finished" else "running"

        stack.poll(f"the end of job {job_id}", missing, JOB_SECONDS)
    [job] = seen
    if job.status_name != "DONE":
        raise StackError(f"job {job_id} ended as {job.status_name}: {job.error or job.text}")
    return job


class Meter:
    """A progress bar on a terminal, a line per step elsewhere."""

    def __init__(self) -> None:
        self._told: tuple[int, str] | None = None
        self._bar = Progress(
            TextColumn("{task.description:<40}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("queued", total=100)

    def __enter__(self) -> Meter:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def show(self, percent: float, text: str) -> None:
        """Show how far the job is."""
        self._bar.update(self._task, completed=percent, description=text)
        now = (int(percent), text)
        if not console.is_terminal and now != self._told:
            say(f"  {percent:3.0f} % {text}")
        self._told = now


def show_entities(client: AuthenticatedClient) -> int:
    """Print what was found, entity by entity; return the number of entries."""
    total = 0
    for entity, columns in SHOWN.items():
        page = checked(entries_list.sync(client=client, entity=entity, limit=ROWS))
        if not page.results:
            raise StackError(f"the scan made no entry of {entity}")
        table = Table(title=f"{entity}: {page.count}", title_justify="left")
        for column in ("name", *columns):
            table.add_column(column, no_wrap=True)
        for entry in page.results:
            table.add_row(shown(entry.name), *cells(entry, columns))
        console.print(table)
        total += page.count
    return total


def cells(entry: ListedEntry, columns: tuple[str, ...]) -> list[str]:
    """Return the values of an entry's attributes as text."""
    values = {attr.name: attr.value for attr in entry.attrs or ()}
    return [shown(values.get(column)) for column in columns]


def shown(value: object) -> str:
    """Return a value as a short text."""
    text = ", ".join(map(str, value)) if isinstance(value, list) else str("" if value is None else value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def show_urls(base: str, job_id: int) -> None:
    """Print where all this was to be seen."""
    places = {
        "API documentation": "docs/",
        "this job": f"jobs/{job_id}/",
        "packages of this machine": "entries/?entity=PythonPackage",
        "plugins": "plugins/",
    }
    say("while it ran (`make up` leaves it running, with Flower):")
    for what, path in places.items():
        say(f"  {what:<26}{base}/api/v2/{path}")


def checked[Answer](answer: Answer | Error | None) -> Answer:
    """Return the answer of the API.

    Raises:
        StackError: it refused.
    """
    if answer is None or isinstance(answer, Error):
        raise StackError(
            f"the API refused: {'an answer that is not in its schema' if answer is None else answer.detail}"
        )
    return answer


def say(text: str) -> None:
    """Print one plain line at once."""
    console.print(text, markup=False, soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
