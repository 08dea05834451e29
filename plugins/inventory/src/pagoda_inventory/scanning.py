"""One scan: everything that was found, put into the stock step by step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from pagoda_inventory.facts import MachineFacts
from pagoda_inventory.machine import FilesystemFacts, InterfaceFacts
from pagoda_inventory.names import cut, entry_name, host_prefix
from pagoda_inventory.packages import PackageFacts, in_dependency_order
from pagoda_inventory.schema import FILESYSTEM, HOST, INTERFACE, LAST_SEEN, PACKAGE
from pagoda_inventory.stock import Stock
from pagoda_plugin_sdk import PluginError
from pagoda_plugin_sdk.protocols import EntryProtocol
from pagoda_plugin_sdk.tasks import JobContext

STEP = 10
"""So many entries are stored between two looks at whether the job should stop."""

FIRST_PERCENT, LAST_PERCENT = 5, 95
"""Storing entries takes the job from the one to the other."""

Item = tuple[str, dict[str, Any]]
"""The name and the values of one entry."""


class Scan:
    """Puts the facts of one machine into its stock."""

    def __init__(self, job: JobContext, stock: Stock, facts: MachineFacts) -> None:
        self._job = job
        self._stock = stock
        self._facts = facts
        self._hostname = facts.host.hostname
        self._done = 0
        packages = facts.packages.packages if facts.packages else ()
        self._total = 1 + len(facts.interfaces) + len(facts.filesystems) + len(packages)

    def run(self) -> None:
        """Store all of it, and mark what is gone.

        Raises:
            JobCanceled: somebody cancelled the job; what was stored until then stays.
            PluginError: the host's own entry is refused, so that nothing could refer to it.
        """
        self._load()
        host = self._put_host()
        self._put(INTERFACE, self._interfaces(host))
        self._put(FILESYSTEM, self._filesystems(host))
        self._stock.mark_gone(INTERFACE)
        self._stock.mark_gone(FILESYSTEM)
        if self._facts.packages is not None:
            self._put(PACKAGE, self._packages(host, self._facts.packages.packages))
            self._stock.mark_gone(PACKAGE, {self._name(p) for p in self._facts.packages.left_out})

    def _load(self) -> None:
        self._job.progress(FIRST_PERCENT, "Reading what is stored")
        self._stock.load(HOST, {"name": cut(self._hostname)})
        for entity_name in (INTERFACE, FILESYSTEM, PACKAGE):
            self._stock.load(entity_name, {"name__startswith": host_prefix(self._hostname)})

    def _put_host(self) -> EntryProtocol:
        found = {**asdict(self._facts.host), LAST_SEEN: datetime.now(UTC)}
        self._put(HOST, [(cut(self._hostname), found)])
        host = self._stock.entry(HOST, cut(self._hostname))
        if host is None:
            raise PluginError(
                f"The entry of host {self._hostname!r} can't be stored, so nothing can refer to it. "
                "The job's log says who refused it."
            )
        return host

    def _put(self, entity_name: str, items: Iterable[Item]) -> None:
        for name, values in items:
            if self._done % STEP == 0:
                self._job.checkpoint()
                share = min(self._done / self._total, 1)
                percent = FIRST_PERCENT + (LAST_PERCENT - FIRST_PERCENT) * share
                self._job.progress(percent, f"{entity_name}: {name}")
            self._stock.put(entity_name, name, values)
            self._done += 1

    def _interfaces(self, host: EntryProtocol) -> Iterator[Item]:
        for interface in self._facts.interfaces:
            yield self._name(interface), {**asdict(interface), "host": host}

    def _filesystems(self, host: EntryProtocol) -> Iterator[Item]:
        for filesystem in self._facts.filesystems:
            yield self._name(filesystem), {**asdict(filesystem), "host": host}

    def _packages(self, host: EntryProtocol, packages: Iterable[PackageFacts]) -> Iterator[Item]:
        """Yield each package after those that it requires; those of a circle once more at the end."""
        incomplete = []
        for package in in_dependency_order(packages):
            required = self._required(package)
            yield self._name(package), {**asdict(package), "requires": required, "host": host}
            if len(required) < len(package.requires):
                incomplete.append(package)
        for package in incomplete:
            if self._stock.entry(PACKAGE, self._name(package)) is not None:
                yield self._name(package), {"requires": self._required(package)}

    def _required(self, package: PackageFacts) -> list[EntryProtocol]:
        names = [entry_name(self._hostname, key) for key in package.requires]
        entries = [self._stock.entry(PACKAGE, name) for name in names]
        return [entry for entry in entries if entry is not None]

    def _name(self, thing: InterfaceFacts | FilesystemFacts | PackageFacts) -> str:
        match thing:
            case InterfaceFacts():
                return entry_name(self._hostname, thing.interface)
            case FilesystemFacts():
                return entry_name(self._hostname, thing.mount_point.removeprefix("/"))
            case PackageFacts():
                return entry_name(self._hostname, thing.key)
