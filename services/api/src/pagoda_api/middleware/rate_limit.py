"""Refuse requests beyond the rate limits, and tell every caller where it stands with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse

from pagoda.config.rates import Rate, parse_rate
from pagoda.domain.acting import acting_user
from pagoda.plugins.runtime import registry
from pagoda.rates.counters import DatabaseCounter, RedisCounter
from pagoda.rates.limits import Verdict, judge
from pagoda_api.authentication import token_of
from pagoda_api.plugin_routes import PREFIXES
from pagoda_api.problems import logged
from pagoda_plugin_sdk.exceptions import PluginLoadError

COUNTED = ("/api/", "/admin/", "/plugins/")
"""Where requests are counted; probes, metrics and static files are not."""


class RateLimitMiddleware:
    """Count the request per user, per token and per user of a plugin; 429 beyond one of the limits.

    Who is not logged in is counted by address. After the middleware that settles who acts.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self._counter = DatabaseCounter() if settings.PAGODA.cache_url is None else RedisCounter()

    def __call__(self, request: HttpRequest) -> HttpResponse:
        verdict = judge(self._counter, dict(_scopes(request)))
        if verdict is None:
            return self.get_response(request)
        response = _refusal(verdict) if verdict.is_exceeded else self.get_response(request)
        response.headers["X-RateLimit-Limit"] = str(verdict.limit)
        response.headers["X-RateLimit-Remaining"] = str(verdict.remaining)
        response.headers["X-RateLimit-Reset"] = str(verdict.reset_seconds)
        return response


def _scopes(request: HttpRequest) -> Iterator[tuple[str, tuple[str, Rate]]]:
    if not request.path_info.startswith(COUNTED):
        return
    limits, user = settings.PAGODA, acting_user()
    who = str(user.pk) if user is not None else f"address {request.META.get('REMOTE_ADDR', '')}"
    if limits.rate_limit_user is not None:
        yield "user", (who, parse_rate(limits.rate_limit_user))
    token = token_of(request)
    if limits.rate_limit_token is not None and token is not None:
        yield "token", (str(token.pk), parse_rate(limits.rate_limit_token))
    if limits.rate_limit_plugin_user is not None and (plugin_id := _plugin(request.path_info)) is not None:
        yield "plugin_user", (f"{plugin_id}:{who}", parse_rate(limits.rate_limit_plugin_user))


def _plugin(path: str) -> str | None:
    """Return the id of the plugin that a path belongs to, however the path names it."""
    for prefix in PREFIXES:
        if path.startswith(f"/{prefix}"):
            name, slash, rest = path.removeprefix(f"/{prefix}").partition("/")
            try:
                return registry().get(name).id if slash and (rest or prefix != PREFIXES[0]) else None
            except PluginLoadError:
                return None
    return None


def _refusal(verdict: Verdict) -> HttpResponse:
    what = {"user": "requests", "token": "requests with this token", "plugin_user": "requests to this plugin"}
    detail = (
        f"Too many {what[verdict.scope]}: {verdict.limit} are allowed in a window, the next one begins in "
        f"{verdict.reset_seconds} s. Ask again then."
    )
    headers = {"Retry-After": str(verdict.reset_seconds)}
    return logged(JsonResponse({"detail": detail, "code": "rate_limited"}, status=429, headers=headers))
