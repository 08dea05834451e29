"""Plugins that could be enabled, as far as metadata tells: none of their code has run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from packaging.utils import canonicalize_name

from pagoda.plugins.records import Fault, plugin_label
from pagoda_plugin_sdk.checking.source import ClassFacts, mentions_dependencies, read_class


@dataclass(frozen=True, slots=True, kw_only=True)
class DistributionFacts:
    """What a distribution's metadata says."""

    name: str
    version: str
    requires: tuple[str, ...] = ()  # requirements as written
    requires_python: str = ""
    folder: str  # where its top-level packages are looked for first
    is_example: bool = False  # from PLUGIN_EXAMPLES_DIR: `folder` is put on sys.path when it is enabled


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One entry point of the group ``pagoda.plugins``."""

    name: str  # the entry point's
    target: str  # "package.module:Class"
    distribution: DistributionFacts

    @property
    def module(self) -> str:
        """Return the dotted path of the module that holds the class."""
        return self.target.partition(":")[0].strip()

    @property
    def attribute(self) -> str:
        """Return the class's name inside its module, empty when the entry point names none."""
        return self.target.partition(":")[2].partition("[")[0].strip()

    @property
    def label(self) -> str:
        """Return the beginning of a message about it."""
        return plugin_label(self.name, self.distribution.name)

    @property
    def sort_key(self) -> tuple[str, str]:
        """Return what orders candidates: distribution, then entry point."""
        return self.distribution.name.lower(), self.name

    def facts(self) -> ClassFacts:
        """Return what the class's source says, read without running it."""
        return read_class(self.module, self.attribute, self.distribution.folder)

    def declared_dependencies(self) -> tuple[str, ...]:
        """Return the `dependencies` that the class's source writes down."""
        place = (self.module, self.attribute, self.distribution.folder)
        return read_class(*place).dependencies if mentions_dependencies(*place) else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A distribution whose metadata can't be read, so that its plugins are not known by name."""

    name: str  # distribution's or folder's name, as far as it is known
    text: str  # the raw metadata, to recognise an enabled name in it
    fault: str  # sentence that says what is wrong and what to do

    @property
    def sort_key(self) -> tuple[str, str]:
        """Return what orders it among candidates."""
        return self.name.lower(), ""

    def mentions(self, name: str) -> bool:
        """Return whether a line of the raw metadata gives `name` a value."""
        return re.search(rf"^\s*{re.escape(name)}\s*=", self.text, re.MULTILINE) is not None


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """Everything that discovery found, in order: installed distributions first, then examples."""

    candidates: tuple[Candidate, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()
    faults: tuple[Fault, ...] = ()  # of the places that were searched

    @cached_property
    def _by_name(self) -> Mapping[str, list[Candidate]]:
        index: dict[str, list[Candidate]] = {}
        for candidate in self.candidates:
            index.setdefault(candidate.name, []).append(candidate)
        return index

    def find(self, name: str) -> tuple[Candidate, ...]:
        """Return the candidates that `name` stands for.

        It is an entry point's name, else a distribution's, else a `Plugin.id`. Ids are read from source
        text, and only when the other two match nothing.
        """
        if named := self._by_name.get(name):
            return tuple(named)
        canonical = canonicalize_name(name)
        if found := tuple(c for c in self.candidates if canonicalize_name(c.distribution.name) == canonical):
            return found
        return tuple(c for c in self.candidates if c.facts().id == name)

    def names(self) -> set[str]:
        """Return every name that `find` would answer to; this reads the source of all candidates."""
        names = {c.name for c in self.candidates} | {c.distribution.name for c in self.candidates}
        return names | {c.facts().id or c.name for c in self.candidates}

    def suspect(self, name: str) -> Unreadable | None:
        """Return the unreadable distribution that seems to be the one that provides `name`."""
        canonical = canonicalize_name(name)
        for unreadable in self.unreadable:
            if canonicalize_name(unreadable.name) == canonical or unreadable.mentions(name):
                return unreadable
        return None


def without_repeats(candidates: Iterable[Candidate]) -> tuple[Candidate, ...]:
    """Drop a distribution's second copy, such as an installed plugin that stands in the examples too.

    Python imports the first one found, and so do we.
    """
    first: dict[tuple[str, str], Candidate] = {}
    for candidate in candidates:
        first.setdefault((canonicalize_name(candidate.distribution.name), candidate.name), candidate)
    return tuple(first.values())
