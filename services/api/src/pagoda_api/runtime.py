"""The process's endpoint fence: made once, before the server forks its workers."""

from __future__ import annotations

from django.conf import settings

from pagoda.fencing.runtime import breaker
from pagoda.hooks.runtime import manager
from pagoda_api.bulkhead import Bulkhead
from pagoda_api.endpoint_fence import EndpointFence


class _Process:
    fence: EndpointFence | None = None


def endpoint_fence() -> EndpointFence:
    """Return the process's fence, made at the first call."""
    if _Process.fence is None:
        host = settings.PAGODA
        _Process.fence = EndpointFence(
            budget=manager().budget,
            breaker=breaker(),
            bulkhead=Bulkhead.of(host),
            timeout_seconds=host.plugin_endpoint_timeout_seconds,
            max_response_bytes=host.plugin_max_response_bytes,
        )
    return _Process.fence


def install(fence: EndpointFence | None) -> EndpointFence | None:
    """Make `fence` the process's and return the one it replaces; None: it is made anew."""
    replaced, _Process.fence = _Process.fence, fence
    return replaced
