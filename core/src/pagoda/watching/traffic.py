"""Counts what the plugins' hooks and endpoints do, and adds it to the shared figures every few seconds."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from django.db import connection, transaction
from django.db.models import Sum

from pagoda.config.accounts import is_plugins, plugin_account
from pagoda.fencing import Outcome
from pagoda.watching.histogram import BOUNDS, bucket_of
from pagoda.watching.models import TrafficMinute
from pagoda_plugin_sdk.washing import washed

RESULTS = ("ok", "rejected", "raised", "timeout", "skipped")
BUCKETS = tuple(f"b{number}" for number in range(len(BOUNDS)))
KEPT_MINUTES = 24 * 60
CREDIBLE = 10**12
"""Calls of a surface in a minute; a row with more, or less than none, is of no process of ours."""

type Key = tuple[str, str, int]  # plugin, surface, minute


@dataclass(slots=True)
class Figures:
    """What was counted of one surface of one plugin."""

    results: dict[str, int] = field(default_factory=lambda: dict.fromkeys(RESULTS, 0))
    buckets: list[int] = field(default_factory=lambda: [0] * len(BOUNDS))
    last_error: str = ""

    @property
    def calls(self) -> int:
        """Return how often it ran."""
        return sum(self.results.values()) - self.results["skipped"]

    @property
    def failures(self) -> int:
        """Return how often it failed."""
        return self.results["raised"] + self.results["timeout"]


class Traffic:
    """What one process has counted and not yet added to the shared figures. Safe in threads."""

    def __init__(self) -> None:
        self._pending: dict[Key, Figures] = {}
        self._lock = Lock()

    def add(
        self,
        plugin: str,
        surface: str,
        results: Mapping[str, int],
        *,
        seconds: float,
        timed: int,
        error: str = "",
    ) -> None:
        """Count calls; `timed` of them took `seconds` each."""
        key = (plugin, surface, int(time.time() // 60))
        with self._lock:
            figures = self._pending.get(key)
            if figures is None:
                figures = self._pending[key] = Figures()
            for result, count in results.items():
                figures.results[result] += count
            figures.buckets[bucket_of(seconds)] += timed
            figures.last_error = error or figures.last_error

    def flush(self) -> int:
        """Add what is pending to the shared figures; return how many rows that were. Lost if it fails."""
        with self._lock:
            pending, self._pending = self._pending, {}
        pending = {key: figures for key, figures in pending.items() if may_tell_of(key[0])}
        if pending:
            with transaction.atomic():
                _add(sorted(pending.items()))
        return len(pending)


def may_tell_of(plugin: str) -> bool:
    """Return whether this process's account may store figures of the plugin: a plugin's, of itself alone."""
    account = connection.settings_dict["USER"]
    return not is_plugins(account) or plugin_account(plugin) == account


_traffic = Traffic()


def count(outcome: Outcome) -> None:
    """Count an outcome of an endpoint; tasks are counted as jobs, hooks in `hook_figures`."""
    if outcome.surface == "endpoint":
        timed = int(outcome.result != "skipped")
        error = (outcome.error or "") if outcome.is_failure else ""
        _traffic.add(
            outcome.plugin, "endpoint", {outcome.result: 1}, seconds=outcome.seconds, timed=timed, error=error
        )


def traffic() -> Traffic:
    """Return what this process counts into."""
    return _traffic


def figures_since(minutes: int) -> dict[tuple[str, str], Figures]:
    """Return ``{(plugin, surface): figures}`` of the last `minutes`, of all processes."""
    now = int(time.time() // 60)
    credible = {f"{name}__range": (0, CREDIBLE) for name in (*RESULTS, *BUCKETS)}
    found = TrafficMinute.objects.filter(minute__gt=now - minutes, minute__lte=now + 1, **credible)
    rows = found.values("plugin", "surface")
    sums = rows.annotate(**{f"{name}_sum": Sum(name) for name in (*RESULTS, *BUCKETS)})
    summed: Iterable[dict[str, Any]] = sums.order_by("plugin", "surface")  # type: ignore[assignment]  # names are made
    return {
        (row["plugin"], row["surface"]): Figures(
            results={name: row[f"{name}_sum"] for name in RESULTS},
            buckets=[row[f"{name}_sum"] for name in BUCKETS],
        )
        for row in summed
    }


def prune() -> int:
    """Remove the minutes that nobody looks at any more; return how many rows there were."""
    old = int(time.time() // 60) - KEPT_MINUTES
    return TrafficMinute.objects.filter(minute__lt=old).delete()[0]


def _add(rows: Iterable[tuple[Key, Figures]]) -> None:
    """Upsert, in the order of the keys, so that processes don't wait for each other crosswise."""
    columns = (*RESULTS, *BUCKETS)
    table = TrafficMinute._meta.db_table
    credible = f"CASE WHEN {table}.%s BETWEEN 0 AND {CREDIBLE} THEN {table}.%s ELSE 0 END"
    sums = ", ".join(f"{name} = excluded.{name} + {credible % (name, name)}" for name in columns)
    latest = f"CASE WHEN excluded.last_error = '' THEN {table}.last_error ELSE excluded.last_error END"
    marks = ", ".join(["%s"] * (len(columns) + 4))
    sql = f"""INSERT INTO {table} (plugin, surface, minute, {", ".join(columns)}, last_error) VALUES ({marks})
        ON CONFLICT (plugin, surface, minute) DO UPDATE SET {sums}, last_error = {latest}"""  # noqa: S608 - constants
    with connection.cursor() as cursor:
        for (plugin, surface, minute), figures in rows:
            counts = (*figures.results.values(), *figures.buckets)
            cursor.execute(sql, (plugin, surface, minute, *counts, washed(figures.last_error, 300)))
