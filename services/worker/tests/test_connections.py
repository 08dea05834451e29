from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from pagoda_worker import connections as module
from pagoda_worker.connections import IDLE_SECONDS, KeptConnections


@dataclass
class FakeConnection:
    connection: object | None = field(default_factory=object)
    errors_occurred: bool = False
    is_autocommit: bool = True
    checks: int = 0

    def get_autocommit(self) -> bool:
        return self.is_autocommit

    def close_if_unusable_or_obsolete(self) -> None:
        self.checks += 1


@dataclass
class FakeConnections:
    held: list[FakeConnection]

    def all(self, initialized_only: bool = False) -> list[FakeConnection]:
        assert initialized_only
        return self.held


@dataclass
class FakeClock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> FakeConnection:
    made = FakeConnection()
    monkeypatch.setattr(module, "connections", FakeConnections([made]))
    return made


def test_jobs_in_a_row_check_nothing(connection: FakeConnection) -> None:
    kept = KeptConnections(FakeClock(), used_at=0.0)
    for _ in range(100):
        kept.before_job()
        kept.after_job()
    assert connection.checks == 0


def test_connection_is_checked_after_a_pause(connection: FakeConnection) -> None:
    clock = FakeClock()
    kept = KeptConnections(clock, used_at=0.0)
    clock.now = IDLE_SECONDS + 1
    kept.before_job()
    assert (connection.checks, connection.errors_occurred) == (1, True)


@pytest.mark.parametrize(
    "broken",
    [{"errors_occurred": True}, {"is_autocommit": False}],
    ids=["the job saw an error", "the job left a transaction open"],
)
def test_suspect_connection_is_checked_after_its_job(
    connection: FakeConnection, broken: dict[str, Any]
) -> None:
    for name, value in broken.items():
        setattr(connection, name, value)
    KeptConnections(FakeClock()).after_job()
    assert connection.checks == 1


def test_connection_that_was_never_opened_is_left_alone(connection: FakeConnection) -> None:
    connection.connection, connection.errors_occurred = None, True
    KeptConnections(FakeClock()).after_job()
    assert connection.checks == 0
