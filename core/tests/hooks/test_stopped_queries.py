"""Handlers that wait for the database are cut off, and the connection stays in order."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection, transaction

from pagoda.hooks.manager import HookManager

from .conftest import Calls


@pytest.mark.django_db
def test_a_cut_inside_the_database_layer_leaves_the_connection_in_order(impatient: HookManager) -> None:
    def write_for_ever(*_args: Any) -> None:
        number = 0
        while True:
            with transaction.atomic(), transaction.atomic(savepoint=False):
                Group.objects.create(name=f"written {number}")
                number += 1

    record = impatient.register_hook("entry.after_create", write_for_ever)
    for attempt in range(6):
        with transaction.atomic():
            before = (list(connection.savepoint_ids), list(connection.atomic_blocks))
            impatient.execute_hook("entry.after_create", "customer", None, None)
            assert (connection.savepoint_ids, connection.atomic_blocks) == before
            Group.objects.create(name=f"host {attempt}")
    assert impatient.statistics(record).timeouts == 6
    assert set(Group.objects.values_list("name", flat=True)) == {f"host {n}" for n in range(6)}


COUNT_FOR_EVER = """
    WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers) SELECT count(*) FROM numbers
"""
SHOW_FOR_EVER = COUNT_FOR_EVER.replace("count(*)", "n")


def query(sql: str) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall())


@pytest.mark.django_db
@pytest.mark.parametrize("sql", [COUNT_FOR_EVER, SHOW_FOR_EVER], ids=["executing", "fetching"])
def test_a_slow_query_is_stopped_and_the_hosts_transaction_goes_on(impatient: HookManager, sql: str) -> None:
    record = impatient.register_hook("entry.after_create", lambda *_args: query(sql))
    Group.objects.create(name="before")
    impatient.execute_hook("entry.after_create", "customer", None, None)
    Group.objects.create(name="after")
    assert impatient.statistics(record).timeouts == 1
    assert sys.exception() is None
    assert set(Group.objects.values_list("name", flat=True)) == {"before", "after"}


@pytest.mark.django_db
def test_a_slow_query_whose_error_is_swallowed_is_no_way_out(impatient: HookManager, calls: Calls) -> None:
    def ask_again(*_args: Any) -> None:
        while True:
            with suppress(Exception):
                query(SHOW_FOR_EVER)

    record = impatient.register_hook("entry.after_create", ask_again)
    impatient.register_hook("entry.after_create", calls.handler("later"))
    impatient.execute_hook("entry.after_create", "customer", None, None)
    assert calls.names == ["later"]
    assert impatient.statistics(record).timeouts == 1
