"""How the hash chain is computed; `pagoda audit verify` and anybody with an export can do it again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any


def canonical(event: Mapping[str, Any]) -> bytes:
    """Return an event's JSON in the one form that is hashed: sorted keys, no spaces, UTF-8."""
    return json.dumps(event, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def seal_hash(number: int, previous_hash: str, events: Iterable[Mapping[str, Any]]) -> str:
    """Return the SHA-256, in hex, of a seal: its number, its predecessor's hash, a line for each event."""
    digest = hashlib.sha256(f"{number}\n{previous_hash}\n".encode())
    for event in events:
        digest.update(canonical(event) + b"\n")
    return digest.hexdigest()
