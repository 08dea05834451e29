"""``pagoda-worker run``: a Celery worker for one queue, whose parent keeps the claims of its children."""

from __future__ import annotations

import gc
import multiprocessing.process
import os
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any

import structlog
from celery import Celery, signals
from django.db import DatabaseError, connections

from pagoda.config import limits
from pagoda.config.accounts import is_plugins
from pagoda.jobs import operations, store
from pagoda.watching import presence
from pagoda.watching.metrics import serving as metrics
from pagoda.watching.watcher import Watcher, traffic_chores
from pagoda_worker import file_transport, lifeline, runner
from pagoda_worker.app import WorkerHost
from pagoda_worker.children import CeleryChildren
from pagoda_worker.connections import keep_open
from pagoda_worker.consumer import consumer_of
from pagoda_worker.heartbeat import Heart, HeartThread
from pagoda_worker.pool import TaskPool
from pagoda_worker.targets import CORE, Target

LOST_WAIT_SECONDS = 1.0  # for the result of a child that died; Celery's default of 10 s delays the next try

NOT_CONFINED = (
    "its code reaches all that the host's account at the database does; PAGODA_ACCOUNT_PASSWORDS_DIR gives "
    "each plugin's worker an account of its own, on PostgreSQL"
)

BROKER_NOT_CONFINED = (
    "its code reads, forges and drops every message; with Redis or RabbitMQ `pagoda broker acl` gives each "
    "plugin's worker an account of its own"
)

MAIN_PROCESS = multiprocessing.process.current_process()

log = structlog.get_logger(__name__)


def serve(
    host: WorkerHost, target: Target, *, concurrency: int | None = None, alive_file: Path | None = None
) -> int:
    """Serve the target's queue until a signal ends it; return the exit status.

    SIGTERM and SIGINT drain: no new job is taken, running ones may end within the soft shutdown, and what
    runs on then is killed and given back to its queue.
    """
    place = f"{target.name}@{socket.gethostname()}"
    node = f"{place}.{os.getpid()}"
    runner.install(node=node, lease_seconds=host.settings.job_lease_seconds, queue=target.queue)
    children = CeleryChildren()
    heart = Heart(
        node=node,
        leases=store,
        children=children,
        lease_seconds=host.settings.job_lease_seconds,
        cancel_grace_seconds=host.settings.job_cancel_grace_seconds,
    )
    own_file = _succeed(host.settings.pagoda_data_dir / "workers", place, node, heart)
    process = presence.LivingProcess(service="worker", queue=target.queue)
    thread = HeartThread(heart, alive_file, say_alive=lambda: presence.renew(process))
    _prepare(host.celery, target, children)
    _connect(heart, thread, host.soft_shutdown_seconds)
    worker = _worker(host.celery, node, target, concurrency or target.concurrency)
    children.follow(worker)
    if host.settings.metrics_bind is not None:
        metrics.serve(host.settings.metrics_bind)
    log.info("worker_starting", node=node, queue=target.queue, concurrency=worker.concurrency)
    if target.name != CORE and not is_plugins(host.settings.database_account):
        log.warning("worker_not_confined", plugin=target.name, reason=NOT_CONFINED)
    if target.name != CORE and not is_plugins(host.settings.broker_account):
        log.warning("worker_broker_not_confined", plugin=target.name, reason=BROKER_NOT_CONFINED)
    try:
        worker.start()
    finally:
        thread.stop()
        with suppress(DatabaseError):  # its row grows old by itself
            presence.leave(process)
        if own_file is not None:
            own_file.unlink(missing_ok=True)
    log.info("worker_stopped", node=node)
    return int(worker.exitcode or 0)


def _succeed(folder: Path, place: str, node: str, heart: Heart) -> Path | None:
    """Give back the jobs of workers of this place that were killed, and lock a file for this one."""
    try:
        lifeline.bury(folder, place, heart.bury)
        return lifeline.hold(folder, node)
    except (OSError, DatabaseError):  # their leases, and this one's, decide then
        log.exception("worker_lifeline_failed", folder=str(folder))
        return None


def _prepare(app: Celery, target: Target, children: CeleryChildren) -> None:
    app.conf.worker_lost_wait = LOST_WAIT_SECONDS
    file_transport.install(app)
    children.watch(app)
    keep_open()
    bounds = limits.ChildLimits(memory_mb=target.memory_mb)
    signals.worker_process_init.connect(lambda **_: _watch_child(), weak=False)
    signals.worker_process_init.connect(lambda **_: _allow_processes(), weak=False)
    # After the child's own thread has its stack: the limit is what a job may take on top.
    signals.worker_process_init.connect(lambda **_: limits.apply(bounds), weak=False)
    signals.setup_logging.connect(_leave_logging, weak=False)
    connections.close_all()
    # What is loaded stays: full collections of the children would walk it, a quarter of what an import takes.
    gc.collect()
    gc.freeze()


def _connect(heart: Heart, thread: HeartThread, soft_shutdown_seconds: float) -> None:
    signals.worker_ready.connect(lambda **_: thread.start(), weak=False)
    signals.worker_shutting_down.connect(lambda **_: heart.drain(soft_shutdown_seconds), weak=False)


def _worker(app: Celery, node: str, target: Target, concurrency: int) -> Any:
    return app.Worker(
        hostname=node,
        queues=[target.queue],
        pool=TaskPool,
        consumer_cls=consumer_of(target.queue, operations.tasks_of(target.queue)),
        concurrency=concurrency,
        max_memory_per_child=target.memory_mb * 1024,  # KiB
        task_events=True,
        without_gossip=True,
        without_mingle=True,
        loglevel="INFO",
        quiet=True,
    )


def _watch_child() -> None:
    """Tell from each child what hooks do in its jobs."""
    Watcher(traffic_chores()).start()


def _allow_processes() -> None:
    """Let tasks use `multiprocessing`, which billiard has told that this process is a daemon.

    Whoever ends the child ends all below it, see `CeleryChildren.kill`.
    """
    multiprocessing.process._current_process = MAIN_PROCESS  # type: ignore[attr-defined]  # no other door


def _leave_logging(**_: Any) -> None:
    """Keep Celery from setting up logging: the process has its own."""
