"""Every id is accounted for: by a seal, its note that no event had it, or the summary of what was pruned."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from pagoda.audit import append_only, archiving
from pagoda.audit.actions import Action
from pagoda.audit.models import AuditEvent, AuditSeal, PendingEvent
from pagoda.audit.recording import record
from pagoda.audit.sealing import seal_all
from pagoda.audit.verifying import verify

pytestmark = pytest.mark.django_db


def add(*names: str) -> list[int]:
    for name in names:
        record(Action.LOGOUT, subject=name)
    return list(AuditEvent.objects.order_by("-pk").values_list("pk", flat=True)[: len(names)])[::-1]


def age(ids: list[int], **by: float) -> None:
    AuditEvent.objects.filter(pk__in=ids).update(happened_at=timezone.now() - timedelta(**by))


def skip_ids(count: int) -> None:
    """Use up ids, as writes do that are rolled back."""
    ids = add(*["rolled back"] * count)
    AuditEvent.objects.filter(pk__in=ids).delete()
    PendingEvent.objects.filter(pk__in=ids).delete()


def test_an_event_that_waits_for_longer_than_a_minute_for_its_seal_is_a_fault() -> None:
    first, second = add("a", "b")
    assert verify().fault is None

    age([second], minutes=2)

    fault = str(verify().fault)
    assert fault.startswith(
        f"1 event(s) have waited for a seal for longer than a minute, event {second} first"
    )
    assert "`pagoda audit seal`" in fault
    assert verify().unsealed == (first, second)


def test_an_event_that_is_hidden_from_sealing_is_found() -> None:
    hidden, _ = add("hidden", "b")
    PendingEvent.objects.filter(pk=hidden).delete()
    seal_all()
    assert verify().unsealed == (hidden,)

    age([hidden], minutes=2)

    assert f"event {hidden} first" in str(verify().fault)


def test_an_event_that_is_hidden_from_sealing_and_removed_later_is_missed() -> None:
    add("a")
    hidden, _ = add("hidden", "b")
    PendingEvent.objects.filter(pk=hidden).delete()
    seal_all()

    AuditEvent.objects.filter(pk=hidden).delete()

    assert verify().fault == f"event {hidden} is missing: it was there when its neighbours were sealed"


def test_an_event_that_is_removed_before_it_is_sealed_is_missed(capfd: pytest.CaptureFixture[str]) -> None:
    first, removed = add("a", "removed")
    AuditEvent.objects.filter(pk=removed).delete()

    assert seal_all() == 2

    assert verify().fault == f"event {removed} is missing: seal 1 covers it"
    assert AuditSeal.objects.get().event_ids == [first, removed]


@pytest.mark.parametrize("offset", [0, 10**12], ids=["of a sealed event", "of none"])
def test_what_is_put_into_the_table_of_pending_events_is_found(offset: int) -> None:
    ids = add("a", "b")
    seal_all()

    PendingEvent.objects.create(pk=ids[0] + offset)
    seal_all()

    assert str(verify().fault).startswith(f"event {ids[0] + offset} is ")


def test_ids_of_writes_that_were_rolled_back_are_no_fault_wherever_they_are() -> None:
    for before, after in ((3, 0), (0, 2), (1, 1)):
        skip_ids(before)
        add("a", "b")
        skip_ids(after)
        seal_all()
    add("c")
    seal_all()

    assert verify().fault is None
    assert verify().events == 7


def test_a_seal_can_not_be_made_to_say_that_an_event_was_never_there() -> None:
    add("a")
    hidden, _ = add("hidden", "b")
    PendingEvent.objects.filter(pk=hidden).delete()
    seal_all()
    AuditEvent.objects.filter(pk=hidden).delete()

    AuditSeal.objects.update(absent=[[hidden, hidden]])

    assert str(verify().fault).startswith("seal 1 does not match")


def test_seals_of_releases_that_did_not_look_at_ids_are_taken_as_they_are() -> None:
    from pagoda.audit.hashing import seal_hash

    skip_ids(2)
    add("a", "b")
    seal_all()
    seal = AuditSeal.objects.get()
    seal.up_to, seal.absent = None, []
    seal.hash = seal_hash(seal, [event.to_json() for event in AuditEvent.objects.all()])
    seal.save()
    skip_ids(2)
    add("c")
    seal_all()

    assert verify().fault is None
    assert AuditSeal.objects.get(number=2).absent == [[seal.reach + 1, seal.reach + 2]]


def pruned(before: timedelta, *, secure: Callable[[], object] = lambda: None) -> tuple[int, list[str]]:
    lines: list[str] = []
    return archiving.prune(timezone.now() - before, lines.append, secure), lines


@pytest.fixture
def old() -> list[int]:
    """Four seals: two events that are a year old, one of a month, one of now."""
    year, month = add("a", "b"), add("c")
    age(year, days=365)
    age(month, days=30)
    PendingEvent.objects.filter(pk__in=month).delete()
    seal_all()
    PendingEvent.objects.create(pk=month[0])
    seal_all()
    now = add("d")
    seal_all()
    return [*year, *month, *now]


def test_what_is_pruned_is_written_first_and_the_chain_goes_on(old: list[int]) -> None:
    lines_when_secured: list[int] = []
    lines: list[str] = []
    head = f"2:{AuditSeal.objects.get(number=2).hash}"

    count = archiving.prune(
        timezone.now() - timedelta(days=7), lines.append, lambda: lines_when_secured.append(len(lines))
    )

    assert (count, lines_when_secured) == (3, [3])
    assert [json.loads(line)["subject"] for line in lines] == ["a", "b", "c"]
    assert list(AuditEvent.objects.values_list("subject", flat=True)) == ["d", "seals to 2"]
    summary = AuditEvent.objects.latest("pk").details
    assert (summary["seal"], summary["counts"]) == (2, {"logout": 3})
    assert verify().fault is None
    seal_all()
    assert verify().fault is None
    assert verify(head).fault is None  # a head of a log that is older than what was pruned


def test_only_what_is_old_is_pruned(old: list[int]) -> None:
    assert pruned(timedelta(days=100))[0] == 2
    assert pruned(timedelta(days=100)) == (0, [])
    assert verify().fault is None


def test_a_summary_that_is_pruned_counts_in_the_next(old: list[int]) -> None:
    pruned(timedelta(days=100))
    seal_all()
    add("e")
    seal_all()

    assert pruned(timedelta(0))[0] == 3  # c, d and the summary; the last seal stays

    summary = AuditEvent.objects.latest("pk").details
    assert summary["counts"] == {"logout": 4}
    assert verify().fault is None


def test_pruning_takes_steps(old: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archiving, "EVENTS", 1)

    assert pruned(timedelta(days=7))[0] == 3

    assert [e.details["seal"] for e in AuditEvent.objects.filter(action=Action.AUDIT_PRUNED)] == [1, 2]
    seal_all()
    assert verify().fault is None


def test_a_failure_to_write_removes_nothing(old: list[int]) -> None:
    def fail() -> None:
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"), transaction.atomic():
        pruned(timedelta(days=7), secure=fail)

    assert AuditEvent.objects.count() == 4
    assert verify().fault is None


@pytest.mark.parametrize("what", ["seals", "summary"])
def test_cutting_off_the_beginning_without_a_summary_is_found(old: list[int], what: str) -> None:
    if what == "summary":
        pruned(timedelta(days=7))
        append_only.unguard(connection)
        AuditEvent.objects.filter(action=Action.AUDIT_PRUNED).delete()
    else:
        AuditSeal.objects.filter(number__lte=2).delete()

    assert verify().fault == "seal 1 is missing: after seal 0 comes seal 3"


def test_the_tables_are_guarded_again_when_events_were_pruned(old: list[int]) -> None:
    append_only.guard(connection)
    pruned(timedelta(days=7))

    with pytest.raises(DatabaseError, match=append_only.REFUSAL), transaction.atomic():
        AuditEvent.objects.update(subject="x")
