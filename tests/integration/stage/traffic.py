"""What clients send all the while: entries are written and read, jobs are queued, each answer is counted."""

from __future__ import annotations

import contextlib
import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from tests.integration.stage.containers import PagodaContainer
from tests.integration.stage.stack import API_PORT, Stack

ENTITY, WRITERS = "Carried", 3
GIVE_UP_SECONDS = 60.0
PAUSE_SECONDS = 0.05
DRAIN_SECONDS = 2.0
"""Between an API's leaving the list and its stop, as between a Pod's leaving its Service and SIGTERM."""

_names = itertools.count(1)


class Traffic:
    """Requests to any of the APIs that serve at the time, from several clients at once."""

    def __init__(self, stack: Stack) -> None:
        self._stack, self._over = stack, threading.Event()
        self._serving: list[str] = []
        self.answers: Counter[str] = Counter()  # "200", "503 told to wait", what else went wrong
        self.values: dict[int, str] = {}  # of each entry, as a write was answered with success
        self.wrong: list[str] = []  # what was read otherwise than it was written
        self.jobs: list[int] = []
        self.longest_wait = 0.0  # seconds from a request's first try to its success

    def serve(self, api: PagodaContainer) -> None:
        """Send requests to an API, too."""
        self._serving = [*self._serving, api.address(API_PORT)]

    def retire(self, api: PagodaContainer) -> None:
        """Send no more to an API, then stop it."""
        self._serving = [address for address in self._serving if address != api.address(API_PORT)]
        time.sleep(DRAIN_SECONDS)
        api.get_wrapped_container().stop(timeout=60)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Send until the block ends; raises what a client raised."""
        self._stack.client.post("entities/", name=ENTITY, attrs=[{"name": "load", "type": "string"}])
        with ThreadPoolExecutor(WRITERS + 1) as pool:
            clients = [pool.submit(self._write_and_read, number) for number in range(WRITERS)]
            clients.append(pool.submit(self._queue))
            try:
                yield
            finally:
                self._over.set()
            for client in clients:
                client.result()

    def pass_by(self, count: int) -> None:
        """Wait until so many more requests were answered with success."""
        until, deadline = self._successes() + count, time.monotonic() + GIVE_UP_SECONDS
        while self._successes() < until:
            assert time.monotonic() < deadline, f"no {count} successes in time: {self.answers}"
            time.sleep(0.1)

    def read_back(self) -> dict[int, str | None]:
        """Return the value of each entry that was written, as it is read now."""
        with httpx.Client(timeout=30) as client:
            return {entry: _load(self._sent(client, "GET", f"entries/{entry}/")) for entry in [*self.values]}

    def _successes(self) -> int:
        return sum(count for answer, count in [*self.answers.items()] if answer in {"200", "201", "202"})

    def _write_and_read(self, writer: int) -> None:
        with httpx.Client(timeout=30) as client:
            for number in itertools.count():
                if self._over.is_set():
                    return
                value = f"first of {writer}-{number}"
                body = {"schema": ENTITY, "attrs": {"load": value}}
                entry = int(self._sent(client, "POST", "entries/", body)["id"])
                self.values[entry] = value
                self._compare(client, entry, value)
                value = f"second of {writer}-{number}"
                self._sent(client, "PATCH", f"entries/{entry}/", {"attrs": {"load": value}})
                self.values[entry] = value
                self._compare(client, entry, value)

    def _compare(self, client: httpx.Client, entry: int, value: str) -> None:
        read = _load(self._sent(client, "GET", f"entries/{entry}/"))
        if read != value:
            self.wrong.append(f"entry {entry}: {read!r} was read where {value!r} was written")

    def _queue(self) -> None:
        with httpx.Client(timeout=30) as client:
            for number in itertools.count():
                if self._over.wait(PAUSE_SECONDS):
                    return
                body = {"params": {"seconds": 0.1}, "idempotency_key": f"traffic-{id(self)}-{number}"}
                path = "plugins/trial/run/effect/"
                self.jobs.append(int(self._sent(client, "POST", path, body)["job"]))

    def _sent(self, client: httpx.Client, method: str, path: str, body: Any = None) -> Any:
        """Send until it succeeds. Each try at an entry has its own name: one may have been made unheard."""
        began = time.monotonic()
        while True:
            if path == "entries/":
                body |= {"name": f"entry {next(_names)}"}
            address = random.choice(self._serving)
            try:
                answer = client.request(
                    method,
                    f"http://{address}/api/v2/{path}",
                    json=body,
                    headers={"Authorization": self._stack.client.authorization},
                )
            except httpx.TransportError as error:
                self.answers[type(error).__name__] += 1
            else:
                told = (
                    answer.status_code == httpx.codes.SERVICE_UNAVAILABLE and "Retry-After" in answer.headers
                )
                self.answers["503 told to wait" if told else str(answer.status_code)] += 1
                if answer.is_success:
                    self.longest_wait = max(self.longest_wait, time.monotonic() - began)
                    return answer.json()
                if not told:
                    self.wrong.append(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
            assert time.monotonic() - began < GIVE_UP_SECONDS, f"{method} {path}: {self.answers}"
            time.sleep(PAUSE_SECONDS)


def _load(entry: dict[str, Any]) -> str | None:
    return next((attr["value"] for attr in entry["attrs"] if attr["name"] == "load"), None)
