"""The log can't be changed in silence: triggers refuse it, and the chain shows it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from pagoda.audit import append_only
from pagoda.audit.actions import Action
from pagoda.audit.archiving import exported
from pagoda.audit.hashing import seal_hash
from pagoda.audit.models import AuditEvent, AuditSeal, PendingEvent
from pagoda.audit.recording import record
from pagoda.audit.sealing import seal_all
from pagoda.audit.verifying import verify

pytestmark = pytest.mark.django_db


def add(*names: str) -> list[int]:
    for name in names:
        record(Action.LOGOUT, subject=name, details={"größe": 1.5})
    return list(AuditEvent.objects.order_by("-pk").values_list("pk", flat=True)[: len(names)])[::-1]


@pytest.fixture
def chain() -> list[int]:
    """Three seals over four events."""
    ids = add("a", "b")
    seal_all()
    ids += add("c")
    seal_all()
    ids += add("d")
    seal_all()
    return ids


def test_sealing_covers_each_event_once(chain: list[int]) -> None:
    found = verify()
    assert (found.events, found.seals, found.unsealed, found.fault) == (4, 3, (), None)
    assert [seal.event_ids for seal in AuditSeal.objects.all()] == [chain[:2], chain[2:3], chain[3:]]
    assert seal_all() == 0
    assert not PendingEvent.objects.exists()


def test_what_is_not_sealed_yet_is_told(chain: list[int]) -> None:
    (tail,) = add("e")
    assert verify().unsealed == (tail,)
    assert verify().fault is None


def test_an_event_that_commits_late_is_sealed_though_its_number_is_lower(chain: list[int]) -> None:
    first, second = add("late", "early")
    PendingEvent.objects.filter(pk=first).delete()  # as if not committed yet
    seal_all()
    PendingEvent.objects.create(pk=first)
    seal_all()
    assert [seal.event_ids for seal in AuditSeal.objects.order_by("number")][-2:] == [[second], [first]]
    assert verify().fault is None


def test_many_events_are_several_seals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pagoda.audit.sealing.BATCH", 2)
    add("a", "b", "c", "d", "e")
    assert seal_all() == 5
    assert (verify().seals, verify().fault) == (3, None)


def _edit(ids: list[int]) -> None:
    AuditEvent.objects.filter(pk=ids[2]).update(subject="x")


def _remove(ids: list[int]) -> None:
    AuditEvent.objects.filter(pk=ids[1]).delete()


def _remove_seal(_ids: list[int]) -> None:
    AuditSeal.objects.filter(number=2).delete()


def _rewrite_seal(ids: list[int]) -> None:
    _edit(ids)
    seal = AuditSeal.objects.get(number=2)
    events = [event.to_json() for event in AuditEvent.objects.filter(pk__in=seal.event_ids)]
    AuditSeal.objects.filter(number=2).update(hash=seal_hash(seal, events))


def _hide(ids: list[int]) -> None:
    AuditSeal.objects.filter(number=3).update(event_ids=[ids[2]])


@pytest.mark.parametrize(
    ("tamper", "fault"),
    [
        (_edit, "seal 2 does not match: event {2} was changed since, or the seal was"),
        (_remove, "event {1} is missing: seal 1 covers it"),
        (_remove_seal, "seal 2 is missing: after seal 1 comes seal 3"),
        (_rewrite_seal, "seal 3 does not follow seal 2: it names another predecessor's hash"),
        (_hide, "event {2} is covered twice, by seal 3 for the second time"),
    ],
)
def test_the_first_thing_that_is_wrong_is_named(
    chain: list[int], tamper: Callable[[list[int]], None], fault: str
) -> None:
    tamper(chain)
    assert verify().fault == fault.format(*chain)


def test_seals_cut_off_at_the_end_are_noticed_by_who_knows_the_head(chain: list[int]) -> None:
    head = verify().head
    AuditSeal.objects.filter(number=3).delete()
    assert verify().fault is None  # the chain alone can't know
    assert "is not in the chain, which ends in '2:" in str(verify(head).fault)


def test_an_export_has_a_line_for_each_event_that_hashes_to_the_seal(chain: list[int]) -> None:
    lines = list(exported())
    assert [json.loads(line)["subject"] for line in lines] == ["a", "b", "c", "d"]
    seal = AuditSeal.objects.get(number=1)
    assert seal.hash == seal_hash(seal, map(json.loads, lines[:2]))
    assert list(exported(AuditEvent.objects.get(pk=chain[3]).happened_at))[-1:] == lines[3:]


@pytest.fixture
def guarded(chain: list[int]) -> None:
    append_only.guard(connection)  # the test's rollback takes the guards off again


@pytest.mark.usefixtures("guarded")
@pytest.mark.parametrize("model", [AuditEvent, AuditSeal])
@pytest.mark.parametrize("write", ["update", "delete"])
def test_the_database_refuses_to_change_what_is_recorded(model: Any, write: str) -> None:
    rows = model.objects.all()
    with pytest.raises(DatabaseError, match=append_only.REFUSAL), transaction.atomic():
        rows._raw_delete(rows.db) if write == "delete" else rows.update(**{model._meta.pk.name: 99})
    assert verify().fault is None


@pytest.mark.usefixtures("guarded")
@pytest.mark.parametrize("table", append_only.TABLES)
def test_postgresql_refuses_to_truncate(table: str) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no TRUNCATE")
    with (
        pytest.raises(DatabaseError, match=append_only.REFUSAL),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(f"TRUNCATE {table}")
