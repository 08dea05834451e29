"""What processes tell each other through the database; small tables, old rows are pruned."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now


class Presence(models.Model):
    """A process of a service that says again and again that it lives."""

    node = models.CharField(max_length=200, primary_key=True)  # names the process among all
    service = models.CharField(max_length=20)  # api, worker, dispatcher
    queue = models.CharField(max_length=120, default="", blank=True)  # that it consumes, "" for none
    host = models.CharField(max_length=200)
    pid = models.PositiveIntegerField()
    digest = models.CharField(max_length=64, default="", blank=True)  # of its plugin registry
    skipped = models.JSONField(default=dict)  # {plugin: reason code} that it left out, or found at fault
    started_at = models.DateTimeField(db_default=Now(), editable=False)
    seen_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        app_label = "watching"

    def __str__(self) -> str:
        return f"{self.service} {self.node}"


class TrafficMinute(models.Model):
    """What one surface of one plugin did in one minute, in all processes."""

    plugin = models.CharField(max_length=100)
    surface = models.CharField(max_length=20)  # hook, endpoint
    minute = models.BigIntegerField()  # since 1970
    ok = models.BigIntegerField(default=0)
    rejected = models.BigIntegerField(default=0)
    raised = models.BigIntegerField(default=0)
    timeout = models.BigIntegerField(default=0)
    skipped = models.BigIntegerField(default=0)
    # Durations: how many took at most so long; the bounds are `histogram.BOUNDS`
    b0 = models.BigIntegerField(default=0)
    b1 = models.BigIntegerField(default=0)
    b2 = models.BigIntegerField(default=0)
    b3 = models.BigIntegerField(default=0)
    b4 = models.BigIntegerField(default=0)
    b5 = models.BigIntegerField(default=0)
    b6 = models.BigIntegerField(default=0)
    b7 = models.BigIntegerField(default=0)
    b8 = models.BigIntegerField(default=0)
    b9 = models.BigIntegerField(default=0)
    last_error = models.CharField(max_length=300, default="", blank=True)

    class Meta:
        app_label = "watching"
        constraints = [
            models.UniqueConstraint(fields=["plugin", "surface", "minute"], name="watching_traffic_minute")
        ]
        indexes = [models.Index(fields=["minute"], name="watching_minute")]

    def __str__(self) -> str:
        return f"{self.plugin} {self.surface} in minute {self.minute}"


class QueueMinute(models.Model):
    """How a queue was when the dispatcher last looked in one minute."""

    queue = models.CharField(max_length=120)
    minute = models.BigIntegerField()  # since 1970
    depth = models.PositiveIntegerField()  # jobs that waited for a worker
    age_seconds = models.FloatField()  # that the first of them had waited

    class Meta:
        app_label = "watching"
        constraints = [models.UniqueConstraint(fields=["queue", "minute"], name="watching_queue_minute")]
        indexes = [models.Index(fields=["minute"], name="watching_queue_at")]

    def __str__(self) -> str:
        return f"{self.queue} in minute {self.minute}"


class PermissionUse(models.Model):
    """When a plugin last used a permission on its own authority, and when it was last refused something."""

    plugin = models.CharField(max_length=100)
    what = models.CharField(max_length=200)  # the permission, or a few words
    used_time = models.DateTimeField(null=True, blank=True)
    refused_time = models.DateTimeField(null=True, blank=True)
    refusals = models.BigIntegerField(default=0)
    # The last event of the audit log
    told = models.BigIntegerField(default=0)  # of the refusals, by events up to it
    told_time = models.DateTimeField(null=True, blank=True)

    class Meta:
        app_label = "watching"
        constraints = [models.UniqueConstraint(fields=["plugin", "what"], name="watching_permission_use")]

    def __str__(self) -> str:
        return f"{self.plugin}: {self.what}"


class AlertState(models.Model):
    """Whether an alert fires; who changes the row, compare-and-set, is who tells of it."""

    rule = models.CharField(max_length=40)
    subject = models.CharField(max_length=200)  # the plugin, queue, ... that it is about
    is_firing = models.BooleanField(default=False)
    text = models.TextField(default="", blank=True)
    plugin = models.CharField(max_length=100, default="", blank=True)  # may be silenced by it
    changed_at = models.DateTimeField(db_default=Now(), editable=False)
    version = models.PositiveBigIntegerField(default=0)  # of the state: compare-and-set
    # The notice of the last transition
    is_told = models.BooleanField(default=True)
    is_silenced = models.BooleanField(default=False, db_default=False)  # told to the log alone
    tries = models.PositiveIntegerField(default=0)
    next_try_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        app_label = "watching"
        constraints = [models.UniqueConstraint(fields=["rule", "subject"], name="watching_alert")]

    def __str__(self) -> str:
        return f"{self.rule} {self.subject}: {'firing' if self.is_firing else 'resolved'}"


class MigrationFault(models.Model):
    """An app of a plugin that `pagoda migrate` could not bring up to date, and had to leave as it is."""

    app = models.CharField(max_length=100, primary_key=True)  # its label
    version = models.CharField(max_length=100)  # of the plugin: another one is worth another try
    missing = models.JSONField(default=list)  # the names of the migrations that are not applied
    text = models.CharField(max_length=500)  # why

    class Meta:
        app_label = "watching"

    def __str__(self) -> str:
        return f"{self.app}: {self.text}"
