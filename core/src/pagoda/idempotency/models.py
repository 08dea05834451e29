"""The table of the answers that are kept."""

from __future__ import annotations

from django.db import models

MAX_KEY_LENGTH = 255


class KeptAnswer(models.Model):
    """A request that a user sent with a key of theirs, and what it was answered."""

    user_id = models.BigIntegerField()  # no foreign key: it is gone within a day anyway
    key = models.CharField(max_length=MAX_KEY_LENGTH)
    request = models.CharField(max_length=64)  # the digest of its method, path and body
    expires_at = models.DateTimeField()  # from then on the key is free
    status = models.PositiveSmallIntegerField(null=True)  # None: it still runs
    headers = models.JSONField(default=dict)
    body = models.BinaryField(default=bytes)

    class Meta:
        app_label = "idempotency"
        constraints = [models.UniqueConstraint(fields=["user_id", "key"], name="idempotency_one_per_key")]
        indexes = [models.Index(fields=["expires_at"], name="idempotency_expires")]

    def __str__(self) -> str:
        return f"{self.key} of user {self.user_id}: {self.status or 'runs'}"
