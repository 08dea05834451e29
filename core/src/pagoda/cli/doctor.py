"""`pagoda plugins doctor`: what is wrong with one plugin, and how to mend it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connection
from django.utils import timezone

from pagoda.cli.jobs import all_jobs
from pagoda.cli.startup import startup_faults
from pagoda.fencing import breaker_states
from pagoda.fencing.states import probe_of
from pagoda.plugins.migrations import left_behind, migration_faults, plugin_labels
from pagoda.plugins.registry import registry
from pagoda_plugin_sdk.exceptions import PluginLoadError
from pagoda_plugin_sdk.operations import JobStatus

if TYPE_CHECKING:
    from pagoda.plugins.records import PluginRecord

OLD_SECONDS = 60.0
"""A job that waits for longer, with nobody at work in its queue, most likely has no worker."""

LAST_ERRORS = 3


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the diagnosis."""

    subject: str  # load, settings, urls, ...
    text: str
    is_fault: bool = False


@click.command()
@click.argument("plugin")
def doctor(plugin: str) -> None:
    """Tell what is wrong with PLUGIN, an id or alias, and how to mend it; exit 1 when something is."""
    stopping = startup_faults()
    try:
        lines = list(diagnose(plugin, stopping))
    except PluginLoadError as error:
        for line in _examined("left", _left_behind, None):
            click.echo(line.text)
        raise click.ClickException(str(error)) from error
    for line in lines:
        click.echo(f"{'FAULT' if line.is_fault else 'ok':5}  {line.subject:10}  {line.text}")
    if faults := sum(line.is_fault for line in lines):
        raise click.ClickException(f"{faults} fault(s) found")


def diagnose(plugin: str, stopping: tuple[str, ...]) -> Iterator[Line]:
    """Yield what there is to say of a plugin; `stopping` are all faults of start-up."""
    try:
        record = registry().get(plugin)
    except ImproperlyConfigured:
        yield from (Line("settings", text, is_fault=True) for text in stopping)
        return
    yield _load(record)
    yield from _configuration(record, stopping)
    for subject, examine in (("migrations", _migrations), ("breaker", _breakers), ("queue", _queue)):
        yield from _examined(subject, examine, record)


def _load(record: PluginRecord) -> Line:
    if record.is_active:
        return Line("load", f"{record.id} {record.version} of distribution {record.distribution!r} is active")
    return Line("load", f"{record.status.value}, {record.reason_code}: {record.reason}", is_fault=True)


def _configuration(record: PluginRecord, stopping: tuple[str, ...]) -> Iterator[Line]:
    """Yield the faults of settings, URLs and operation ids that name the plugin."""
    names = [f"'{name}'" for name in record.names]
    examined = [fault.text for fault in record.faults if fault.code == "migrations_missing"]  # below, anew
    mine = [
        text
        for text in stopping
        if any(name in text for name in names)
        and text != record.reason
        and not any(text.endswith(told) for told in examined)
    ]
    yield from (Line("config", text, is_fault=True) for text in mine)
    if not mine and record.is_active:
        yield Line("config", "its settings, URL modules and operation ids are in order")


def _examined[R: PluginRecord | None](
    subject: str, examine: Callable[[R], Iterator[Line]], record: R
) -> Iterator[Line]:

    try:
        yield from examine(record)
    except DatabaseError as error:
        text = f"the database can't be asked: {error}. Look at DATABASE_URL, and run `pagoda migrate`."
        yield Line(subject, text, is_fault=True)


def _migrations(record: PluginRecord) -> Iterator[Line]:

    mine = {label for label, holder in plugin_labels(registry()).items() if holder is record}
    if not mine:
        return
    faults = [text for label, text in migration_faults(registry(), connection) if label in mine]
    yield from (Line("migrations", text, is_fault=True) for text in faults)
    if not faults:
        yield Line("migrations", "all applied")


def _left_behind(_record: PluginRecord | None) -> Iterator[Line]:

    yield from (Line("left", str(one)) for one in left_behind())


def _breakers(record: PluginRecord) -> Iterator[Line]:
    found = [state for state in breaker_states() if state.plugin == record.id]
    if not found:
        yield Line("breaker", "nothing of it has failed")
    for state in found:
        counted = f"{state.failures} of {state.calls} calls failed"
        text = f"{state.surface}: {state.state} since {state.since:%Y-%m-%d %H:%M:%S}, {counted}"
        if state.last_error:
            text += f", the last one with {state.last_error}"
        if probe := probe_of(state.state, state.retry_at):
            text += f". Mend the cause. {probe}"
        yield Line("breaker", text, is_fault=state.state != "closed")


def _queue(record: PluginRecord) -> Iterator[Line]:
    jobs = all_jobs().filter(plugin=record.id)
    running = jobs.filter(finished_at=None, lease_expires_at__gt=timezone.now())
    waiting = jobs.filter(
        finished_at=None, lease_expires_at=None, status=JobStatus.PROCESSING, is_waiting=False
    )
    oldest = waiting.order_by("created_at").first()
    nodes = sorted({owner.rpartition("/")[0] for owner in running.values_list("lease_owner", flat=True)})
    age = (timezone.now() - oldest.created_at).total_seconds() if oldest is not None else 0.0
    text = f"{waiting.count()} jobs wait, the oldest for {age:.0f} s; {running.count()} run"
    yield Line("queue", f"{text} on {', '.join(nodes)}" if nodes else text)
    if oldest is not None and (reason := oldest.why_it_waits):
        yield Line("queue", f"job {oldest.pk} is held: {reason}", is_fault=True)
    elif age > OLD_SECONDS and not nodes:
        remedy = f"Start one: `pagoda-worker run --plugin {record.id}`."
        yield Line("workers", f"no worker takes its jobs. {remedy}", is_fault=True)
    failed = jobs.filter(status__in=(JobStatus.ERROR, JobStatus.TIMEOUT)).order_by("-pk")[:LAST_ERRORS]
    for job in failed:
        yield Line("jobs", f"job {job.pk} ended as {JobStatus(job.status).name}: {job.error or job.text}")
