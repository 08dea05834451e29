from __future__ import annotations

import json
import sqlite3
from typing import Any

import pytest


@pytest.fixture
def audited(pagoda: Any) -> Any:
    """A migrated host with some users made, and so some events."""
    pagoda.copy_tables()
    pagoda.set(DJANGO_SUPERUSER_PASSWORD="hunter2")
    for name in ("ada", "bob"):
        pagoda("manage", "createsuperuser", "--noinput", "--username", name, "--email", "x@example.org")
    return pagoda


def database(pagoda: Any) -> sqlite3.Connection:
    return sqlite3.connect(pagoda.folder / "data" / "pagoda.sqlite3")


def test_what_was_done_is_sealed_verified_and_exported(audited: Any) -> None:
    assert "2 event(s) are not sealed yet: 1, 2." in audited("audit", "verify")
    assert audited("audit", "seal") == "2 event(s) sealed\n"
    printed = audited("audit", "verify")
    assert printed.startswith("ok: 2 event(s) in 1 seal(s), head 1:")
    head = printed.split()[-1]
    assert audited("audit", "verify", "--head", head) == printed
    assert "is not in the chain" in audited("audit", "verify", "--head", "9:abc", status=1)
    exported = audited("audit", "export", "--since", "2020-01-01", "--format", "jsonl")
    events = [json.loads(line) for line in exported.splitlines()]
    assert [(event["action"], event["subject"]) for event in events] == [
        ("user.created", "ada"),
        ("user.created", "bob"),
    ]
    assert "hunter2" not in exported
    assert audited("audit", "export", "--since", "2999-01-01") == ""


def test_the_migrated_database_refuses_changes_and_verify_notices_forced_ones(audited: Any) -> None:
    audited("audit", "seal")
    with database(audited) as connection:
        for table in ("audit_auditevent", "audit_auditseal"):
            for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET rowid = 99"):
                with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                    connection.execute(statement)
        connection.execute("DROP TRIGGER audit_auditevent_no_update")
        connection.execute("UPDATE audit_auditevent SET subject = 'eve' WHERE id = 2")
    connection.close()
    printed = audited("audit", "verify", status=1)
    assert "can't be relied on: seal 1 does not match: one of the events 1 to 2 was changed" in printed


def test_a_time_that_is_none_is_named(audited: Any) -> None:
    for words in (("export", "--since"), ("prune", "--export", "x.jsonl", "--before")):
        for given in ("yesterday", "0001-01-01T00:00:00+23:00"):
            printed = audited("audit", *words, given, status=2)
            assert f"'{given}' is no time; expected ISO 8601" in printed
            assert f"Invalid value for {words[-1]}" in printed


def test_old_events_are_pruned_into_a_file(audited: Any) -> None:
    audited("audit", "seal")
    path = audited.folder / "old.jsonl"
    words = ("audit", "prune", "--before", "2999-01-01", "--export", str(path))
    assert audited(*words) == f"0 event(s) removed; they are in {path}\n"  # the last seal stays
    audited("manage", "createsuperuser", "--noinput", "--username", "cy", "--email", "x@example.org")
    audited("audit", "seal")

    assert "can't be made: File exists" in audited(*words, status=2)
    path.unlink()
    assert audited(*words) == f"2 event(s) removed; they are in {path}\n"

    assert [json.loads(line)["subject"] for line in path.read_text().splitlines()] == ["ada", "bob"]
    assert audited("audit", "verify").startswith("ok: 2 event(s) in 1 seal(s), head 2:")


def test_a_log_that_was_tampered_with_is_not_pruned(audited: Any) -> None:
    audited("audit", "seal")
    with database(audited) as connection:
        connection.execute("DROP TRIGGER audit_auditevent_no_update")
        connection.execute("UPDATE audit_auditevent SET subject = 'eve' WHERE id = 2")
    connection.close()
    path = audited.folder / "old.jsonl"

    printed = audited("audit", "prune", "--before", "2999-01-01", "--export", str(path), status=1)

    assert "so nothing is removed: seal 1 does not match" in printed
    assert not path.exists()
