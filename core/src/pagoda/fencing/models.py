"""The tables of fences: breakers, for hosts without a shared cache, and what operators switched on."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class Breaker(models.Model):
    """One `pagoda.fencing.rows.Row`, which says what the fields mean."""

    plugin = models.CharField(max_length=64)
    surface = models.CharField(max_length=16)
    status = models.CharField(max_length=16)
    since = models.FloatField()
    window = models.FloatField()
    calls = models.IntegerField()
    failures = models.IntegerField()
    streaks = models.JSONField()
    last_error = models.TextField(blank=True)
    reason = models.TextField(blank=True)
    retry_at = models.FloatField()
    holder = models.CharField(max_length=200, blank=True)
    version = models.IntegerField()

    class Meta:
        """One breaker per plugin and surface."""

        constraints: ClassVar = [
            models.UniqueConstraint(fields=("plugin", "surface"), name="breaker_of_surface"),
        ]

    def __str__(self) -> str:
        return f"{self.plugin} {self.surface}: {self.status}"


class PluginSwitch(models.Model):
    """Something that an operator switched on for one plugin: see `pagoda.fencing.switches.SwitchKind`."""

    plugin = models.CharField(max_length=100)
    kind = models.CharField(max_length=16)
    since = models.DateTimeField()
    until = models.DateTimeField(null=True, blank=True)  # None: until it is switched off
    reason = models.CharField(max_length=300)
    actor = models.CharField(max_length=250)  # who did it: a user's name then, or "host"

    class Meta:
        """One switch of a kind per plugin."""

        constraints: ClassVar = [
            models.UniqueConstraint(fields=("plugin", "kind"), name="switch_of_plugin"),
        ]

    def __str__(self) -> str:
        return f"{self.plugin} {self.kind}"
