"""Recording events: one INSERT in the transaction of what they tell of, so that both stand or neither.

Who does it, on whose behalf and through which plugin is taken from the context. The ids are those that logs
carry, so that a log line and an audit event of one request or job always agree.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from structlog.contextvars import get_contextvars

from pagoda.audit.actions import Action
from pagoda.audit.models import AuditEvent
from pagoda.domain.acting import acting_through, acting_user
from pagoda.domain.stamped import insert_rows
from pagoda.domain.user.models import User
from pagoda_plugin_sdk.washing import washed, washed_json, washed_texts

HOST = "host"
JOB = "job"
NAME_MAX = 250
SUBJECT_ID_MAX = 100
REQUEST_ID_MAX = 100
DETAILS_MAX_BYTES = 100_000
_OWN = ("subject_id", "subject")


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where an event comes from: the fields of `AuditEvent` that say so."""

    actor_id: int | None
    actor: str
    on_behalf_of_id: int | None
    on_behalf_of: str
    plugin: str
    request_id: str
    job_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What is to be recorded; the rest is taken from the context."""

    action: Action
    subject_type: str = ""
    subject_id: object = ""
    subject: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)  # JSON values; names of fields, no values
    plugin: str = ""  # the plugin that it concerns; else the one whose code runs
    user: User | None = None  # who does it, where that is not who acts: at a login

    def kind(self) -> tuple[Any, ...]:  # Any: of every field
        """Return what is alike of events that differ in their subjects alone."""
        details = repr(self.details)  # in which 1 is not True
        return self.action, self.subject_type, self.plugin, self.user, details


def record(action: Action, **what: Any) -> None:  # Any: the fields of `Record`
    """Record one event; `what` are the other fields of `Record`."""
    record_all([Record(action=action, **what)])


def record_all(records: Iterable[Record]) -> None:
    """Record events of one origin in one statement."""
    known, records = _here(), list(records)
    kind = records[0].kind() if records else None
    if records and all(each.kind() == kind for each in records[1:]):
        alike = _columns(records[0], _origin(records[0], known))
        own = [[alike[name] for name in _OWN]]
        own += [[washed(*each) for each in _subject(record).values()] for record in records[1:]]
        insert_rows(AuditEvent, {name: alike[name] for name in alike if name not in _OWN}, _OWN, own)
    elif records:
        events = [_columns(each, _origin(each, known)) for each in records]
        rows = [[*(event | {"details": json.dumps(event["details"])}).values()] for event in events]
        insert_rows(AuditEvent, {}, list(events[0]), rows)


def prepared(each: Record) -> dict[str, Any]:
    """Return the columns of one event, ready for a statement of the caller's own: ``{name: parameter}``.

    For what is done so often that a statement, and a transaction around two of them, are most of its cost.
    """
    columns = _columns(each, _origin(each, _here()))
    return {**columns, "details": json.dumps(columns["details"])}


def _here() -> Origin:
    """Return where the calling code's events come from.

    In a job the job is the actor and its user the one on whose behalf it acts.
    """
    through, user = acting_through(), acting_user()
    user_id, name = (None, "") if user is None else (user.pk, user.get_username())
    is_job = through["job_id"] is not None
    return Origin(
        actor_id=None if is_job else user_id,
        actor=JOB if is_job else name or HOST,
        on_behalf_of_id=user_id if is_job else None,
        on_behalf_of=name if is_job else "",
        request_id=get_contextvars().get("request_id", ""),
        **through,
    )


def _origin(each: Record, known: Origin) -> Origin:
    if each.user is not None and known.job_id is None:
        known = replace(known, actor_id=each.user.pk, actor=each.user.get_username())
    return replace(known, plugin=each.plugin) if each.plugin else known


def _columns(each: Record, known: Origin) -> dict[str, Any]:
    return {
        "action": each.action.value,
        "subject_type": each.subject_type,
        "details": washed_json(dict(each.details), max_bytes=DETAILS_MAX_BYTES),
        **asdict(known),
        **washed_texts(
            **_subject(each),
            actor=(known.actor, NAME_MAX),
            on_behalf_of=(known.on_behalf_of, NAME_MAX),
            request_id=(known.request_id, REQUEST_ID_MAX),
        ),
    }


def _subject(each: Record) -> dict[str, tuple[object, int]]:
    return {"subject_id": (each.subject_id, SUBJECT_ID_MAX), "subject": (each.subject, NAME_MAX)}
