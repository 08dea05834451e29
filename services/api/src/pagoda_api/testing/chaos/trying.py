"""Tries each handler and task under each fault, and tells what is left that ought not be."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from pagoda.fencing.reporting import described
from pagoda.hooks.manager import manager
from pagoda.jobs.models import Job
from pagoda.plugins.registry import registry
from pagoda_api.testing.chaos import leftovers
from pagoda_api.testing.chaos.asking import EndpointSubject, OverrideSubject, asked
from pagoda_api.testing.chaos.meddling import Harm
from pagoda_api.testing.chaos.subjects import ADMIN, Handler, NotRun, Task
from pagoda_api.testing.host import PagodaHost
from pagoda_plugin_sdk.operations import JobStatus
from pagoda_plugin_sdk.task_registry import PluginTaskRegistry

PREPARE_SECONDS = 120.0

FORK = multiprocessing.get_context("fork")

type Subject = Handler | Task | EndpointSubject | OverrideSubject


@dataclass(slots=True)
class Seen:
    """What one try showed."""

    before: leftovers.Tables = field(default_factory=dict)
    after: leftovers.Tables = field(default_factory=dict)
    left: list[str] = field(default_factory=list)  # what no database has, in words
    calls: int = 0
    places: list[str] = field(default_factory=list)
    queries: list[str] = field(default_factory=list)
    checkpoints: int = 0
    fences: int = 0
    said: str = ""  # against the write
    raised: str = ""  # by what was called, and no doing of the fault
    why_not: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One fault of one handler or task: what it left, in words, per place where it was hit."""

    subject: str
    fault: str
    places: int = 0  # how many were tried
    left: tuple[str, ...] = ()
    why_not: str = ""  # "" if it was tried
    is_fault_unfit: bool = False  # it can't happen to such a subject


def tried(
    names: Sequence[str],
    seed: str,
    options: Mapping[str, Any],
    *,
    most_places: int,
    patience_seconds: float,
    only: Sequence[str] = (),
) -> Iterator[Trial]:
    """Try the handlers, tasks, endpoints and overrides of these plugins, whose names have one of `only`.

    `seed` names what makes demo data, ``module:function``. `options` are ``{"entries": {entity: {attribute:
    value}}, "params": {operation: params}, "bodies": {"METHOD path": body}, "override_params": params,
    "keeps": [tables that may hold part of the work]}``. At most `most_places` per fault are hit, and no try
    may take longer than `patience_seconds`.
    """
    with tempfile.TemporaryDirectory(prefix="pagoda-chaos-") as folder:
        bench = Workbench(Path(folder), options, most_places, patience_seconds)
        if fault := bench.prepare(seed):
            yield Trial(subject="demo data", fault=seed, why_not=fault)
            return
        ids = [registry().get(name).id for name in names]
        subjects: list[Subject] = [
            Handler(record, options.get("entries", {}))
            for record in manager().records()
            if record.plugin_id in ids
        ]
        subjects += [
            Task(operation.plugin_id, operation.name, options.get("params", {}).get(operation.name, {}))
            for operation in PluginTaskRegistry.operations()
            if operation.plugin_id in ids
        ]
        subjects += [each for plugin_id in ids for each in asked(plugin_id, options)]
        for subject in subjects:
            if not only or any(part in subject.name for part in only):
                yield from bench.try_all(subject)


