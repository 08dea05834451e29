"""The counts, where there is no shared cache."""

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
