"""The counts: of requests, where there is no shared cache, and of logins that failed."""

from __future__ import annotations

from django.db import models


class RateCount(models.Model):
    """How many requests of one key there were in its current window."""

    key = models.CharField(max_length=300, primary_key=True)
    window = models.BigIntegerField()  # its end, in seconds since 1970
    count = models.BigIntegerField()

    class Meta:
        app_label = "rates"
        indexes = [models.Index(fields=["window"], name="rates_window")]

    def __str__(self) -> str:
        return f"{self.count} of {self.key}"


class LoginCount(models.Model):
    """How many logins of one key failed, and until when the next has to wait."""

    key = models.CharField(max_length=64, primary_key=True)  # a digest: people type passwords as names
    failures = models.BigIntegerField(default=0)
    waits_until = models.DateTimeField()
    forgotten_at = models.DateTimeField()  # unless there is another failure before

    class Meta:
        app_label = "rates"
        indexes = [models.Index(fields=["forgotten_at"], name="rates_forgotten")]

    def __str__(self) -> str:
        return f"{self.failures} until {self.forgotten_at}"