class Workbench:
    """Where the tries are made: a folder with the database that each has a copy of."""

    def __init__(
        self, folder: Path, options: Mapping[str, Any], most_places: int, patience_seconds: float
    ) -> None:
        self.folder, self.most_places, self.patience_seconds = folder, most_places, patience_seconds
        self.keeps = frozenset(options.get("keeps", ()))
        self.template = folder / "template.sqlite3"
        self._tries = 0

    def prepare(self, seed: str) -> str:
        """Make the database, with demo data; return what goes wrong, "" for nothing."""

        def make(_seen: Seen) -> None:
            empty, made = self.folder / "empty.sqlite3", self.folder / "made.sqlite3"
            PagodaHost.prepare(empty)
            with PagodaHost(empty, made) as host:
                user = host.user(ADMIN, is_superuser=True)
                if seed:
                    module, _, name = seed.partition(":")
                    with host.acting(user):
                        getattr(import_module(module), name)(user)
                    host.run_jobs()
            shutil.copyfile(made, self.template)

        return self._in_child(make, PREPARE_SECONDS).why_not

    def try_all(self, subject: Subject) -> Iterator[Trial]:
        """Try a handler or task under each fault."""
        plain = self._seen(subject, Harm.NONE)
        absent = self._seen(subject, Harm.ABSENT) if plain.after or not plain.why_not else Seen()
        why_not = plain.why_not or absent.why_not
        if not why_not and not plain.calls:
            why_not = f"the write does not reach it{': ' if plain.said else ''}{plain.said}"
        plain.left = leftovers.beyond(absent.left, plain.left)
        if why_not:
            is_unfit = isinstance(subject, EndpointSubject) and "<" in subject.route
            yield Trial(subject=subject.name, fault=Harm.NONE.value, why_not=why_not, is_fault_unfit=is_unfit)
            return
        yield Trial(subject=subject.name, fault=Harm.NONE.value, places=1, left=tuple(plain.left))
        if plain.raised or not plain.after:
            return  # it does not get through with nothing done to it
        again = self._seen(subject, Harm.NONE)
        judge = Judge(plain, absent, leftovers.volatile(plain.after, again.after), self.keeps)
        hits = {
            Harm.CUT: _chosen(plain.places, self.most_places),
            Harm.CANCELED: [(at, f"checkpoint {at + 1}") for at in range(plain.checkpoints)],
            Harm.AWAY: [(at, f"query {at + 1}: {sql}") for at, sql in enumerate(plain.queries)],
            Harm.TWICE: [(0, "")],
            Harm.UNDONE: [(at, f"fence {at + 1}") for at in range(plain.fences)]
            if isinstance(subject, Task)
            else [(0, "")],
        }
        nothing = {
            Harm.CUT: "it calls nothing that could take long",
            Harm.CANCELED: "it has no checkpoint",
            Harm.AWAY: "it makes no query",
            Harm.UNDONE: "it opens no fence",
        }
        for fault, places in hits.items():
            why_not = subject.why_not(fault) or ("" if places else nothing[fault])
            if why_not:
                yield Trial(subject=subject.name, fault=fault.value, why_not=why_not, is_fault_unfit=True)
                continue
            chosen = _spread(places, self.most_places)
            left = dict.fromkeys(
                f"{f'at {where}: ' if where else ''}{what}"
                for at, where in chosen
                for what in judge.left(fault, self._seen(subject, fault, at))
            )
            yield Trial(subject=subject.name, fault=fault.value, places=len(chosen), left=tuple(left))

    def _seen(self, subject: Subject, fault: Harm, at: int = 0) -> Seen:
        plugin = subject.record.plugin_id if isinstance(subject, Handler) else subject.plugin
        sources = _sources(type(registry().get(plugin).plugin))

        def run(seen: Seen) -> None:
            database = Path(tempfile.gettempdir()).parent / "pagoda.sqlite3"
            with PagodaHost(self.template, database) as host:
                action = subject.prepare(host)
                meddler = subject.meddler(fault, at, sources)
                seen.before = leftovers.tables(subject.own_jobs)
                around = leftovers.Surroundings(Path(tempfile.gettempdir()), database)
                meddler.is_armed = True
                try:
                    seen.said = subject.run(action, meddler)
                finally:
                    meddler.is_armed = False
                    seen.left = around.left()
                seen.after = leftovers.tables(subject.own_jobs)
                seen.left += leftovers.drafts(subject.own_jobs)
                seen.left += _said_of(subject, meddler)
                for name in ("calls", "places", "queries", "checkpoints", "fences", "raised"):
                    setattr(seen, name, getattr(meddler, name))

        return self._in_child(run, self.patience_seconds)

    def _in_child(self, work: Callable[[Seen], None], seconds: float) -> Seen:
        """Have a process of its own do the work, within so many seconds, and note what it sees."""
        self._tries += 1
        folder = self.folder / str(self._tries)
        (folder / "temp").mkdir(parents=True)
        receiver, sender = FORK.Pipe(duplex=False)
        child = FORK.Process(target=_work, args=(work, folder, sender))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # the child goes on in this thread alone
            child.start()
        sender.close()
        try:
            if not receiver.poll(seconds):
                return Seen(left=[f"itself at work: it does not end within {seconds:g} s"], calls=1)
            seen: Seen = receiver.recv()
        except EOFError:
            child.join()
            return Seen(left=[f"nothing but the end of its process (exit {child.exitcode})"], calls=1)
        finally:
            child.kill()
            child.join()
            shutil.rmtree(folder, ignore_errors=True)
        return seen


