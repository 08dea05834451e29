"""The plugin's task."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import BaseModel, Field

from pagoda_inventory.facts import MachineFacts, take_facts
from pagoda_inventory.gone import mark_gone_hosts
from pagoda_inventory.names import cut
from pagoda_inventory.scanning import Scan
from pagoda_inventory.schema import ensure_schema
from pagoda_inventory.stock import Stock
from pagoda_plugin_sdk import JobStatus, plugin_task
from pagoda_plugin_sdk.tasks import JobContext


class ScanParams(BaseModel):
    """What a scan leaves out, beside what the settings say."""

    include_packages: bool = Field(default=True, description="Packages, too; they stay as they are otherwise")


@plugin_task(
    0,
    soft_time_limit_seconds=540,
    hard_time_limit_seconds=600,
    singleton=True,
    params_model=ScanParams,
)
def scan(job: JobContext) -> dict[str, Any]:
    """Take stock of the machine that this worker runs on.

    The result is ``{"host", "scanned_at", "entries", "created": {entity: n}, "updated", "unchanged", "gone",
    "refused", "gone_hosts": [name]}``; `entries` are those of things that were found.
    Running it again is safe at any time.
    """
    job.progress(0, "Looking at the machine")
    settings = job.settings
    if not job.params_as(ScanParams).include_packages:
        settings = settings.model_copy(update={"include_packages": False})
    facts = take_facts(settings)
    job.checkpoint()
    # Who asks for a scan writes with their own rights; one that nobody asked for, with the plugin's.
    with job.authority() if job.user is None else nullcontext():
        return take_stock(job, facts, job.settings.gone_after)


def take_stock(job: JobContext, facts: MachineFacts, gone_after: timedelta | None = None) -> dict[str, Any]:
    """Store the facts of one machine, mark hosts that were not seen for `gone_after`; return the result."""
    for remark in facts.packages.remarks if facts.packages else ():
        job.log.warning(remark)
    entities = ensure_schema(job.user)
    stock = Stock(job.user, entities, job.log)
    Scan(job, stock, facts).run()
    result = {
        "host": cut(facts.host.hostname),
        "scanned_at": datetime.now(UTC).isoformat(),
        "entries": stock.present(),
        **stock.counts(),
        "gone_hosts": mark_gone_hosts(job, entities, gone_after) if gone_after else [],
    }
    job.log.info(f"{result['entries']} entries of {result['host']} are in stock", **stock.counts())
    job.progress(100, "Done")
    refused = sum(stock.counts()["refused"].values())
    if refused:
        job.finish(JobStatus.WARNING, text=f"Refused entries: {refused}, see the log", result=result)
    return result
