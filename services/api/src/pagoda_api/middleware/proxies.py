"""Who asks, how and by which name, where proxies that are trusted stand in front."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest, HttpResponse

type Address = IPv4Address | IPv6Address


class TrustedProxiesMiddleware:
    """Take the client's address, scheme and host from X-Forwarded-For, -Proto and -Host.

    They count as far as networks of ``PAGODA_TRUSTED_PROXIES`` have written them: the client is the rightmost
    address that is none of theirs, whatever stands to the left of it. The first of our middlewares.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self._networks = [ip_network(each) for each in settings.PAGODA.pagoda_trusted_proxies]

    def __call__(self, request: HttpRequest) -> HttpResponse:
        peer = _address(request.META.get("REMOTE_ADDR", "")) if self._networks else None
        if peer is not None and self._trusts(peer):
            self._believe(request, peer)
        return self.get_response(request)

    def _believe(self, request: HttpRequest, client: Address) -> None:
        meta, proxies = request.META, 0
        for given in ("", *reversed(meta.get("HTTP_X_FORWARDED_FOR", "").split(","))):
            address = _address(given.strip()) if given else client
            if address is None:
                break
            client = address
            if not self._trusts(client):
                break
            proxies += 1
        meta["REMOTE_ADDR"] = str(client)
        scheme = _claim(meta.get("HTTP_X_FORWARDED_PROTO", ""), proxies).lower()
        if scheme in ("http", "https"):
            meta["wsgi.url_scheme"] = scheme
        host = _claim(meta.get("HTTP_X_FORWARDED_HOST", ""), proxies)
        if host:
            meta["HTTP_HOST"] = host

    def _trusts(self, address: Address) -> bool:
        return any(address in network for network in self._networks)


def _claim(header: str, proxies: int) -> str:
    """Return what the trusted proxy that is nearest to the client says; one that overwrites says all."""
    claims = [claim.strip() for claim in header.split(",")]
    return claims[-min(proxies, len(claims))]


def _address(text: str) -> Address | None:
    """Return the address in ``192.0.2.1``, ``192.0.2.1:80``, ``2001:db8::1`` or ``[2001:db8::1]:80``."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