@dataclass(frozen=True, slots=True)
class Judge:
    """Knows what may be there after a fault: all of the work, or nothing of it."""

    plain: Seen
    absent: Seen
    volatile: frozenset[tuple[str, str]]
    keeps: frozenset[str]  # tables that may hold a part

    def left(self, fault: Harm, seen: Seen) -> list[str]:
        """Return what ought not be there, and is not there without the fault, in words."""
        left = leftovers.beyond([*self.plain.left, *self.absent.left], seen.left)
        if seen.why_not or not seen.after:
            return [*left, *filter(None, [seen.why_not])]
        before, after = self._tables(seen.before), self._tables(seen.after)
        all_of_it, nothing = self._tables(self.plain.after), self._tables(self.absent.after)
        expected = {
            Harm.TWICE: [all_of_it],
            Harm.UNDONE: [before, nothing] if seen.fences else [before],
        }.get(fault, [nothing, all_of_it, before])
        return left if after in expected else [*left, *leftovers.differences(expected[0], after)]

    def _tables(self, tables: leftovers.Tables) -> leftovers.Tables:
        return leftovers.without(tables, self.volatile, self.keeps)


def _said_of(subject: Subject, meddler: Any) -> list[str]:
    """Return, in words, what came out of a call that should not, and a job that did not end."""
    is_lacking = isinstance(subject, Task) and meddler.fault is Harm.NONE
    remedy = subject.remedy if is_lacking else ""  # type: ignore[union-attr]
    words = [f"the exception {meddler.raised}{remedy}"] if meddler.raised else []
    if meddler.went_on:
        words.append("itself at work: it goes on after it was cut off, as an `except` swallows that")
    if meddler.fault is Harm.NONE and not meddler.raised:  # what it returned may be nothing that is stored
        failed = Job.objects.filter(pk__in=subject.own_jobs, status=JobStatus.ERROR)
        words += [f"its job, which fails: {job.error}" for job in failed]
    lost = meddler.fault in (Harm.UNDONE, Harm.ABSENT)
    for job in Job.objects.filter(pk__in=subject.own_jobs, finished_at=None):
        words += [] if lost else [f"its job, which has not ended: it is {job.phase.value}"]
    return words


def _work(work: Callable[[Seen], None], folder: Path, sender: Connection) -> None:
    """Do the work in this new process, whose output and temporary files are in `folder`."""
    tempfile.tempdir = os.environ["TMPDIR"] = str(folder / "temp")
    output = os.open(folder / "output.log", os.O_CREAT | os.O_WRONLY)
    os.dup2(output, 1)
    os.dup2(output, 2)
    seen = Seen()
    try:
        work(seen)
    except NotRun as error:
        seen.why_not = str(error)
    except BaseException as error:  # noqa: BLE001 - of whatever class, it is what is told
        seen.why_not = f"it fails: {described(error)}"
    sender.send(seen)
    sender.close()
    os._exit(0)  # no threads that the code left are waited for


def _sources(plugin: type[Any]) -> tuple[str, ...]:
    """Return the folder of the package that a plugin's class is in, or its file."""
    module = sys.modules[plugin.__module__]
    top = sys.modules[plugin.__module__.partition(".")[0]]
    folder = getattr(top, "__path__", None)
    return tuple(f"{path}{os.sep}" for path in folder) if folder else (str(module.__file__),)


def _chosen(places: Sequence[str], most: int) -> list[tuple[int, str]]:
    """Return, for each line that calls something, its first and its last call: ``(position, line)``."""
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    for position, place in enumerate(places):
        first.setdefault(place, position)
        last[place] = position
    return _spread([(at, places[at]) for at in sorted({*first.values(), *last.values()})], most)


def _spread[T](items: Sequence[T], most: int) -> list[T]:
    """Return at most so many of the items, evenly over all."""
    if len(items) <= most:
        return list(items)
    return [items[round(place * (len(items) - 1) / max(most - 1, 1))] for place in range(most)]
