"""What each plugin of the zoo does wrong, and what an operator is to see of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "tests" / "fixtures" / "plugins"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """One plugin's fault, and how its status names it."""

    plugin: str  # its enabled name
    fault: str  # in words, for the table
    skipped: str | None = None  # the reason's code
    named: str = ""  # part of the reason, the fault's text or the breaker's last error
    at_fault: str | None = None  # the fault's code; the plugin is active
    surface: str | None = None  # whose breaker opens; the plugin is active

    def seen(self, plugins: list[Mapping[str, Any]]) -> str:
        """Return what `plugins`, the results of ``GET /api/v2/plugins/``, tell of the plugin."""
        found = next(p for p in plugins if self._is_in(p))
        if found["status"] != "active":
            return f"{found['status']} {found['reason_code']}: {found['reason']}"
        for fault in found["faults"]:
            return f"active, {fault['code']}: {fault['text']}"
        for breaker in found["breakers"]:
            return f"active, {breaker['surface']} {breaker['state']}: {breaker['last_error']}"
        return "active"

    def missed(self, seen: str) -> str | None:
        """Return what of the expected `seen` lacks, None when it is all there."""
        if self.skipped is not None:
            wanted = f"skipped {self.skipped}: "
        elif self.at_fault is not None:
            wanted = f"active, {self.at_fault}: "
        elif self.surface is not None:
            wanted = f"active, {self.surface} open: "
        else:
            return None if seen == "active" else f"expected 'active', got {seen!r}"
        if seen.startswith(wanted) and self.named in seen:
            return None
        return f"expected {wanted!r} with {self.named!r}, got {seen!r}"

    def _is_in(self, plugin: Mapping[str, Any]) -> bool:
        if self.skipped == "duplicate_name":  # it goes by the id that another plugin has
            return bool(plugin["status"] == "skipped" and plugin["distribution"] == self.plugin)
        return bool(plugin["distribution"] == self.plugin or plugin["id"] == self.plugin)


CUT_OFF = "cut off: it ran longer than its time budget of"

ZOO = (
    Expected(plugin="zoo-good", fault="none"),
    Expected(
        plugin="zoo-import-error",
        fault="its module can't be imported",
        skipped="import_failed",
        named="no_such_module_in_the_zoo",
    ),
    Expected(
        plugin="zoo-bad-metadata",
        fault="its metadata can't be read",
        skipped="bad_metadata",
        named="pyproject.toml",
    ),
    Expected(
        plugin="zoo-wrong-sdk",
        fault="made for another SDK",
        skipped="incompatible_sdk",
        named="pagoda-plugin-sdk>=99",
    ),
    Expected(
        plugin="zoo-dependency-gap",
        fault="needs an absent plugin",
        skipped="dependency_missing",
        named="zoo-absent",
    ),
    Expected(
        plugin="zoo-cycle-a",
        fault="depends on itself by another",
        skipped="dependency_cycle",
        named="zoo-cycle-b",
    ),
    Expected(plugin="zoo-cycle-b", fault="the other", skipped="dependency_cycle", named="zoo-cycle-a"),
    Expected(
        plugin="zoo-duplicate-id",
        fault="has another plugin's id",
        skipped="duplicate_name",
        named="'zoo-good'",
    ),
    Expected(
        plugin="zoo-bad-signature",
        fault="a handler takes too few arguments",
        skipped="bad_signature",
        named="see",
    ),
    Expected(
        plugin="zoo-bad-settings",
        fault="its settings are missing",
        skipped="bad_settings",
        named="feeding_hour",
    ),
    Expected(
        plugin="zoo-dataclass-settings",
        fault="its settings model is none",
        skipped="invalid_plugin",
        named="expected a subclass of pydantic.BaseModel",
    ),
    Expected(
        plugin="zoo-impossible-cron",
        fault="a task is due on February 30",
        skipped="bad_tasks",
        named="never occurs in month_of_year '2'",
    ),
    Expected(
        plugin="zoo-import-thread",
        fault="its import starts a thread",
        at_fault="side_effects",
        named="'zoo-keeper', which keeps processes from ending",
    ),
    Expected(
        plugin="zoo-urls-fail",
        fault="its URL module raises",
        at_fault="urls_failed",
        named="the gate is stuck",
    ),
    Expected(
        plugin="zoo-migration-fails",
        fault="its migration raises",
        at_fault="migrations_missing",
        named="zoo_migration_fails.0001_initial",
    ),
    Expected(
        plugin="zoo-hook-raises",
        fault="a handler raises",
        surface="hook",
        named="RuntimeError: the lion is loose",
    ),
    Expected(
        plugin="zoo-hook-unprintable",
        fault="a handler shows what no answer can hold",
        surface="hook",
        named="UnusableResult",
    ),
    Expected(plugin="zoo-hook-slow", fault="a handler is too slow", surface="hook", named=CUT_OFF),
    Expected(plugin="zoo-hook-hangs", fault="a handler never ends", surface="hook", named=CUT_OFF),
    Expected(
        plugin="zoo-hook-eats-memory",
        fault="a handler eats memory",
        surface="hook",
        named="MemoryError",
    ),
    Expected(
        plugin="zoo-hook-breaks-transaction",
        fault="a handler breaks the transaction",
        surface="hook",
        named="TransactionBroken",
    ),
    Expected(
        plugin="zoo-endpoint-hangs", fault="an endpoint never answers", surface="endpoint", named=CUT_OFF
    ),
    Expected(
        plugin="zoo-endpoint-raises",
        fault="an endpoint raises",
        surface="endpoint",
        named="RuntimeError: the keeper is ill",
    ),
    Expected(
        plugin="zoo-endpoint-cancelled",
        fault="an endpoint is cancelled",
        surface="endpoint",
        named="CancelledError: the keeper went home",
    ),
    Expected(
        plugin="zoo-endpoint-rubbish",
        fault="an endpoint returns no response",
        surface="endpoint",
        named="returned dict",
    ),
    Expected(
        plugin="zoo-endpoint-50-mb",
        fault="an endpoint answers with 50 MB",
        surface="endpoint",
        named="50000000 bytes",
    ),
    Expected(plugin="zoo-task-hangs", fault="a task never ends", surface="task", named="past its hard limit"),
    Expected(plugin="zoo-task-dies", fault="a task's process dies", surface="task", named="SIGKILL"),
    Expected(plugin="zoo-task-forks", fault="a task's forked child exits"),
)

