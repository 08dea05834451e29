"""Which permissions plugins use on their own authority, and what they were refused: counted, and told.

A refusal undoes what it was part of, so it is kept in memory and stored by the watcher, in a transaction of
its own. The audit log tells the first one of a plugin and wish in an hour, with how many there were since.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from threading import Lock
from typing import Final

import structlog
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from pagoda.audit.actions import Action
from pagoda.audit.recording import record
from pagoda.watching.models import PermissionUse
from pagoda.watching.traffic import may_tell_of
from pagoda_plugin_sdk.washing import washed

TOLD_EVERY: Final = timedelta(hours=1)
WISHES_MAX: Final = 50
"""Wishes of one plugin that are told apart; more count as one."""
OTHER: Final = "other"

log = structlog.get_logger(__name__)


class Uses:
    """What happened since it was stored last. Safe in threads; any number may happen at once."""

    def __init__(self) -> None:
        self._used: set[tuple[str, str]] = set()
        self._refused: Counter[tuple[str, str]] = Counter()
        self._lock = Lock()

    def note_use(self, *, plugin: str, what: str, **_signal: object) -> None:
        """Note that a permission was used."""
        if (plugin, what) not in self._used:
            with self._lock:
                self._used.add((plugin, what))

    def note_refusal(self, *, plugin: str, what: str, **_signal: object) -> None:
        """Note, and log, that a plugin was refused something."""
        what = washed(what, 200)
        log.warning("plugin_refused", plugin=plugin, what=what)
        with self._lock:
            self._refused[plugin, what] += 1

    def flush(self) -> None:
        """Store what was noted."""
        with self._lock:
            used, self._used = self._used, set()
            refused, self._refused = self._refused, Counter()
        for plugin, what in sorted(used):
            if may_tell_of(plugin):
                _row(plugin, what).update(used_time=timezone.now())
        for (plugin, what), count in sorted(refused.items()):
            if may_tell_of(plugin):
                _store_refusals(plugin, what, count)


_uses = Uses()


def uses() -> Uses:
    """Return what this process notes into."""
    return _uses


def _row(plugin: str, what: str) -> QuerySet[PermissionUse]:
    of_plugin = PermissionUse.objects.filter(plugin=plugin)
    if not of_plugin.filter(what=what).exists() and of_plugin.count() >= WISHES_MAX:
        what = OTHER
    PermissionUse.objects.bulk_create([PermissionUse(plugin=plugin, what=what)], ignore_conflicts=True)
    return of_plugin.filter(what=what)


def _store_refusals(plugin: str, what: str, count: int) -> None:
    now = timezone.now()
    with transaction.atomic():
        rows = _row(plugin, what)
        rows.update(refused_time=now, refusals=F("refusals") + count)
        # Whoever moves the time on tells of them: one process, once an hour
        before = rows.values_list("refusals", "told", "told_time")[0]
        is_due = before[2] is None or now - before[2] >= TOLD_EVERY
        if is_due and rows.filter(told_time=before[2]).update(told_time=now, told=before[0]):
            details = {"what": what, "count": before[0] - before[1]}
            record(
                Action.PLUGIN_REFUSED,
                subject_type="plugin",
                subject_id=plugin,
                subject=plugin,
                details=details,
                plugin=plugin,
            )
