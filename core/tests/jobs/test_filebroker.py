from __future__ import annotations

import os
import time
from pathlib import Path
from queue import Empty
from typing import Any

import pytest
from kombu import Connection

from pagoda.jobs import filebroker


@pytest.fixture
def options(tmp_path: Path) -> dict[str, Any]:
    return filebroker.options(tmp_path)


def channel(options: dict[str, Any]) -> Any:
    connection = Connection("filesystem://", transport=filebroker.TRANSPORT, transport_options=options)
    return connection.channel()


def message(number: int) -> dict[str, Any]:
    properties = {"delivery_tag": str(number), "delivery_info": {}}
    return {"body": "", "headers": {"n": number}, "properties": properties}


def number_of(got: Any) -> int:
    return int(got["headers"]["n"])


def test_messages_come_out_once_and_oldest_first(options: dict[str, Any]) -> None:
    writer, one, other = (channel(options) for _ in range(3))
    for number in range(4):
        writer._put("core", message(number))

    got = [number_of(reader._get("core")) for reader in (one, other, one, other)]

    assert got == [0, 1, 2, 3]
    for reader in (one, other):
        with pytest.raises(Empty):
            reader._get("core")


def test_queues_do_not_see_each_other(options: dict[str, Any]) -> None:
    broker = channel(options)
    broker._put("plugin.a", message(1))
    broker._put("plugin.b", message(2))

    assert (broker._size("plugin.a"), broker._size("plugin.b"), broker._size("core")) == (1, 1, 0)
    assert number_of(broker._get("plugin.b")) == 2


def test_a_message_that_is_being_written_is_not_seen(options: dict[str, Any], tmp_path: Path) -> None:
    broker = channel(options)
    folder = tmp_path / "queues" / "core"
    folder.mkdir(parents=True)
    (folder / ".half").write_text('{"n"')

    assert broker._size("core") == 0
    with pytest.raises(Empty):
        broker._get("core")


def test_purging_empties_one_queue(options: dict[str, Any]) -> None:
    broker = channel(options)
    for queue in ("core", "core", "plugin.a"):
        broker._put(queue, {})

    assert broker._purge("core") == 2
    assert (broker._size("core"), broker._size("plugin.a")) == (0, 1)


def test_bindings_of_many_channels_are_all_kept(options: dict[str, Any]) -> None:
    for number in range(5):
        channel(options)._queue_bind("celeryev", f"task.{number}", "", f"q{number}")
        channel(options)._queue_bind("celeryev", f"task.{number}", "", f"q{number}")

    table = channel(options).get_table("celeryev")

    assert sorted(row.queue for row in table) == [f"q{number}" for number in range(5)]


def test_a_deleted_queue_loses_its_binding_and_messages(options: dict[str, Any], tmp_path: Path) -> None:
    broker = channel(options)
    broker._queue_bind("celeryev", "task", "", "q")
    broker._put("q", {})

    broker._delete("q", "celeryev", "task", "")

    assert broker.get_table("celeryev") == []
    assert not (tmp_path / "queues" / "q").exists()


def test_an_exchange_without_bindings_is_empty(options: dict[str, Any]) -> None:
    assert channel(options).get_table("celeryev") == []


def test_events_that_nobody_reads_are_dropped(options: dict[str, Any], tmp_path: Path) -> None:
    broker = channel(options)
    broker._put("celeryev.flower", message(1))
    folder = tmp_path / "queues" / "celeryev.flower"
    (old,) = folder.iterdir()
    long_ago = time.time_ns() - 121 * 1_000_000_000
    old.rename(folder / f"{long_ago:020}_old.msg")
    broker._put("celeryev.flower", message(2))

    filebroker._drop_abandoned(folder)

    assert number_of(broker._get("celeryev.flower")) == 2
    assert broker._size("celeryev.flower") == 0


@pytest.mark.parametrize(
    ("queue", "is_transient"),
    [("celeryev.1", True), ("w@h.celery.pidbox", True), ("core", False), ("plugin.celery", False)],
)
def test_only_events_and_replies_are_ever_dropped(queue: str, is_transient: bool) -> None:
    assert filebroker._is_transient(queue) == is_transient


def test_the_options_name_the_folders_of_the_broker(options: dict[str, Any], tmp_path: Path) -> None:
    assert list(tmp_path.iterdir()) == []  # who only asks what there is makes nothing
    filebroker.make_folders(tmp_path)
    assert all(os.path.isdir(options[key]) for key in ("data_folder_in", "data_folder_out", "control_folder"))  # noqa: PTH112
    assert options["polling_interval"] == 0.05
