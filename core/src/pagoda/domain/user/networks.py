"""Networks of addresses, as those that a token may be used from."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final

from django.core.exceptions import ValidationError

from pagoda_plugin_sdk.rules.saying import say
from pagoda_plugin_sdk.washing import shown

MAX_NETWORKS: Final = 100


def is_within(address: str, networks: Sequence[str]) -> bool:
    """Return whether an address (``"192.0.2.1"``) is in one of the networks; a client without one is not."""
    try:
        client = ip_address(address)
    except ValueError:
        return False
    client = getattr(client, "ipv4_mapped", None) or client
    return any(client in network for network in parsed_networks(networks))


def are_within(networks: Sequence[str], wider: Sequence[str]) -> bool:
    """Return whether each of `networks` is part of one of `wider`."""
    outer = parsed_networks(wider)
    return all(any(_is_part(each, network) for network in outer) for each in parsed_networks(networks))


def _is_part(network: IPv4Network | IPv6Network, of: IPv4Network | IPv6Network) -> bool:
    return network.version == of.version and network.subnet_of(of)  # type: ignore[arg-type]  # alike by version


def parsed_networks(given: object) -> list[IPv4Network | IPv6Network]:
    """Return the networks of a list of texts such as ``"10.0.0.0/8"``, ``"2001:db8::/32"``, ``"192.0.2.1"``.

    Raises:
        ValidationError: keyed by ``networks``; names what is none.
    """
    if not isinstance(given, list | tuple):
        fault = say('Networks are a list such as ["10.0.0.0/8"], not {given}.', given=shown(given))
        raise ValidationError({"networks": ValidationError(fault, code="type")})
    if len(given) > MAX_NETWORKS:
        fault = say(
            "There are {count:,} networks; at most {max_networks} are allowed. Name wider ones.",
            count=len(given),
            max_networks=MAX_NETWORKS,
        )
        raise ValidationError({"networks": ValidationError(fault, code="max_length")})
    try:
        return [ip_network(each if isinstance(each, str) else "") for each in given]
    except ValueError:
        wrong = next(each for each in given if not _is_network(each))
        fault = say(
            "{wrong} is no network. Write it as '10.0.0.0/8' or '2001:db8::/32', with zeros "
            "behind the prefix; a single address is one too.",
            wrong=shown(wrong),
        )
        raise ValidationError({"networks": ValidationError(fault, code="invalid")}) from None


def _is_network(given: object) -> bool:
    try:
        return isinstance(given, str) and bool(ip_network(given))
    except ValueError:
        return False
