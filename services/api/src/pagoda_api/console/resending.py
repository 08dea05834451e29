"""What somebody sends whose session has ended: kept through the login, and sent again when they say so."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple
from urllib.parse import urlsplit

from django.core import signing
from django.http import HttpRequest, QueryDict
from django.utils.http import url_has_allowed_host_and_scheme

from pagoda.config.scrubbing import is_secret_name

SALT = "pagoda.console.resending"
KEPT_FOR = timedelta(hours=12)
MAX_CHARACTERS = 500_000
"""Of a form that is kept; what is longer has to be typed again."""

TOKEN = "csrfmiddlewaretoken"  # noqa: S105 - the name of it
"""A field that each page makes anew."""


class KeptForm(NamedTuple):
    """A form that was sent: where to, and its fields in their order."""

    path: str
    fields: list[tuple[str, str]]


def keep(request: HttpRequest) -> str:
    """Return the form of a request as a text that nobody else makes; "" where there is none to keep.

    Forms with files or secrets are not kept: browsers don't fill them in again either.
    """
    fields = [(key, value) for key, values in request.POST.lists() for value in values if key != TOKEN]
    is_long = sum(len(key) + len(value) for key, value in fields) > MAX_CHARACTERS
    if request.FILES or is_long or any(is_secret_name(key) for key, _ in fields):
        return ""
    return signing.dumps([request.get_full_path(), fields], salt=SALT, compress=True)


def kept_in(sent: QueryDict) -> KeptForm | None:
    """Return the form that a login brings along, None where it brings none of ours or an old one."""
    try:
        path, fields = signing.loads(sent.get("kept", ""), salt=SALT, max_age=KEPT_FOR)
    except signing.BadSignature:
        return None
    return KeptForm(path, [(key, value) for key, value in fields])


def page_of(request: HttpRequest) -> str:
    """Return the path of the page whose form was sent, which leads there again without the form."""
    before = request.META.get("HTTP_REFERER", "")
    is_ours = url_has_allowed_host_and_scheme(before, {request.get_host()}, require_https=request.is_secure())
    return urlsplit(before)._replace(scheme="", netloc="").geturl() if before and is_ours else ""
