"""The client library of Redis, for who has one."""

from __future__ import annotations

from typing import Any


def redis_package() -> Any:  # Any: a module
    """Return the package ``redis``; call it only where a URL names a Redis.

    Raises:
        ModuleNotFoundError: it is not installed.
    """
    import redis  # not installed where no Redis is used, and a tenth of a second where it is

    return redis
