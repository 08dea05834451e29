"""What the database knows, read when it is asked for: queues, breakers, who serves with which plugins."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import version

import structlog
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from pagoda.fencing import breaker_states
from pagoda.watching.metrics.series import plugin_label
from pagoda.watching.presence import living
from pagoda.watching.queues import queues

log = structlog.get_logger(__name__)

BREAKER_VALUES = {"closed": 0, "half_open": 1, "open": 2}


class HostCollector(Collector):
    """Gauges of the whole host, the same from whichever process they are read."""

    def collect(self) -> Iterator[Metric]:
        """Yield the gauges; those of a source that does not answer are left out, which is logged."""
        for read in (_build, _queues, _breakers, _registries):
            yield from _fenced(read)


def _fenced(read: Callable[[], Iterable[Metric]]) -> list[Metric]:
    try:
        return list(read())
    except Exception:  # the fence: a scrape tells what it can
        log.exception("metrics_not_read", source=read.__name__.removeprefix("_"))
        return []


def _build() -> Iterator[Metric]:
    build = GaugeMetricFamily("pagoda_build_info", "The installed version; always 1.", labels=["version"])
    build.add_metric([version("pagoda-core")], 1)
    yield build


def _queues() -> Iterator[Metric]:
    jobs = GaugeMetricFamily("pagoda_queue_jobs", "Unfinished jobs.", labels=["queue", "phase"])
    oldest = GaugeMetricFamily(
        "pagoda_queue_oldest_seconds", "How long a job has waited for a worker, at most.", labels=["queue"]
    )
    consumers = GaugeMetricFamily("pagoda_queue_consumers", "Workers that live.", labels=["queue"])
    for queue in queues().values():
        for phase, count in queue.phases.items():
            jobs.add_metric([queue.name, phase], count)
        oldest.add_metric([queue.name], queue.oldest_seconds)
        consumers.add_metric([queue.name], queue.consumers)
    yield from (jobs, oldest, consumers)


def _breakers() -> Iterator[Metric]:
    states = GaugeMetricFamily(
        "pagoda_breaker_state", "0 closed, 1 half-open, 2 open.", labels=["plugin", "surface"]
    )
    for breaker in breaker_states():
        states.add_metric([plugin_label(breaker.plugin), breaker.surface], BREAKER_VALUES[breaker.state])
    yield states


def _registries() -> Iterator[Metric]:
    info = GaugeMetricFamily(
        "pagoda_registry_info", "Processes that run with a registry digest.", labels=["digest", "service"]
    )
    counts: dict[tuple[str, str], int] = {}
    for digest, service in living().values_list("digest", "service"):
        counts[digest, service] = counts.get((digest, service), 0) + 1
    for labels, count in sorted(counts.items()):
        info.add_metric(labels, count)
    yield info
