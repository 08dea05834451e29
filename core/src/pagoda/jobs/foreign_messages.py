"""What comes over a broker and is no message of ours: refused before anything of it is unpacked.

Kombu inflates a message as it comes, whatever it grows to, and ends its process with one that has another
form. Whoever has an account at the broker can send either.
"""

from __future__ import annotations

from typing import Any

import structlog
from kombu.utils.json import loads

from pagoda_plugin_sdk.washing import washed

MESSAGE_MAX_BYTES = 1024 * 1024
"""A job's message has less than 1 KiB; Flower's events come up to 200 in one."""

log = structlog.get_logger(__name__)


class MessageRefused(ValueError):
    """A message is not taken; says why."""


def refuse(queue: str, fault: object) -> None:
    """Tell of a message that is dropped. A job is not lost with it: the dispatcher sends it again."""
    log.warning("message_refused", queue=washed(queue, 200), fault=washed(fault, 300))


def parsed(content: bytes) -> dict[str, Any]:
    """Return the message that a broker without a protocol of its own (Redis, files) keeps as JSON.

    Raises:
        MessageRefused: it is too large, compressed, or has no such form.
    """
    require_size(len(content))
    try:
        message: Any = loads(content.decode())
    except (ValueError, TypeError, RecursionError) as error:
        raise MessageRefused(f"it is no JSON ({type(error).__name__})") from error
    if not isinstance(message, dict):
        raise MessageRefused("it is no object")
    properties = message.get("properties")
    if not isinstance(properties, dict) or not isinstance(properties.get("delivery_info"), dict):
        raise MessageRefused("it has no properties, or no delivery_info")
    if not isinstance(properties.get("delivery_tag"), str) or not isinstance(message.get("body"), str):
        raise MessageRefused("its delivery tag or its body is no text")
    if properties.get("body_encoding") not in (None, "base64"):
        raise MessageRefused("its body has another encoding than base64")
    require_plain(message.get("headers"))
    return message


def require_size(size: int) -> None:
    """Raise `MessageRefused` for one of so many bytes, unless that is fine."""
    if size > MESSAGE_MAX_BYTES:
        raise MessageRefused(f"it has {size:,} bytes, at most {MESSAGE_MAX_BYTES:,} are taken")


def require_plain(headers: object) -> None:
    """Raise `MessageRefused` for headers of another form, or of a compressed body."""
    if headers is not None and not isinstance(headers, dict):
        raise MessageRefused("its headers are no object")
    if headers and headers.get("compression"):
        raise MessageRefused("it is compressed")
