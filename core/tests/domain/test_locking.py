from __future__ import annotations

from unittest.mock import MagicMock, Mock

import pytest
from django.db import OperationalError

from pagoda.domain import locking
from pagoda.domain.interrupting import was_ended


class Refused(Exception):
    """What psycopg raises."""

    def __init__(self, sqlstate: str) -> None:
        super().__init__("in the language of the server")
        self.sqlstate = sqlstate


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("sqlstate", "refused", "tried"), [("55P03", 2, 3), ("55P03", 60, 60), ("53100", 1, 1)]
)
def test_a_change_of_a_large_table_waits_for_its_lock_a_little_at_a_time(
    monkeypatch: pytest.MonkeyPatch, sqlstate: str, refused: int, tried: int
) -> None:
    monkeypatch.setattr("pagoda.domain.locking.time.sleep", lambda _seconds: None)
    statements: list[str] = []
    asked = Mock(alias="default", **{"cursor.return_value": MagicMock()})
    asked.cursor.return_value.__enter__.return_value.execute = statements.append

    def change() -> None:
        statements.append("change")
        if statements.count("change") <= refused:
            raise OperationalError("refused") from Refused(sqlstate)

    if tried > refused:
        locking.patiently(asked, change)
    else:
        with pytest.raises(OperationalError):
            locking.patiently(asked, change)
    assert statements == ["SET LOCAL lock_timeout = '2s'", "change"] * tried


@pytest.mark.parametrize(("sqlstate", "is_ended"), [("57014", True), ("55P03", False), ("57P01", False)])
def test_that_a_server_ended_a_query_is_known_in_every_language(sqlstate: str, is_ended: bool) -> None:
    error = OperationalError("storniere Anfrage wegen Zeitüberschreitung der Anfrage")
    error.__cause__ = Refused(sqlstate)
    assert was_ended(error) is is_ended
