"""What browsers are told of the host's pages: what these may do there, and whether they are light or dark."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_cache_control

_ANYWHERE = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
CONTENT_SECURITY_POLICY = f"{_ANYWHERE}; form-action 'self'"
"""No script and no style stands in a page itself."""

THEMES = ("auto", "light", "dark")
THEME_COOKIE = "pagoda_theme"


def guarded[R: HttpResponse](response: R, *, is_led_on: bool = False) -> R:
    """Return `response` under the policy; what it shows is its reader's alone, and may be old in a minute.

    Of a page whose form is led on to other hosts browsers hold each redirection against ``form-action``.
    """
    response.headers["Content-Security-Policy"] = _ANYWHERE if is_led_on else CONTENT_SECURITY_POLICY
    patch_cache_control(response, private=True, no_store=True)
    return response


def theme_of(request: HttpRequest) -> str:
    """Return the theme that was chosen in this browser, the first one while none was."""
    chosen = request.COOKIES.get(THEME_COOKIE, "")
    return chosen if chosen in THEMES else THEMES[0]
