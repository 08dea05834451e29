"""Names of the inventory's entries: unique within an entity, and short enough for the host."""

from __future__ import annotations

from hashlib import sha256

MAX_LENGTH = 200
"""The host stores no longer name of an entry."""

_DIGEST_LENGTH = 12


def entry_name(hostname: str, thing: str) -> str:
    """Return the name of the entry of something on a host: ``web-1/eth0``."""
    return cut(f"{hostname}/{thing}")


def host_prefix(hostname: str) -> str:
    """Return how the names of all entries of a host begin."""
    return f"{hostname}/"


def cut(name: str) -> str:
    """Return `name`, or if it is too long its beginning and a digest that tells it from others."""
    if len(name) <= MAX_LENGTH:
        return name
    digest = sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:_DIGEST_LENGTH]
    return f"{name[: MAX_LENGTH - _DIGEST_LENGTH - 1]}~{digest}"
