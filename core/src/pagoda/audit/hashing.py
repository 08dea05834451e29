"""How the hash chain is computed; `pagoda audit verify` and anybody with an export can do it again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from pagoda.audit.models import AuditSeal

Ranges = list[list[int]]
"""Ids: ``[[first, last], ...]``, in order and without touching each other."""


def gaps(ids: Iterable[int], after: int) -> Ranges:
    """Return the ids between `after` and the last of `ids`, which are in order, that are not among them."""
    found = []
    for each in ids:
        if each > after + 1:
            found.append([after + 1, each - 1])
        after = each
    return found


def canonical(event: Mapping[str, Any]) -> bytes:
    """Return an event's JSON in the one form that is hashed: sorted keys, no spaces, UTF-8."""
    return json.dumps(event, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def seal_hash(seal: AuditSeal, events: Iterable[Mapping[str, Any]]) -> str:
    """Return the SHA-256, in hex, of a seal: its number, its predecessor's hash, a line for each event.

    A last line says which ids it accounts for, but in seals of releases that did not look at them.
    """
    digest = hashlib.sha256(f"{seal.number}\n{seal.previous_hash}\n".encode())
    for event in events:
        digest.update(canonical(event) + b"\n")
    if seal.up_to is not None:
        ids = {"absent": seal.absent, "event_ids": seal.event_ids, "up_to": seal.up_to}
        digest.update(canonical(ids) + b"\n")
    return digest.hexdigest()
