"""What the statements give, as far as it shows without a server; the worker's tests run them on one."""

from __future__ import annotations

import pytest

from pagoda.database_accounts.domain_tables import Reach, domain_statements
from pagoda.database_accounts.shared_tables import JOB_UPDATED, SHARED, columns
from pagoda.database_accounts.sql import ident, literal
from pagoda.database_accounts.statements import PluginAccount, confined_tables, own_tables, plugin_statements


def test_a_plugin_gets_no_table_of_the_host_s_or_of_another_plugin_s() -> None:
    models = {"first": ["first_note", "user_user"], "second": ["first_note", "second_note", "second_note"]}

    assert own_tables(models, frozenset({"user_user"})) == {
        "first": ("first_note",),
        "second": ("second_note",),
    }


@pytest.mark.parametrize(
    ("name", "as_name", "as_text"),
    [
        ("plain", '"plain"', "'plain'"),
        ("it's", '"it\'s"', "'it''s'"),
        ('a"b', '"a""b"', "'a\"b'"),
        ("a\\", '"a\\"', " E'a\\\\'"),
    ],
)
def test_names_and_texts_are_quoted(name: str, as_name: str, as_text: str) -> None:
    assert (ident(name), literal(name)) == (as_name, as_text)


def test_what_gives_power_is_no_column_that_a_worker_updates() -> None:
    kept = {"user_id", "plugin", "operation", "operation_name", "queue", "max_attempts", "params"}
    kept |= {"soft_limit_seconds", "hard_limit_seconds", "retry_backoff_seconds", "cancel_requested_at"}

    assert not kept & {*JOB_UPDATED}
    assert kept <= {*columns("job.Job")}, "columns that exist"
    assert {*JOB_UPDATED} <= {*columns("job.Job")}


def test_nobody_chooses_ids() -> None:
    assert all("id" not in columns(table.model, generated=False) for table in SHARED)


def test_without_permissions_there_is_no_right_on_entries() -> None:
    assert list(domain_statements("p", "role", ())) == []


def test_every_table_of_a_policy_has_its_rows_confined() -> None:
    account = PluginAccount(
        plugin_id="p", permissions=frozenset({"entry:write", "entity:write:A", "entry:read:B", "user:read"})
    )

    tables = {each.made[1] for each in plugin_statements(account) if each.made is not None}

    assert tables == {*confined_tables()}


@pytest.mark.parametrize(
    ("permissions", "names", "is_all"),
    [
        (["entry:read"], set(), True),
        (["entry:read:A", "entry:read:B:C"], {"A", "B:C"}, False),
        (["entry:write:A"], set(), False),
    ],
)
def test_the_rest_after_the_second_colon_is_one_name(
    permissions: list[str], names: set[str], is_all: bool
) -> None:
    reach = Reach.of(permissions, "entry:read")
    assert (set(reach.names), reach.all) == (names, is_all)