ENDPOINTS = {
    "zoo-endpoint-hangs": 504,
    "zoo-endpoint-raises": 500,
    "zoo-endpoint-cancelled": 500,
    "zoo-endpoint-rubbish": 502,
    "zoo-endpoint-50-mb": 502,
}
"""The plugins whose endpoints are called, and the status that the client gets."""

TASKS = ("zoo-task-hangs", "zoo-task-dies")

FORKING = "zoo-task-forks"
"""Its jobs end well, each by the process that claimed it."""

FAILURES = 3
"""After so many in a row a breaker opens."""

ENVIRON = {
    "PLUGIN_EXAMPLES_DIR": str(FOLDER),
    "ENABLED_PLUGINS": ",".join(expected.plugin for expected in ZOO),
    "PLUGIN_OPERATION_ID_CONFIG": (
        '{"zoo-task-hangs": [5000, 5009], "zoo-task-dies": [5010, 5019], '
        '"zoo-impossible-cron": [5020, 5029], "zoo-task-forks": [5030, 5039]}'
    ),
    "PLUGIN_HOOK_TIMEOUT_SECONDS": "4",  # other faults come long before, on a loaded machine too
    "PLUGIN_ENDPOINT_TIMEOUT_SECONDS": "4",
    "BREAKER_CONSECUTIVE_FAILURES": str(FAILURES),
    "BREAKER_COOLDOWN_SECONDS": "3600",  # what is open stays so until it is looked at
    "API_WORKER_MEMORY_MB": "256",
    "JOB_LEASE_SECONDS": "4",
    "JOB_CANCEL_GRACE_SECONDS": "2",
    "JOB_DISPATCH_INTERVAL_SECONDS": "0.2",
}

ID_RANGES = {
    "no range for a plugin with tasks": "{}",
    "a range that ends before it begins": '{"zoo-id-range": [5009, 5000]}',
    "a range outside of those of plugins": '{"zoo-id-range": [5, 20]}',
    "a task's offset outside of the range": '{"zoo-id-range": [5000, 5003]}',
    "a range for a plugin that is not there": '{"zoo-id-range": [5000, 5009], "zoo-absent": [6000, 6009]}',
    "two ranges that overlap": '{"zoo-id-range": [5000, 5009], "zoo-task-dies": [5005, 5020]}',
}
"""Faults of PLUGIN_OPERATION_ID_CONFIG, which stop every start: two plugins may mean one number."""
