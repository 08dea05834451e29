"""Models are imported inside of fixtures: pytest reads this file before Django has its settings."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from pagoda.jobs.testing import plugin_tasks, recording_publisher
from pagoda_plugin_sdk.tasks import plugin_task

if TYPE_CHECKING:
    from pagoda.jobs.models import Job


class Recorder(http.server.ThreadingHTTPServer):
    """Takes notices, and refuses as many as it is told to."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.notices: list[dict[str, Any]] = []
        self.refusals = 0

    @property
    def url(self) -> str:
        return f"json://127.0.0.1:{self.server_port}/alerts"


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Recorder

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.server.refusals:
            self.server.refusals -= 1
            self.send_response(503)
        else:
            self.server.notices.append(json.loads(body))
            self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class names it so
        """Keep the test's output quiet."""


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    with Recorder() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@plugin_task(0)
def restock(job: Any) -> None: ...


@pytest.fixture
def shop() -> Iterator[None]:
    """The plugin `shop` with the task `restock`."""
    with recording_publisher(), plugin_tasks("shop", [restock], cancelable_operations=["restock"]):
        yield


@pytest.fixture
def make_job(shop: None, db: None) -> Callable[..., Job]:
    """Make a job of `shop` that stands as the fields say; times are seconds in the past."""
    from pagoda.jobs.clock import after
    from pagoda.jobs.models import Job

    def make(**fields: Any) -> Job:
        job = Job.objects.submit(plugin="shop", operation_name="restock", user=None)
        for name in ("created_at", "started_at", "finished_at"):
            if name in fields:
                fields[name] = after(-float(fields[name]))
        Job.objects.filter(pk=job.pk).update(**fields)
        job.refresh_from_db()
        return job

    return make


@pytest.fixture
def be_present(db: None) -> Callable[..., None]:
    """Have a process say that it lives, as the fields say; times are seconds in the past."""
    from pagoda.jobs.clock import after
    from pagoda.watching.models import Presence

    def add(node: str, **fields: Any) -> None:
        values = {"service": "worker", "host": "h", "pid": 1, **fields}
        times = {
            name: after(-float(values.pop(name))) for name in ("started_at", "seen_at") if name in values
        }
        Presence.objects.create(node=node, **values)
        if times:
            Presence.objects.filter(node=node).update(**times)

    return add
