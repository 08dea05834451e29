"""Celery as the transport of jobs: what it must be set to, and a check that it is."""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from celery import Celery
from celery.events.event import event_exchange
from django.core.exceptions import ImproperlyConfigured
from kombu import Exchange, Queue

from pagoda.config.accounts import account_of, is_plugins
from pagoda.config.django import broker_url
from pagoda.config.settings import Settings
from pagoda.jobs import amqpbroker, filebroker
from pagoda.jobs.operations import CORE_QUEUE

REDIS_TRANSPORT = "pagoda.jobs.redisbroker:RedisTransport"
"""By name, as its client is installed where it is used."""

_REDIS_OPTIONS: dict[str, Any] = {
    # Kombu would keep a book in Redis of what each worker has, and hand it out again long after its death:
    # two round trips per message for what the dispatcher sees sooner in the job's row.
    "ack_emulation": False,
    "health_check_interval": 25,
}

_REQUIRED: dict[str, Any] = {
    "accept_content": ["json"],
    "task_serializer": "json",
    "event_serializer": "json",
    "task_acks_late": True,  # a message outlives the worker that had it
    "task_acks_on_failure_or_timeout": True,
    "task_reject_on_worker_lost": True,
    "task_ignore_result": True,  # the job's row is the result
    "result_backend": None,
    "task_create_missing_queues": False,  # a misspelt queue is an error, not a queue nobody reads
    "task_default_queue": CORE_QUEUE,
    "task_send_sent_event": True,
    "worker_send_task_events": True,
    "worker_prefetch_multiplier": 1,  # a worker takes what it can run
    "worker_hijack_root_logger": False,
    "broker_connection_retry_on_startup": True,
}
"""What jobs rely on; `assert_configuration` holds an app against it."""


def queue_names(plugin_ids: Iterable[str]) -> list[str]:
    """Return the queues of the host and these plugins."""
    return [CORE_QUEUE, *(f"plugin.{plugin_id}" for plugin_id in plugin_ids)]


def make_app(settings: Settings, *, plugin_ids: Iterable[str] = ()) -> Celery:
    """Return Celery's app for these settings, with a queue for the host and one per plugin.

    Celery's Django fix-up would close database connections around every task (9 ms a job)
    but for ``CELERY_DB_REUSE_MAX``.
    """
    app = Celery("pagoda", set_as_current=False)
    app.steps["consumer"].add("pagoda.jobs.event_buffer:EventBuffer")
    app.conf.update(_REQUIRED)
    app.conf.update(
        task_queues=[_queue(name) for name in queue_names(plugin_ids)],
        worker_soft_shutdown_timeout=settings.job_soft_shutdown_seconds,
        worker_enable_soft_shutdown_on_idle=False,
        worker_enable_remote_control=settings.pagoda_worker_remote_control,
        worker_proc_alive_timeout=30.0,  # children import every plugin
        timezone="UTC",
        CELERY_DB_REUSE_MAX=settings.celery_db_reuse_max,
        **_broker(settings),
    )
    for queue in app.amqp.queues.values():
        queue.exchange = Exchange("")  # the default one: no bindings to be kept, or forged
    if is_plugins(account_of(settings.broker_url)) and app.conf.broker_transport == amqpbroker.TRANSPORT:
        event_exchange.no_declare = True  # who may declare it may drop it; Flower and the host do
    return app


def assert_configuration(app: Celery) -> None:
    """Check that the app is set as jobs rely on; API and worker call it when they start.

    Raises:
        ImproperlyConfigured: it lists everything that is off.
    """
    faults = [
        f"{name} is {app.conf[name]!r}, expected {expected!r}"
        for name, expected in _REQUIRED.items()
        if app.conf[name] != expected
    ]
    declared = {queue.name for queue in app.conf.task_queues or ()}
    if CORE_QUEUE not in declared:
        faults.append(f"task_queues are {sorted(declared)!r}, expected {CORE_QUEUE!r} among them")
    if not app.conf.worker_soft_shutdown_timeout > 0:
        faults.append("worker_soft_shutdown_timeout is 0, expected a positive number of seconds")
    if faults:
        listed = "\n".join(f"  - {fault}" for fault in faults)
        raise ImproperlyConfigured(f"Celery has {len(faults)} setting(s) that jobs can't run on:\n{listed}")


def _queue(name: str) -> Queue:
    return Queue(name, routing_key=name, durable=True)


def _broker(settings: Settings) -> dict[str, Any]:
    url = broker_url(settings)
    parts = urlsplit(url)
    if parts.scheme == "filesystem":
        folder = Path(f"{parts.netloc}{parts.path}")
        if settings.broker_url is not None or settings.pagoda_data_dir.is_dir():
            filebroker.make_folders(folder)  # else a command looks at a host that is not there
        return {
            "broker_url": "filesystem://",
            "broker_transport": filebroker.TRANSPORT,
            "broker_transport_options": filebroker.options(folder),
        }
    if parts.scheme.startswith("redis"):
        secure = {"broker_use_ssl": {"ssl_cert_reqs": ssl.CERT_REQUIRED}} if parts.scheme == "rediss" else {}
        return {
            "broker_url": url,
            "broker_transport": REDIS_TRANSPORT,
            "broker_transport_options": dict(_REDIS_OPTIONS),
            **secure,
        }
    return {
        "broker_url": url,
        "broker_transport": amqpbroker.TRANSPORT,
        "broker_transport_options": {"confirm_publish": True},
        "broker_heartbeat": 30,
    }
