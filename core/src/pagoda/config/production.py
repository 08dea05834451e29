"""What PAGODA_ENV=production does not start with."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_network

from pydantic import SecretStr

KEY_MIN_CHARACTERS = 32
_MAKE_A_KEY = "`python3 -c 'import secrets; print(secrets.token_urlsafe(48))'` makes one"


def production_fault(name: str, value: object) -> str | None:
    """Return what is unsafe about the value of a setting, with the remedy; None when it will do."""
    match name, value:
        case "pagoda_secret_key", None:
            return f"PAGODA_ENV=production needs {KEY_MIN_CHARACTERS} characters or more; {_MAKE_A_KEY}"
        case "database_url", None:
            return "PAGODA_ENV=production needs one, such as postgres://user:password@host:5432/name"
        case "broker_url", None:
            return "PAGODA_ENV=production needs one, such as redis://host:6379/0"
        case "pagoda_secret_key", SecretStr() if len(value.get_secret_value()) < KEY_MIN_CHARACTERS:
            needed = f"PAGODA_ENV=production needs {KEY_MIN_CHARACTERS}"
            return f"has {len(value.get_secret_value())} characters, where {needed}; {_MAKE_A_KEY}"
        case "pagoda_debug", True:
            return "it would show code and settings to everybody; leave it out with PAGODA_ENV=production"
        case "pagoda_allowed_hosts", tuple() if "*" in value:
            return (
                "whoever asks could choose the host of links; name the hosts that people use, such as "
                "pagoda.example.org, with PAGODA_ENV=production"
            )
        case "pagoda_trusted_proxies", tuple() if _is_everybody(value):
            return (
                "whoever asks could name any address as theirs; name the networks of your proxies alone "
                "with PAGODA_ENV=production"
            )
        case "pagoda_oidc_issuer", str() if not value.startswith("https://"):
            return "whoever is on the way could log in as anybody; use https with PAGODA_ENV=production"
        case _:
            return None


def _is_everybody(networks: Sequence[str]) -> bool:
    return any(ip_network(each).prefixlen == 0 for each in networks)
