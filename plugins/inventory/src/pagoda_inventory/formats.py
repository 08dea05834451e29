"""Formats that the inventory's attributes have to have."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from typing import Any

from packaging.version import InvalidVersion, Version

_MAC = re.compile(r"[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}(?:([:-][0-9A-Fa-f]{2}){2})?")


def is_version(text: str) -> bool:
    """Return whether `text` is a version as PEP 440 defines it."""
    try:
        Version(text)
    except InvalidVersion:
        return False
    return True


def is_ip_address(text: str) -> bool:
    """Return whether `text` is an IPv4 or IPv6 address."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def is_mac_address(text: str) -> bool:
    """Return whether `text` is a hardware address of 48 or 64 bits, ``02:42:ac:11:00:02``."""
    return _MAC.fullmatch(text) is not None


def printable(text: str) -> str:
    """Return `text` with control characters, and bytes that were no text, written as escapes."""
    decoded = text.encode("utf-8", "backslashreplace").decode()
    return "".join(char if unicodedata.category(char) != "Cc" else repr(char)[1:-1] for char in decoded)


def version_faults(values: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with the versions among an entry's ``{attribute name: value}``."""
    version = values.get("version")
    if version and not is_version(version):
        yield f"Attribute 'version' is {version!r}, expected a PEP 440 version such as '1.2.3' or '2.0rc1'."


def address_faults(values: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with the addresses among an entry's ``{attribute name: value}``."""
    for address in values.get("addresses") or ():
        if not is_ip_address(address) and not is_mac_address(address):
            yield (
                f"Attribute 'addresses' holds {address!r}, expected IP or MAC addresses "
                "such as '192.0.2.7', '2001:db8::7' or '02:42:ac:11:00:02'."
            )
    mac = values.get("mac")
    if mac and not is_mac_address(mac):
        yield f"Attribute 'mac' is {mac!r}, expected a MAC address such as '02:42:ac:11:00:02'."
