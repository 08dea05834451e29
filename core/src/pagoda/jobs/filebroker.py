"""Kombu's file-system transport, made safe for many processes on one machine.

The original shows a message to readers before it is written (a worker that reads it then stops), rewrites
its binding tables in place, and lists every queue to read one. Here each queue is a folder, messages and
tables appear by renaming, event queues that nobody reads any more are emptied, and what is no message of
ours is dropped.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty
from typing import Any
from uuid import uuid4

from kombu.transport import filesystem
from kombu.utils.json import dumps, loads

from pagoda.jobs.foreign_messages import MessageRefused, parsed, refuse, require_size

TRANSPORT = f"{__name__}:FileTransport"
"""Its name for Celery's ``broker_transport``."""

ABANDONED_AFTER_SECONDS = 120
"""Messages of event and control queues older than this have no reader."""

Binding = tuple[str, str, str]
"""Routing key, pattern, queue."""


class FileChannel(filesystem.Channel):
    """A channel whose queues are folders of one file per message, the oldest first by name."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._listed: dict[str, deque[str]] = {}  # per queue: file names seen and not yet taken

    def _folder(self, queue: str) -> Path:
        return Path(self.data_folder_in) / queue.replace("/", "_")

    def _put(self, queue: str, payload: Any, **_: Any) -> None:  # type: ignore[override]  # stubs disagree
        folder = self._folder(queue)
        unique = uuid4().hex
        draft, final = folder / f".{unique}", folder / f"{time.time_ns():020}_{unique}.msg"
        content = dumps(payload).encode()
        try:
            draft.write_bytes(content)
        except FileNotFoundError:
            folder.mkdir(parents=True, exist_ok=True)
            draft.write_bytes(content)
        draft.rename(final)
        if unique.startswith("00") and _is_transient(queue):  # one message in 256 looks after the folder
            _drop_abandoned(folder)

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        folder, listed = self._folder(queue), self._listed.setdefault(queue, deque())
        if not listed:
            listed.extend(_messages(folder))
        while listed:
            path = folder / listed.popleft()
            with suppress(FileNotFoundError):  # another reader took it
                try:
                    require_size(path.stat().st_size)
                    content = path.read_bytes()
                    path.unlink()
                    return parsed(content)
                except MessageRefused as error:
                    path.unlink(missing_ok=True)
                    refuse(queue, error)
        raise Empty

    def _size(self, queue: str) -> int:
        return len(_messages(self._folder(queue)))

    def _purge(self, queue: str) -> int:
        folder, purged = self._folder(queue), 0
        for name in _messages(folder):
            with suppress(FileNotFoundError):
                (folder / name).unlink()
                purged += 1
        return purged

    def get_table(self, exchange: str) -> list[Any]:  # stubs disagree on the rows, `Binding` in fact
        """Return the bindings of an exchange."""
        try:
            rows = loads(self._table(exchange).read_text())
            return [filesystem.exchange_queue_t(*row) for row in rows]
        except FileNotFoundError:
            return []

    def _queue_bind(
        self, exchange: str, routing_key: str | None, pattern: str | None, queue: str | None
    ) -> None:
        binding = (routing_key or "", pattern or "", queue or "")
        self._change_table(exchange, lambda rows: rows if binding in rows else [binding, *rows])

    def _delete(self, queue: str, exchange: str, routing_key: str, pattern: str, *_: Any, **__: Any) -> None:
        self._purge(queue)
        binding = (routing_key or "", pattern or "", queue or "")
        self._change_table(exchange, lambda rows: [row for row in rows if row != binding])
        with suppress(OSError):  # in use again, or gone
            self._folder(queue).rmdir()

    def _table(self, exchange: str) -> Path:
        path: Path = self._exchange_file(exchange)  # type: ignore[attr-defined]  # kombu's; its stubs lack it
        return path

    def _change_table(self, exchange: str, change: Callable[[list[Binding]], list[Binding]]) -> None:
        path = self._table(exchange)
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path.with_suffix(".lock")):
            before = self.get_table(exchange)
            after = change(before)
            if after != before:
                draft = path.with_suffix(f".{uuid4().hex}")
                draft.write_text(dumps(after))
                draft.replace(path)


class FileTransport(filesystem.Transport):
    """The transport over `FileChannel`."""

    Channel = FileChannel


def make_folders(folder: Path) -> None:
    """Make what a broker in `folder` needs; messages make it too."""
    for name in ("queues", "control"):
        (folder / name).mkdir(parents=True, exist_ok=True)


def options(folder: Path) -> dict[str, Any]:
    """Return Celery's ``broker_transport_options`` for a broker in `folder`."""
    return {
        "data_folder_in": str(folder / "queues"),
        "data_folder_out": str(folder / "queues"),
        "control_folder": str(folder / "control"),
        "polling_interval": 0.05,
    }


def _messages(folder: Path) -> list[str]:
    try:
        return sorted(name for name in os.listdir(folder) if name.endswith(".msg"))  # noqa: PTH208 - names alone
    except FileNotFoundError:
        return []


def _is_transient(queue: str) -> bool:
    return queue.startswith("celeryev") or queue.endswith("pidbox")


def _drop_abandoned(folder: Path) -> None:
    before = time.time_ns() - ABANDONED_AFTER_SECONDS * 1_000_000_000
    for name in _messages(folder):
        if int(name.partition("_")[0]) >= before:
            break
        (folder / name).unlink(missing_ok=True)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
