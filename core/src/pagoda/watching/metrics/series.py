"""What the processes count themselves; `collector` has what the database knows.

Labels are bounded: a value that is not among the known ones becomes ``other``.
"""

from __future__ import annotations

from prometheus_client import Counter, Histogram

from pagoda.domain.authority import refused
from pagoda.fencing.foreign_rows import row_dropped
from pagoda.jobs import operations, plugin_host
from pagoda.jobs.store.endings import Ended, job_ended
from pagoda.watching.histogram import BOUNDS
from pagoda.watching.hook_figures import HookDelta
from pagoda.watching.watcher import add_hook_receiver

OTHER = "other"
CORE = "core"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

_known: set[str] = set()  # enabled plugins that were asked for: the registry looks through all of them

ENDPOINT_REQUESTS = Counter(
    "pagoda_endpoint_requests", "Requests by plugin, core for the host's own.", ["plugin", "method", "status"]
)
ENDPOINT_SECONDS = Histogram("pagoda_endpoint_seconds", "Duration of requests.", ["plugin"], buckets=BOUNDS)
HOOK_CALLS = Counter("pagoda_hook_calls", "Calls of hook handlers.", ["plugin", "hook", "outcome"])
HOOK_SECONDS = Histogram(
    "pagoda_hook_seconds",
    "Duration of hook handlers, of a sample of the calls.",
    ["plugin", "hook"],
    buckets=BOUNDS,
)
ROWS_DROPPED = Counter(
    "pagoda_shared_rows_dropped", "Rows of other processes that could not be read.", ["table"]
)
JOBS = Counter("pagoda_jobs", "Jobs that ended.", ["plugin", "operation", "status"])

PLUGIN_REFUSALS = Counter(
    "pagoda_plugin_refusals",
    "What plugins were refused beyond rights of their own and their users.",
    ["plugin"],
)


def plugin_label(plugin_id: str | None) -> str:
    """Return the id of an enabled plugin, ``core`` for the host's own."""
    if not plugin_id:
        return CORE
    if plugin_id not in _known and plugin_id in plugin_host.known_plugin_names():
        _known.add(plugin_id)
    return plugin_id if plugin_id in _known else OTHER


def method_label(method: str | None) -> str:
    """Return a method that HTTP knows."""
    return method if method in METHODS else OTHER


def status_label(status: int) -> str:
    """Return a status code that HTTP knows."""
    return str(status) if 100 <= status <= 599 else OTHER


def operation_label(number: int) -> str:
    """Return the name of an operation that this process knows."""
    spec = operations.find(number)
    return spec.name if spec is not None else OTHER


def count_refusal(*, plugin: str, **_signal: object) -> None:
    """Count what a plugin was refused."""
    PLUGIN_REFUSALS.labels(plugin_label(plugin)).inc()


def count_request(plugin_id: str | None, method: str | None, status: int, seconds: float) -> None:
    """Count a request that was answered."""
    plugin = plugin_label(plugin_id)
    ENDPOINT_REQUESTS.labels(plugin, method_label(method), status_label(status)).inc()
    ENDPOINT_SECONDS.labels(plugin).observe(seconds)


def count_hook(delta: HookDelta) -> None:
    """Count what a handler did since it was counted last."""
    plugin = plugin_label(delta.plugin)
    for outcome, calls in delta.results.items():
        if calls:
            HOOK_CALLS.labels(plugin, delta.hook, outcome).inc(calls)
    for _ in range(delta.timed):
        HOOK_SECONDS.labels(plugin, delta.hook).observe(delta.seconds)


def count_job(*, ended: Ended, **_signal: object) -> None:
    """Count a job that ended."""
    JOBS.labels(plugin_label(ended.plugin), operation_label(ended.operation), ended.status.name.lower()).inc()


def count_dropped(*, table: str, **_signal: object) -> None:
    """Count a row that was left out; `table` is one of few names in the code."""
    ROWS_DROPPED.labels(table).inc()


def connect() -> None:
    """Count the jobs that this process ends, the hooks that it runs and the rows it drops, from now on."""
    job_ended.connect(count_job, dispatch_uid="pagoda.watching.metrics")
    refused.connect(count_refusal, dispatch_uid="pagoda.watching.metrics")
    row_dropped.connect(count_dropped, dispatch_uid="pagoda.watching.metrics")
    add_hook_receiver(count_hook)
