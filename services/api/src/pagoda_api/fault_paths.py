"""Faults by the path of what they are about, such as ``entities[2]`` and ``search.where.and[1]``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from pagoda_plugin_sdk.rules.faults import OF_THE_WHOLE
from pagoda_plugin_sdk.rules.saying import say

_TOLD = 3  # faults of fields that the summary repeats

type Faults = dict[str, list[str]]


def by_path(faults: Mapping[str, Any]) -> Faults:
    """Return nested faults (Any: as DRF keeps them) as ``{path: [message]}``, in their order."""
    found: Faults = {}
    for field, each in faults.items():
        for path, message in _below(str(field), each):
            found.setdefault(path, []).append(message)
    return found


def _below(path: str, faults: Any) -> Iterator[tuple[str, str]]:
    if isinstance(faults, dict):
        for key, each in faults.items():
            part = f"[{key}]" if isinstance(key, int) else f".{key}"
            yield from _below(path if key in OF_THE_WHOLE else f"{path}{part}", each)
    elif isinstance(faults, list | tuple):
        for at, each in enumerate(faults):
            yield from _below(f"{path}[{at}]" if isinstance(each, dict | list) else path, each)
    else:
        yield path, str(faults)


def first_of(faults: Faults, most: int) -> tuple[Faults, int]:
    """Return the first `most` messages, and how many there are besides."""
    kept: Faults = {}
    for path, messages in faults.items():
        if most > 0:
            kept[path] = messages[:most]
        most -= len(messages)
    return kept, max(0, -most)


def summary(faults: Faults) -> str:
    """Return the first messages in a line, each with its path."""
    first = [f"{path}: {messages[0]}" for path, messages in islice(faults.items(), _TOLD)]
    more = len(faults) - len(first)
    return " ".join(first) + (say(" And {more:,} more: see `errors`.", more=more) if more > 0 else "")
