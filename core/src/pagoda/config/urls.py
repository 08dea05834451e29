"""URLs and addresses in the settings: what is wrong with one is said without its password."""

from __future__ import annotations

import re
from ipaddress import ip_network
from urllib.parse import urlsplit

from pydantic import SecretStr
from sentry_sdk.utils import BadDsn, Dsn

DATABASE_SCHEMES = ("postgres", "postgresql", "sqlite")
BROKER_SCHEMES = ("redis", "rediss", "amqp", "amqps", "filesystem")
_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)+")
_SEVERAL_HOSTS = re.compile(r"(postgres(?:ql)?://(?:[^@/?]*@)?)([^@/?]+,[^@/?]+)([/?].*)", re.DOTALL)

CACHE_SCHEMES = ("redis", "rediss")


def check_database_url(value: SecretStr | None) -> SecretStr | None:
    """Return `value` when its scheme is one of `DATABASE_SCHEMES`; PostgreSQL may have several hosts.

    Raises:
        ValueError: otherwise.
    """
    for url in one_host_each(value.get_secret_value()) if value else ():
        _check(SecretStr(url), DATABASE_SCHEMES, "postgres://user:password@host:5432/name")
    return value


def one_host_each(url: str) -> list[str]:
    """Return a URL of several hosts, ``postgres://user:password@a:5432,b:5432/name``, as one for each."""
    found = _SEVERAL_HOSTS.fullmatch(url)
    return [f"{found[1]}{host}{found[3]}" for host in found[2].split(",")] if found else [url]


def check_broker_url(value: SecretStr | None) -> SecretStr | None:
    """Return `value` when its scheme is one of `BROKER_SCHEMES`.

    Raises:
        ValueError: otherwise.
    """
    return _check(value, BROKER_SCHEMES, "redis://host:6379/0")


def check_cache_url(value: SecretStr | None) -> SecretStr | None:
    """Return `value` when its scheme is one of `CACHE_SCHEMES`.

    Raises:
        ValueError: otherwise.
    """
    return _check(value, CACHE_SCHEMES, "redis://host:6379/1")


def check_sentry_dsn(value: SecretStr | None) -> SecretStr | None:
    """Return `value` when Sentry's client understands it.

    Raises:
        ValueError: otherwise.
    """
    if value is not None:
        try:
            Dsn(value.get_secret_value())
        except BadDsn as error:
            raise ValueError("is no DSN; expected https://key@host/project") from error
    return value


def check_bind(value: str) -> str:
    """Return `value` when it is ``host:port``.

    Raises:
        ValueError: otherwise.
    """
    host, _, port = value.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65_535:
        raise ValueError("expected host:port, such as 127.0.0.1:8000")
    return value


def check_optional_bind(value: str | None) -> str | None:
    """Return `value` when it is ``host:port`` or None.

    Raises:
        ValueError: otherwise.
    """
    return None if value is None else check_bind(value)


def check_networks(value: tuple[str, ...]) -> tuple[str, ...]:
    """Return `value` when each is an address or a network.

    Raises:
        ValueError: otherwise.
    """
    for each in value:
        try:
            ip_network(each)
        except ValueError as error:
            raise ValueError(f"{error}; expected addresses and networks, such as 10.0.0.0/8") from error
    return value


def check_origins(value: tuple[str, ...]) -> tuple[str, ...]:
    """Return `value` when each is an origin, as Django compares it with what browsers send.

    Raises:
        ValueError: otherwise.
    """
    for each in value:
        scheme, _, host = each.partition("://")
        if scheme not in ("http", "https") or not host or set(host) & set("/?#@ "):
            raise ValueError(
                f"{each!r} is no origin; expected scheme and host, such as https://pagoda.example.org"
            )
    return value


def check_issuer(value: str | None) -> str | None:
    """Return `value` without a slash at its end when it is the address of an OpenID provider, or None.

    Raises:
        ValueError: otherwise.
    """
    if value is None:
        return None
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("expected the provider's address, such as https://login.example.org/realms/main")
    return value.rstrip("/")


def check_path_prefix(value: str) -> str:
    """Return `value` when it is a path without a slash at its end, or empty.

    Raises:
        ValueError: otherwise.
    """
    if value and not _PREFIX.fullmatch(value):
        raise ValueError("expected a path such as /pagoda, without a slash at its end")
    return value


def _check(value: SecretStr | None, schemes: tuple[str, ...], example: str) -> SecretStr | None:
    if value is None:
        return None
    expected = f"expected a URL such as {example} (schemes: {', '.join(schemes)})"
    try:
        parts = urlsplit(value.get_secret_value())
        _ = parts.port  # raises on a port that is no number
    except ValueError as error:
        raise ValueError(f"is not a URL; {expected}") from error
    if parts.scheme not in schemes:
        raise ValueError(f"has the scheme {parts.scheme!r}; {expected}")
    if parts.scheme in ("sqlite", "filesystem"):
        if not parts.path.strip("/"):
            raise ValueError(f"names no path; expected {parts.scheme}:///path")
    elif not parts.hostname:
        raise ValueError(f"names no host; {expected}")
    return value
