"""The tables of the audit log; triggers refuse to change what is in them (`append_only`)."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models.functions import Now


class AuditEvent(models.Model):
    """One thing that was done. No foreign keys: an event outlives everything it names."""

    happened_at = models.DateTimeField(db_default=Now(), editable=False)  # by the database's clock
    action = models.CharField(max_length=40)  # an `Action`

    # Who, on whose behalf, through what
    actor_id = models.BigIntegerField(null=True)  # the user; NULL: a job, or the host itself
    actor = models.CharField(max_length=250)  # the user's name, "job" or "host"
    on_behalf_of_id = models.BigIntegerField(null=True)  # the user whom a job works for
    on_behalf_of = models.CharField(max_length=250, default="", blank=True)
    plugin = models.CharField(max_length=100, default="", blank=True)  # whose code did it, "" for the host's
    request_id = models.CharField(max_length=100, default="", blank=True)
    job_id = models.BigIntegerField(null=True)

    # What
    subject_type = models.CharField(max_length=40, default="", blank=True)  # entry, user, job, plugin, ...
    subject_id = models.CharField(max_length=100, default="", blank=True)
    subject = models.CharField(max_length=250, default="", blank=True)  # its name then
    details = models.JSONField(default=dict)  # names of changed fields and the like, never values

    class Meta:
        app_label = "audit"
        ordering = ["id"]
        indexes = [
            models.Index(fields=["happened_at"], name="audit_happened"),
            models.Index(fields=["subject_type", "subject_id"], name="audit_subject"),
        ]

    def __str__(self) -> str:
        return f"event {self.pk}: {self.action} {self.subject}"

    def to_json(self) -> dict[str, Any]:
        """Return everything the event says as JSON values; the seals hash this."""
        return {
            "id": self.pk,
            "happened_at": self.happened_at.isoformat(timespec="microseconds"),
            "action": self.action,
            "actor_id": self.actor_id,
            "actor": self.actor,
            "on_behalf_of_id": self.on_behalf_of_id,
            "on_behalf_of": self.on_behalf_of,
            "plugin": self.plugin,
            "request_id": self.request_id,
            "job_id": self.job_id,
            "subject_type": self.subject_type,
            "subject_id": self.subject_id,
            "subject": self.subject,
            "details": self.details,
        }


class PendingEvent(models.Model):
    """An event that no seal covers yet; a trigger adds it with the event, sealing removes it."""

    event_id = models.BigIntegerField(primary_key=True)

    class Meta:
        app_label = "audit"

    def __str__(self) -> str:
        return f"event {self.event_id}, not sealed"


class FailedLogins(models.Model):
    """Failures of one kind from one network that wait to be told as one event; no part of the chain."""

    action = models.CharField(max_length=40)  # an `Action`
    network = models.CharField(max_length=50)
    ends_at = models.DateTimeField()  # then they are told
    count = models.BigIntegerField(default=0)  # the first among them, which is an event already
    names = models.JSONField(default=list)  # some of those that were tried after it

    class Meta:
        app_label = "audit"
        constraints = [models.UniqueConstraint(fields=["action", "network"], name="audit_one_per_network")]
        indexes = [models.Index(fields=["ends_at"], name="audit_failed_ends")]

    def __str__(self) -> str:
        return f"{self.count} {self.action} from {self.network}"


class AuditSeal(models.Model):
    """A link of the hash chain: it covers some events and, by its predecessor's hash, all before them."""

    number = models.BigIntegerField(primary_key=True)  # from 1, without gaps
    sealed_at = models.DateTimeField(db_default=Now(), editable=False)
    previous_hash = models.CharField(max_length=64)  # "" for the first
    event_ids = models.JSONField()  # in the order in which they are hashed
    up_to = models.BigIntegerField(null=True)  # ids that this and earlier seals account for; NULL: none
    absent = models.JSONField(default=list)  # those of them that no event had: [[first, last], ...]
    hash = models.CharField(max_length=64)  # SHA-256, see `hashing`

    class Meta:
        app_label = "audit"
        ordering = ["number"]

    def __str__(self) -> str:
        return f"seal {self.number} of {len(self.event_ids)} events"

    @property
    def reach(self) -> int:
        """Return the highest id that it accounts for."""
        return max(self.event_ids, default=0) if self.up_to is None else self.up_to
