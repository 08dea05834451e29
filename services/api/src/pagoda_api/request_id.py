"""The id of a request: where it is kept, and which ids of callers are accepted."""

from __future__ import annotations

import re

from django.http import HttpRequest

HEADER = "X-Request-ID"
PROBES = frozenset({"/healthz", "/readyz", "/metrics"})
"""Paths that machines ask every few seconds."""

META_KEY = "HTTP_X_REQUEST_ID"
# What goes into logs and back into a header comes from outside: no spaces, no control characters, no essays,
# and no segments that would have a browser fold the path of the request's page to another one.
ACCEPTED = re.compile(r"(?!(?:.*/)?\.{1,2}(?:/|\Z))[A-Za-z0-9._:/+=@-]{1,100}")


def request_id_of(request: HttpRequest) -> str:
    """Return the id of `request`, "" before it has one."""
    return str(request.META.get(META_KEY, ""))
