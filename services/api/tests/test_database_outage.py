from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import DatabaseError, InternalError, OperationalError
from psycopg import OperationalError as ServerError

from pagoda.health.storage import AWAY, storage_fault
from pagoda_api.database import base


class Server:
    """Says no to connections, as often as it is to, and then yes."""

    def __init__(self, *, refusals: int) -> None:
        self.refusals = refusals
        self.tries: list[str] = []
        self.is_back = threading.Event()

    def connect(self) -> Any:
        self.tries.append(threading.current_thread().name)
        if len(self.tries) <= self.refusals:
            raise ServerError("connection timeout expired")
        self.is_back.set()
        return socket.socket()


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "SLOW_SECONDS", 0.0)
    monkeypatch.setattr(base, "AGAIN_SECONDS", 0.05)


@pytest.fixture
def outage() -> Iterator[base.Outage]:
    made = base.Outage()
    yield made
    if made._watch is not None:
        made._watch.join(10)


def test_a_known_outage_is_waited_for_by_one_thread_alone(outage: base.Outage) -> None:
    server = Server(refusals=3)

    for _ in range(20):
        with pytest.raises(ServerError, match="connection timeout expired"):
            outage.attempt(server.connect)
    mine = [name for name in server.tries if name == threading.current_thread().name]
    assert len(mine) == 1
    assert server.is_back.wait(10)
    assert outage._watch is not None
    outage._watch.join(10)
    outage.attempt(server.connect).close()


def test_what_fails_soon_is_tried_each_time(outage: base.Outage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "SLOW_SECONDS", 60.0)
    server = Server(refusals=2)

    for _ in range(2):
        with pytest.raises(ServerError):
            outage.attempt(server.connect)
    outage.attempt(server.connect).close()
    assert len(server.tries) == 3


def test_an_outage_is_seen_behind_the_error_that_it_led_to() -> None:
    gone = OperationalError("server closed the connection unexpectedly")
    led_to: DatabaseError = InternalError("the transaction is broken")
    led_to.__context__ = gone

    assert storage_fault(led_to) is AWAY
