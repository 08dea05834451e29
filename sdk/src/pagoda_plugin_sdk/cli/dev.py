"""`pagoda-plugin dev`: a host with this plugin, which follows each edit."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path

import click
import watchfiles

from pagoda_plugin_sdk.cli.development import development_environment
from pagoda_plugin_sdk.cli.forked import Channel, ForkedApi
from pagoda_plugin_sdk.cli.processes import run_module
from pagoda_plugin_sdk.project import PluginProject, read_project

ADMIN = "admin"
READY_SECONDS = 60.0
POLL_SECONDS = 0.25
BACKLOG = 256  # connections that wait for an API
STOP_SECONDS = 10.0
DEBOUNCE_MS = 200
QUIET_MS = 1000
"""After so long without an edit the workers get the new code, too: they would slow the API's start."""
WORKERS_NICE = 10
STANDBY = "standby"

# Runs in the host, in one process; the password is no argument, which everybody on the machine could read.
PREPARE = """
import importlib, os
from django.core.management import call_command
from django.db import transaction
from pagoda_plugin_sdk.models import User
call_command("migrate", verbosity=0, interactive=False)
with transaction.atomic():
    user = User.objects.filter(username="admin").first()
    if user is None:
        user = User.objects.create_superuser("admin", "admin@example.org", os.environ["ADMIN_PASSWORD"])
    if os.environ["SEED"]:
        module, _, name = os.environ["SEED"].partition(":")
        getattr(importlib.import_module(module), name)(user)
"""


@click.command()
@click.option("--seed", is_flag=True, help="Make the demo data again, not only for a new database.")
def dev(*, seed: bool) -> None:
    """Serve the plugin in a host on SQLite and files in .pagoda/, with its workers, until ctrl-c.

    Settings are those of the environment and of .env; free operation ids and a free port are found. Demo data
    are made by the function that pyproject.toml names, called with the administrator:
    [tool.pagoda] seed = "package.module:function".
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    host = DevelopmentHost(Path.cwd())
    with contextlib.suppress(KeyboardInterrupt):
        try:
            host.start(seed=seed)
            host.follow()
        finally:
            host.stop()
    click.echo("stopped; `pagoda-plugin dev` goes on with the same data")


@click.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="COMMAND [ARGUMENT]...")
def manage(arguments: tuple[str, ...]) -> None:
    """Run a management command of Django in the plugin's host, such as makemigrations."""
    environ = development_environment(read_project(Path.cwd()))
    environ["PAGODA_PLUGIN_STRICT"] = "false"  # it is to mend what is missing, such as migrations
    sys.exit(run_module("pagoda.cli", "manage", *arguments, environ=environ, is_shown=True).returncode)


