"""A worker converts an attribute while clients write its values: no write is lost, nor of the wrong type."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tools.migrated_host import running_postgres
from tools.servers import missing_programs
from tools.stack import ADMIN, Stack, clean_environ, free_port, is_ready, prepare

LIMIT_SECONDS = 120.0
WRITERS = 4
ENTRIES = 60


@pytest.fixture(params=["postgresql", "sqlite"])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Stack, httpx.Client]]:
    """Start an API, a dispatcher and the core's worker; the client is a superuser."""
    if request.param == "postgresql":
        if "postgresql" in missing_programs():
            pytest.skip("PostgreSQL is not installed")
        with running_postgres() as server:
            yield from _running(tmp_path, {"DATABASE_URL": server.url})
    else:
        yield from _running(tmp_path, {})


def _running(folder: Path, database: dict[str, str]) -> Iterator[tuple[Stack, httpx.Client]]:
    bind = f"127.0.0.1:{free_port()}"
    with Stack(folder / "data", clean_environ() | database | {"API_BIND": bind}, print) as stack:
        password = prepare(stack)
        stack.start("api", "pagoda_api.cli", "serve", "--workers", "2")
        stack.start("workers", "pagoda_worker.cli", "up")
        with httpx.Client(base_url=f"http://{bind}", timeout=60) as client:
            stack.poll("the host", lambda: is_ready(client), LIMIT_SECONDS)
            credentials = {"username": ADMIN, "password": password}
            token = client.post("/api/v2/auth/token/", json=credentials).json()["token"]
            client.headers["Authorization"] = f"Token {token}"
            yield stack, client


class Writer:
    """Writes entries of its own, as a text and, once that is refused, as a number."""

    def __init__(self, client: httpx.Client, paths: list[str]) -> None:
        self._client = client
        self.stored = {path: float(number) for number, path in enumerate(paths)}
        self.statuses: Counter[int] = Counter()
        self.done: Counter[type] = Counter()

    def write_until(self, is_over: Callable[[], bool]) -> None:
        number = 100
        kind: type = str
        while not is_over():
            for path in self.stored:
                number += 1
                value: Any = kind(number)
                answer = self._client.patch(path, json={"attrs": {"ram": value}})
                self.statuses[answer.status_code] += 1
                if answer.status_code == 200:
                    self.stored[path] = float(number)
                    self.done[kind] += 1
                elif answer.status_code == 400:
                    kind = int


def test_no_write_is_lost_while_a_worker_converts(host: tuple[Stack, httpx.Client]) -> None:
    stack, client = host
    entity = client.post(
        "/api/v2/entities/", json={"name": "Host", "attrs": [{"name": "ram", "type": "string"}]}
    ).json()
    items = [
        {"op": "create", "entity": "Host", "name": f"h{each}", "attrs": {"ram": str(each // WRITERS)}}
        for each in range(ENTRIES)
    ]
    made = client.post("/api/v2/entries/bulk/", json={"items": items}).json()["results"]
    paths = [f"/api/v2/entries/{each['id']}/" for each in made]
    writers = [Writer(client, paths[at::WRITERS]) for at in range(WRITERS)]
    over = threading.Event()

    with ThreadPoolExecutor(WRITERS) as pool:
        running = [pool.submit(writer.write_until, over.is_set) for writer in writers]
        try:
            stack.poll("texts", _all_have(writers, str), LIMIT_SECONDS)
            change = {"attrs": [{"id": entity["attrs"][0]["id"], "type": "number"}]}
            started = client.post(f"/api/v2/entities/{entity['id']}/convert/", json=change)
            assert started.status_code == 202, started.json()
            path = f"/api/v2/jobs/{started.json()['id']}/"
            stack.poll("the job", lambda: _missing_of(client, path), LIMIT_SECONDS)
            stack.poll("numbers", _all_have(writers, int), LIMIT_SECONDS)
        finally:
            over.set()
        for each in running:
            each.result()

    job = client.get(path).json()
    assert job["result"]["is_written"] is True, job
    assert job["result"]["changes"][0]["entries"] == ENTRIES
    assert {status for writer in writers for status in writer.statuses} <= {200, 400, 409}
    for writer in writers:
        for entry, number in writer.stored.items():
            shown = client.get(entry).json()["attrs"][0]
            assert (shown["type"], shown["value"]) == ("number", number), entry
    stack.run("verify", "pagoda.cli", "entries", "verify")


def _all_have(writers: list[Writer], kind: type) -> Callable[[], str | None]:
    return lambda: None if all(writer.done[kind] for writer in writers) else "not all have written"


def _missing_of(client: httpx.Client, path: str) -> str | None:
    job = client.get(path).json()
    return None if job["phase"] == "finished" else f"it is {job['phase']}"
