"""A connection of SQLite asks all who may end its queries, whoever asked to be asked last."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import OperationalError, connection

from pagoda.budget import TimeBudget
from pagoda.domain.interrupting import ask_no_more, end_when, ending_when
from pagoda.domain.search.bounding import bounded

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif("connection.vendor != 'sqlite'", reason="others are told to stop from outside"),
]

LONG = (
    "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 300000) SELECT count(*) FROM n"
)


def run() -> int:
    with connection.cursor() as cursor:
        cursor.execute(LONG)
        return int(cursor.fetchone()[0])


@pytest.fixture
def asked() -> Iterator[list[str]]:
    """Who was asked; the query ends once it holds "enough"."""
    names: list[str] = []

    def question() -> bool:
        names.append("outer")
        return "enough" in names

    end_when(connection, question)
    yield names
    ask_no_more(connection, question)


def test_a_search_leaves_whoever_was_asked_before(asked: list[str]) -> None:
    with bounded():
        assert run() == 300_000
    assert "outer" in asked  # while the search ran
    asked[:] = ["enough"]

    with pytest.raises(OperationalError, match="interrupted"):
        run()


def test_each_ends_a_query_and_only_while_it_is_asked(asked: list[str]) -> None:
    with ending_when(connection, lambda: True):
        with ending_when(connection, lambda: False), pytest.raises(OperationalError, match="interrupted"):
            run()
        with pytest.raises(OperationalError, match="interrupted"):
            run()
    assert run() == 300_000


def test_the_budget_of_plugins_is_asked_after_a_search_and_no_more_once_it_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    budget, asked = TimeBudget(), []
    monkeypatch.setattr(type(budget.guard), "_is_to_stop", lambda _guard: asked.append(1))
    budget.open()
    with bounded():
        run()
    asked.clear()
    run()
    assert asked
    budget.close()
    asked.clear()
    run()
    assert not asked