class DevelopmentHost:
    """The processes of a host that serves one project; all of them end with this process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.project: PluginProject = read_project(folder)
        self.environ: Mapping[str, str] = development_environment(self.project)
        self.password = ""
        self._are_workers_old = False
        self._running: dict[str, subprocess.Popen[bytes] | ForkedApi] = {}
        # {process id: folder of its metrics}: it is killed, and so leaves them
        self._figures: dict[int, tempfile.TemporaryDirectory[str]] = {}
        self._listener: socket.socket | None = None  # stays while one API takes another's place
        self._standby_environ: Mapping[str, str] | None = None
        self._channel: Channel | None = None  # to the process that stands by

    @property
    def address(self) -> str:
        """Return the root of the API's URLs."""
        return f"http://{self.environ['API_BIND']}"

    def start(self, *, is_prepared: bool = False, seed: bool = False) -> None:
        """Bring the database up to date, start the API, and tell where it is; the workers follow.

        A fault leaves nothing running but the process that stands by, and is told.
        """
        began = time.monotonic()
        self._stand_by()  # it loads the host meanwhile
        fault = None if is_prepared else self._prepare(seed=seed)
        if fault is None and self._serve() and self._is_answering():
            self._tell(time.monotonic() - began)
            self._are_workers_old = True
        else:
            self._refuse()
            said = fault or "the host does not start, see above"
            click.echo(f"\n{said}\nthe next edit tries again", err=True)

    def follow(self) -> None:
        """Start anew at each edit of the plugin, of pyproject.toml and of .env, for ever."""
        source, settings = self.project.source.absolute(), {"pyproject.toml", ".env"}
        watched = watchfiles.DefaultFilter(
            ignore_dirs=(*watchfiles.DefaultFilter.ignore_dirs, ".pagoda", "dist")
        )

        def matters(change: watchfiles.Change, path: str) -> bool:
            name = Path(path)
            is_setting = name.parent == self.folder.absolute() and name.name in settings
            return watched(change, path) and (is_setting or name.is_relative_to(source))

        watch = watchfiles.watch(
            self.folder,
            watch_filter=matters,
            debounce=DEBOUNCE_MS,
            step=50,
            rust_timeout=QUIET_MS,
            yield_on_timeout=True,
        )
        for changes in watch:
            if not changes:
                self._renew_workers()
                continue
            names = sorted({Path(path).name for _, path in changes})
            self._end("api", 0)  # nobody waits for its answers; workers go on until there is a new one
            click.echo(f"\nchanged: {', '.join(names[:5])}; starting anew")
            self._again(has_migrations=any("migrations" in Path(path).parts for _, path in changes))

    def stop(self) -> None:
        """End all processes, and refuse connections; safe to call again."""
        self._refuse()
        self._end_standby()

    def _refuse(self) -> None:
        """End what serves, and refuse connections; the process that stands by stays for the next edit."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        serving = [name for name in self._running if name != STANDBY]
        for name in serving:
            _signal(self._running[name], signal.SIGTERM, os.kill)
        for name in serving:
            self._end(name, STOP_SECONDS)

    def _end_standby(self) -> None:
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        self._end(STANDBY, 0)

    def _end(self, name: str, seconds: float) -> None:
        """End a process within so many seconds, those that it started included."""
        if (process := self._running.pop(name, None)) is None:
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            _signal(process, signal.SIGTERM, os.kill)
            process.wait(seconds)
        _signal(process, signal.SIGKILL, os.killpg)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
        self._figures.pop(process.pid).cleanup()

    def _again(self, *, has_migrations: bool) -> None:
        try:
            address = self.environ["API_BIND"]  # requests may wait there
            self.project = read_project(self.folder)
            self.environ = {**development_environment(self.project), "API_BIND": address}
        except Exception as error:  # noqa: BLE001 - whatever an edit did: the next one may mend it
            click.echo(f"{error}\nthe next edit tries again", err=True)
            return
        self.start(is_prepared=bool(self.password) and not has_migrations)

    def _renew_workers(self) -> None:
        """Bring the workers a step nearer to the code of now; the API, for which people wait, is first."""
        if not self._are_workers_old or "api" not in self._running:
            return
        if (workers := self._running.get("workers")) is not None and workers.poll() is None:
            _signal(
                workers, signal.SIGTERM, os.kill
            )  # they end when their jobs do; then it is looked at again
            return
        self._end("workers", 0)
        self._start("workers", "pagoda_worker.cli", "up")
        os.setpriority(os.PRIO_PROCESS, self._running["workers"].pid, WORKERS_NICE)
        self._are_workers_old = False

    def _prepare(self, *, seed: bool) -> str | None:
        """Make tables, administrator and demo data, as far as there are none; return what goes wrong."""
        kept = Path(self.environ["PAGODA_DATA_DIR"]) / "admin_password"
        is_new = not kept.is_file()
        self.password = secrets.token_urlsafe(12) if is_new else kept.read_text(encoding="utf-8").strip()
        source = str(self.project.tool.get("seed", "")) if is_new or seed else ""
        command = ("pagoda.cli", "manage", "shell", "--no-imports", "--command", PREPARE)
        environ = {**self.environ, "ADMIN_PASSWORD": self.password, "SEED": source}
        ended = run_module(*command, folder=self.folder, environ=environ)
        if ended.returncode:
            self.password = ""
            return f"The database can't be made ready:\n{ended.stdout.strip()}"
        if is_new:
            kept.touch(mode=0o600)
            kept.write_text(f"{self.password}\n", encoding="utf-8")
        return None

    def _stand_by(self) -> None:
        """Have a process with the settings of now that has loaded the host, and nothing of the plugin."""
        waiting = self._running.get(STANDBY)
        if waiting is None or waiting.poll() is not None or self._standby_environ != self.environ:
            self._end_standby()
            self._channel = Channel()
            with self._channel.theirs as theirs:
                self._start(STANDBY, "pagoda_plugin_sdk.cli.standby", stdin=theirs.fileno())
            self._standby_environ = self.environ
        if self._listener is None:
            self._listener = _listen(self.environ["API_BIND"])

    def _serve(self) -> bool:
        """Have the process that stands by fork the API; False when it could not load the host."""
        figures = tempfile.TemporaryDirectory(prefix="pagoda-metrics-")
        if self._channel is None or self._listener is None:
            raise RuntimeError("nothing stands by")
        if (api := self._channel.fork(self._listener, figures)) is None:
            figures.cleanup()
            self._end_standby()
            return False
        self._running["api"], self._figures[api.pid] = api, figures
        return True

    def _start(self, name: str, *arguments: str, stdin: int = subprocess.DEVNULL) -> None:
        tether = [sys.executable, "-m", "pagoda_worker.tether", str(os.getpid())]
        figures = tempfile.TemporaryDirectory(prefix="pagoda-metrics-")
        self._running[name] = process = subprocess.Popen(  # noqa: S603 - our own command line, no shell
            [*tether, sys.executable, "-m", *arguments],
            cwd=self.folder,
            env={**self.environ, "PROMETHEUS_MULTIPROC_DIR": figures.name},
            stdin=stdin,
            start_new_session=True,  # ctrl-c reaches this process alone, which ends them
        )
        self._figures[process.pid] = figures

    def _is_answering(self) -> bool:
        """Wait for the first answer of the API; False when it ends or takes too long."""
        deadline = time.monotonic() + READY_SECONDS
        patience = POLL_SECONDS  # of a request, which waits for the API, also for one that has ended
        while time.monotonic() < deadline and self._running["api"].poll() is None:
            try:
                urllib.request.urlopen(f"{self.address}/healthz", timeout=patience).close()  # noqa: S310 - our own
            except urllib.error.HTTPError:
                return True
            except OSError:
                patience = min(2 * patience, 5.0)
            else:
                return True
        return False

    def _tell(self, seconds: float) -> None:
        plugins = ", ".join(self.project.entry_points)
        click.echo(
            f"\n{plugins} is served after {seconds:.1f} s\n"
            f"API {self.address}/api/v2/  login {ADMIN} / {self.password}\n"
            f"documentation {self.address}/api/v2/docs/  admin {self.address}/admin/  ctrl-c stops it\n"
        )


def _listen(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host.strip("[]"), int(port)), family=family, backlog=BACKLOG)
    except (OSError, ValueError) as error:
        raise click.ClickException(f"API_BIND is {address!r}: {error}") from error


def _signal(
    process: subprocess.Popen[bytes] | ForkedApi, number: signal.Signals, send: Callable[[int, int], None]
) -> None:
    with contextlib.suppress(ProcessLookupError):
        send(process.pid, number)
