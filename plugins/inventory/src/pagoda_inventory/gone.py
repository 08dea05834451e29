"""Hosts that nobody scans any more: after a while they are marked as gone, with all that was on them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.exceptions import PermissionDenied

from pagoda_inventory.names import host_prefix
from pagoda_inventory.schema import FILESYSTEM, HOST, INTERFACE, LAST_SEEN, PACKAGE
from pagoda_inventory.stock import Stock
from pagoda_plugin_sdk.models import Entry
from pagoda_plugin_sdk.protocols import EntityProtocol, EntryProtocol
from pagoda_plugin_sdk.tasks import JobContext

HOSTS_PER_PAGE = 200
"""So many are read at a time: a scan needs no more memory where there are many."""

HOSTS_PER_SCAN = 20
"""So many are marked by one scan, each with some hundred entries; the next scan goes on."""


def mark_gone_hosts(
    job: JobContext, entities: Mapping[str, EntityProtocol], gone_after: timedelta
) -> list[str]:
    """Mark the hosts that were not seen for `gone_after`, and return their names.

    A host of a release that did not note when it saw one counts from its last change. One that the job's user
    may not write is left to others, and the job's log says so.
    """
    marked: list[str] = []
    for entry, hostname in _unseen(entities[HOST], datetime.now(UTC) - gone_after):
        if len(marked) == HOSTS_PER_SCAN:
            break
        job.checkpoint()
        stock = Stock(job.user, entities, job.log)
        try:
            for entity_name in (INTERFACE, FILESYSTEM, PACKAGE):
                stock.load(entity_name, {"name__startswith": host_prefix(hostname)})
                stock.mark_gone(entity_name)
            stock.load(HOST, {"name": entry.name})
            stock.mark_gone(HOST)  # at last: until then the next scan begins anew
        except PermissionDenied as error:
            job.log.warning(f"Host {entry.name!r} is gone, but can't be marked: {error}", host=entry.name)
        else:
            job.log.info(
                f"Host {entry.name!r} was not seen for {gone_after}: marked as gone", host=entry.name
            )
            marked.append(entry.name)
    return marked


def last_seen(entry: EntryProtocol, values: Mapping[str, Any]) -> datetime | None:
    """Return when a host with these values was scanned last."""
    seen = values.get(LAST_SEEN)
    return seen if isinstance(seen, datetime) else entry.updated_time


def _unseen(schema: EntityProtocol, since: datetime) -> Iterator[tuple[EntryProtocol, str]]:
    """Yield the hosts that count as present and were not seen since then, each with its hostname."""
    for page in _pages(schema):
        values = Entry.objects.read_attrs(page)
        for host in page:
            of_host = values[host.id]
            seen = last_seen(host, of_host)
            if of_host.get("present") is not False and seen is not None and seen < since:
                yield host, of_host.get("hostname") or host.name


def _pages(schema: EntityProtocol) -> Iterator[list[EntryProtocol]]:
    """Yield all hosts, few at a time: entries are found by their fields alone, and these are values."""
    last = 0
    while page := list(
        Entry.objects.filter(schema=schema, is_active=True, id__gt=last).order_by("id")[:HOSTS_PER_PAGE]
    ):
        yield page
        last = page[-1].id
