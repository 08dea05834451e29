"""``pagoda-worker up``: the dispatcher, the core worker and one worker per active plugin on one machine."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import structlog

from pagoda_worker import file_transport, liveness
from pagoda_worker.app import WorkerHost
from pagoda_worker.children import is_running
from pagoda_worker.supervision import Child, ChildSpec, SubprocessLauncher, Supervisor, render
from pagoda_worker.targets import Target

STEP_SECONDS = 0.1
TIDY_SECONDS = 60.0
TOUCH_SECONDS = 1.0
KILL_MARGIN_SECONDS = 10.0  # beyond the soft shutdown, for a worker to end by itself
DISPATCHER = "dispatcher"

log = structlog.get_logger(__name__)


def specs(targets: Sequence[Target], run_dir: Path) -> tuple[ChildSpec, ...]:
    """Return the processes of the fleet: the dispatcher, then one worker per target."""
    command = (sys.executable, "-m", "pagoda_worker.cli")
    alive_file = run_dir / f"{DISPATCHER}.alive"
    dispatcher = ChildSpec(
        name=DISPATCHER,
        command=(*command, "dispatch", "--alive-file", str(alive_file)),
        ready_file=alive_file,
    )
    return (dispatcher, *(_worker(target, command, run_dir) for target in targets))


def _worker(target: Target, command: tuple[str, ...], run_dir: Path) -> ChildSpec:
    alive_file = run_dir / f"{target.name}.alive"
    which = ("--core",) if target.name == target.queue else ("--plugin", target.name)
    return ChildSpec(
        name=target.name,
        command=(*command, "run", *which, "--alive-file", str(alive_file)),
        queue=target.queue,
        concurrency=target.concurrency,
        memory_mb=target.memory_mb,
        ready_file=alive_file,
    )


@dataclass(slots=True)
class StopRequest:
    """SIGTERM or SIGINT: the first drains, the second kills."""

    is_made: bool = False
    is_urgent: bool = False

    def install(self) -> None:
        """Have this process's stop signals noted here."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._note)

    def _note(self, _number: int, _frame: object) -> None:
        self.is_made, self.is_urgent = True, self.is_made


def run_fleet(host: WorkerHost, *, alive_file: Path | None = None) -> int:
    """Run the fleet until a signal ends it; return the exit status."""
    run_dir = make_run_dir(host.settings.pagoda_data_dir / "run")
    stop = StopRequest()
    stop.install()
    file_transport.install(host.celery)
    fleet = Supervisor(specs(host.targets(), run_dir), SubprocessLauncher(), time.monotonic)
    _serve_metrics(host)
    fleet.start()
    try:
        _watch(fleet, stop, host, alive_file)
    finally:
        _end(fleet, stop, host.soft_shutdown_seconds + KILL_MARGIN_SECONDS)
        shutil.rmtree(run_dir)
    return 0


def _serve_metrics(host: WorkerHost) -> None:
    """Serve the metrics of all processes here: they share one address, and one folder of counts."""
    from pagoda.watching.metrics import serving as metrics  # needs a host that is started

    if host.settings.metrics_bind is not None:
        metrics.serve(host.settings.metrics_bind)
        os.environ["METRICS_BIND"] = ""  # for those that are started


def _watch(fleet: Supervisor, stop: StopRequest, host: WorkerHost, alive_file: Path | None) -> None:
    _show(fleet.children)
    tidy_at = time.monotonic()  # at once: readers of an earlier run may have left something
    touch_at = tidy_at
    while not stop.is_made:
        time.sleep(STEP_SECONDS)
        if fleet.step():
            _show(fleet.children)
        if time.monotonic() >= tidy_at:
            tidy_at += TIDY_SECONDS
            _tidy(host)
        if time.monotonic() >= touch_at and fleet.is_ready:
            touch_at += TOUCH_SECONDS
            liveness.touch(alive_file)


def _end(fleet: Supervisor, stop: StopRequest, limit_seconds: float) -> None:
    """Drain the fleet, killing what is left after the limit or at a second signal."""
    fleet.drain()
    _show(fleet.children)
    kill_at = time.monotonic() + limit_seconds
    while not fleet.is_stopped:
        if stop.is_urgent or time.monotonic() >= kill_at:
            fleet.kill()
        time.sleep(STEP_SECONDS)
        if fleet.step():
            _show(fleet.children)


def _tidy(host: WorkerHost) -> None:
    try:
        removed = file_transport.forget_dead_readers(host.celery)
    except OSError:  # a full or broken disk must not end the supervision
        log.exception("file_broker_not_tidied")
        return
    if removed:
        log.info("file_broker_tidied", queues=removed)


def _show(children: Sequence[Child]) -> None:
    with suppress(OSError):  # whoever read it is gone; the fleet goes on
        sys.stdout.write(render(children, time.monotonic()) + "\n\n")
        sys.stdout.flush()


def make_run_dir(parent: Path) -> Path:
    """Return this process's folder, having removed those of processes that were killed."""
    own = parent / str(os.getpid())
    parent.mkdir(parents=True, exist_ok=True)
    for folder in parent.iterdir():
        if folder == own or not (folder.name.isdecimal() and is_running(int(folder.name))):
            shutil.rmtree(folder, ignore_errors=True)
    own.mkdir()
    return own
