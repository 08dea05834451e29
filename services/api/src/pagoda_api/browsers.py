"""What browsers are told of the host's pages: what these may do there, and whether they are light or dark."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_cache_control

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
"""No script and no style stands in a page itself."""

THEMES = ("auto", "light", "dark")
THEME_COOKIE = "pagoda_theme"


def guarded[R: HttpResponse](response: R) -> R:
    """Return `response` under the policy; what it shows is its reader's alone, and may be old in a minute."""
    response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    patch_cache_control(response, private=True, no_store=True)
    return response


def theme_of(request: HttpRequest) -> str:
    """Return the theme that was chosen in this browser, the first one while none was."""
    chosen = request.COOKIES.get(THEME_COOKIE, "")
    return chosen if chosen in THEMES else THEMES[0]
