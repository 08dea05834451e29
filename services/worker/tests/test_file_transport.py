from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import Celery
from kombu import Connection

from pagoda.jobs import filebroker
from pagoda_worker import file_transport
from pagoda_worker.file_transport import READER_EXCHANGES, UNREAD_SECONDS, WorkerFileChannel


@pytest.fixture
def app(tmp_path: Path) -> Celery:
    made = Celery("test", fixups=[], set_as_current=False, broker="filesystem://")
    made.conf.broker_transport = filebroker.TRANSPORT
    made.conf.broker_transport_options = filebroker.options(tmp_path)
    file_transport.install(made)
    return made


@pytest.fixture
def connection(app: Celery) -> Iterator[Connection]:
    with app.connection_for_write() as made:
        yield made


@pytest.fixture
def channel(connection: Connection) -> WorkerFileChannel:
    made = connection.default_channel
    assert isinstance(made, WorkerFileChannel)
    return made


def age_messages(folder: Path, seconds: float) -> None:
    then = time.time() - seconds
    for message in (folder / "queues").rglob("*.msg"):
        os.utime(message, (then, then))


@pytest.mark.parametrize("exchange", READER_EXCHANGES)
def test_queue_that_nobody_reads_is_forgotten(
    app: Celery, channel: WorkerFileChannel, tmp_path: Path, exchange: str
) -> None:
    channel._queue_bind(exchange, "", "", "dead")
    channel._put("dead", {"old": True})
    age_messages(tmp_path, UNREAD_SECONDS + 10)
    channel._queue_bind(exchange, "", "", "alive")
    channel._put("alive", {"old": False})
    channel._queue_bind(exchange, "", "", "idle")
    assert file_transport.forget_dead_readers(app) == 1
    assert sorted(row.queue for row in channel.get_table(exchange)) == ["alive", "idle"]
    assert (channel._size("dead"), channel._size("alive")) == (0, 1)


def test_messages_of_jobs_stay_however_old_they_are(
    app: Celery, channel: WorkerFileChannel, tmp_path: Path
) -> None:
    channel._queue_bind("plugin.inventory", "", "", "plugin.inventory")
    channel._put("plugin.inventory", {"job": 1})
    age_messages(tmp_path, 10 * UNREAD_SECONDS)
    assert file_transport.forget_dead_readers(app) == 0
    assert channel._size("plugin.inventory") == 1


def test_other_brokers_are_left_alone() -> None:
    app = Celery("test", fixups=[], set_as_current=False, broker="memory://")
    file_transport.install(app)
    assert app.conf.broker_transport is None
    assert file_transport.forget_dead_readers(app) == 0


def test_waiting_worker_comes_back_soon(connection: Connection, channel: WorkerFileChannel) -> None:
    channel.queue_declare("core")
    channel.basic_consume("core", True, lambda _: None, "tag")
    with pytest.raises(TimeoutError):
        connection.drain_events(timeout=3600)
