"""The plugin's task."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any

from pagoda_inventory.facts import MachineFacts, take_facts
from pagoda_inventory.names import cut
from pagoda_inventory.scanning import Scan
from pagoda_inventory.schema import ensure_schema
from pagoda_inventory.stock import Stock
from pagoda_plugin_sdk import JobStatus, plugin_task
from pagoda_plugin_sdk.tasks import JobContext


@plugin_task(0, soft_time_limit_seconds=540, hard_time_limit_seconds=600, singleton=True)
def scan(job: JobContext) -> dict[str, Any]:
    """Take stock of the machine that this worker runs on.

    The result is ``{"host", "scanned_at", "entries", "created": {entity: n}, "updated", "unchanged", "gone",
    "refused"}``; `entries` are those of things that were found. Running it again is safe at any time.
    """
    job.progress(0, "Looking at the machine")
    facts = take_facts(job.settings)
    job.checkpoint()
    # Who asks for a scan writes with their own rights; one that nobody asked for, with the plugin's.
    with job.authority() if job.user is None else nullcontext():
        return take_stock(job, facts)


def take_stock(job: JobContext, facts: MachineFacts) -> dict[str, Any]:
    """Store the facts of one machine and return the job's result."""
    for remark in facts.packages.remarks if facts.packages else ():
        job.log.warning(remark)
    stock = Stock(job.user, ensure_schema(job.user), job.log)
    Scan(job, stock, facts).run()
    result = {
        "host": cut(facts.host.hostname),
        "scanned_at": datetime.now(UTC).isoformat(),
        "entries": stock.present(),
        **stock.counts(),
    }
    job.log.info(f"{result['entries']} entries of {result['host']} are in stock", **stock.counts())
    job.progress(100, "Done")
    refused = sum(stock.counts()["refused"].values())
    if refused:
        job.finish(JobStatus.WARNING, text=f"Refused entries: {refused}, see the log", result=result)
    return result
