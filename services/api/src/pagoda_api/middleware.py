"""What happens around every request, outermost first; `settings.MIDDLEWARE` puts Django's own in between."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from io import BytesIO
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any
from uuid import uuid4

import structlog
from django.conf import settings
from django.contrib import auth
from django.core.handlers.wsgi import LimitedStream
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.middleware.common import CommonMiddleware
from gunicorn.http.errors import ParseException

from pagoda.audit.actions import Action
from pagoda.audit.failed_logins import count_failure
from pagoda.config.rates import Rate, parse_rate
from pagoda.config.sentry import link_user
from pagoda.domain.acting import acting_as, acting_user
from pagoda.domain.user.models import User
from pagoda.fencing.breaker import breaker
from pagoda.fencing.interrupts import is_host_interrupt
from pagoda.fencing.reporting import report_error
from pagoda.plugins.registry import registry
from pagoda.rates.counters import DatabaseCounter, RedisCounter
from pagoda.rates.limits import Verdict, judge
from pagoda.watching.metrics.series import count_request
from pagoda_api.authentication import is_token_header, take_token, token_of
from pagoda_api.console.places import plugin_page
from pagoda_api.endpoint_fence import ANSWERS, endpoint_fence
from pagoda_api.plugin_routes import PREFIXES, is_console_page, plugin_of
from pagoda_api.problems import logged, refused, unexpected_error
from pagoda_api.request_id import ACCEPTED, HEADER, META_KEY, PROBES, request_id_of
from pagoda_plugin_sdk.exceptions import PluginLoadError

log = structlog.get_logger(__name__)

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


class RequestContextMiddleware:
    """Settle the request's id, the caller's where it is usable, and bind it to the log context."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.META.get(META_KEY, "")
        request_id = request.META[META_KEY] = given if ACCEPTED.fullmatch(given) else uuid4().hex
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                response = self.get_response(request)
            except BaseException as error:  # Django answers exceptions alone
                if is_host_interrupt(error):
                    raise
                response = unexpected_error(request, error)
        response.headers[HEADER] = request_id
        return response


CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' data:",  # Swagger UI's icons
        "style-src 'self' 'unsafe-inline'",  # the admin's lists and Swagger UI hold some
        "object-src 'none'",
        "base-uri 'self'",
        "frame-ancestors 'none'",
    )
)
ADMIN_PATH = "/admin/"
ADMIN_SCRIPTS = "; script-src 'self' 'unsafe-eval'"
"""Unfold uses Alpine.js, which makes functions of attributes; scripts inside of a page stay forbidden."""


class ContentSecurityPolicyMiddleware:
    """Have browsers run scripts of the host's own files alone; views of plugins may set their own policy.

    One header needs no library, and Django has its own from 6.0 on. Not with PAGODA_DEBUG, as Django's error
    pages hold scripts.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if not settings.DEBUG:
            # Forms there lead to an OpenID provider, by a redirection that browsers hold against this, too
            forms = "" if request.path_info.startswith("/accounts/") else "; form-action 'self'"
            scripts = ADMIN_SCRIPTS if request.path_info.startswith(ADMIN_PATH) else ""
            response.headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY + scripts + forms)
        return response


class AccessLogMiddleware:
    """Log method, path, status, duration, user and plugin; probes at debug level."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        started = time.perf_counter()
        response = self.get_response(request)
        seconds = time.perf_counter() - started
        plugin_id = plugin_of(request.resolver_match)
        if request.path_info not in PROBES:
            count_request(plugin_id, request.method, response.status_code, seconds)
        emit = log.debug if request.path_info in PROBES else log.info
        emit(
            "request_finished",
            method=request.method,
            path=request.path,
            status=response.status_code,
            duration_ms=round(seconds * 1000, 1),
            user_id=_user_id(request),
            plugin=plugin_id,
        )
        return response


def _user_id(request: HttpRequest) -> int | None:
    # Only what the acting-user middleware has settled: logging must not cost a query.
    user_id = request.META.get("pagoda.user_id")
    return user_id if isinstance(user_id, int) else None


class BodyLimitMiddleware:
    """Answer 413 to a body above ``API_MAX_BODY_BYTES``, whatever its path and kind.

    Django reads as much as Content-Length says: a body in chunks says no length, and is read here.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        limit: int = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        if request.META.get("HTTP_TRANSFER_ENCODING"):
            if not request.META.get("wsgi.input_terminated"):
                detail = "This server reads no body in chunks. Send it with a Content-Length."
                return refused(request, detail, "length_required", 411)
            try:
                body = request.META["wsgi.input"].read(limit + 1)
            except (OSError, ParseException) as error:
                return refused(request, f"The body in chunks can't be read: {error}.", "bad_request", 400)
            request.META["CONTENT_LENGTH"] = str(len(body))
            request._stream = LimitedStream(BytesIO(body), len(body))  # type: ignore[assignment]  # noqa: SLF001
        length = _content_length(request)
        if length <= limit:
            return self.get_response(request)
        given = "more" if request.META.get("HTTP_TRANSFER_ENCODING") else f"{length} bytes"
        detail = f"The body has {given}; at most {limit} are accepted. Send it in several requests."
        return refused(request, detail, "body_too_large", 413)


def _content_length(request: HttpRequest) -> int:
    try:
        return int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return 0  # Django treats it so too: it reads nothing


class SlashMiddleware(CommonMiddleware):
    """Send on to the path with a slash only what is read: a body would be lost on the way."""

    def should_redirect_with_slash(self, request: HttpRequest) -> bool:
        """Return whether a redirection helps; where it does not, a 404 names the path."""
        return request.method in ("GET", "HEAD") and super().should_redirect_with_slash(request)


class ActingUserMiddleware:
    """Authenticate by API token or session and act as that user until the response; after Django's own.

    A request without either costs no query. A token that is not valid leaves the request anonymous here; the
    view's authentication class refuses it with 401. One that is not good for the request is refused here,
    whatever the path is: 403.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        token, refusal = take_token(request)
        if refusal is not None:
            return refused(request, *refusal, status=403)
        user = _session_user(request) if token is None else token.user
        if token is not None:
            request.user = token.user
        elif is_token_header(request.headers.get("Authorization", "")):
            count_failure(Action.TOKEN_REFUSED, request)
        if user is not None:
            request.META["pagoda.user_id"] = user.pk
            link_user(user.pk)
        with acting_as(user):
            return self.get_response(request)


def _session_user(request: HttpRequest) -> User | None:
    if settings.SESSION_COOKIE_NAME not in request.COOKIES:
        return None
    user = auth.get_user(request)
    request.user = user  # the user itself instead of Django's lazy one: handlers receive it
    return user if isinstance(user, User) else None


COUNTED = ("/api/", "/console/", "/admin/", "/accounts/", "/plugins/")
"""Where requests are counted; probes, metrics and static files are not."""


class RateLimitMiddleware:
    """Count the request per user, per token and per user of a plugin; 429 beyond one of the limits.

    Who is not logged in is counted by address. After the middleware that settles who acts.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self._counter = DatabaseCounter() if settings.PAGODA.cache_url is None else RedisCounter()

    def __call__(self, request: HttpRequest) -> HttpResponse:
        scopes = dict(_scopes(request))
        verdict = judge(self._counter, scopes) if scopes else None
        if verdict is None:
            return self.get_response(request)
        response = _refusal(verdict) if verdict.is_exceeded else self.get_response(request)
        response.headers["X-RateLimit-Limit"] = str(verdict.limit)
        response.headers["X-RateLimit-Remaining"] = str(verdict.remaining)
        response.headers["X-RateLimit-Reset"] = str(verdict.reset_seconds)
        return response


def _scopes(request: HttpRequest) -> Iterator[tuple[str, tuple[str, Rate]]]:
    limits = settings.PAGODA
    is_limited = limits.rate_limit_user or limits.rate_limit_token or limits.rate_limit_plugin_user
    if not is_limited or not request.path_info.startswith(COUNTED):
        return
    user = acting_user()
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
            name, slash, _ = path.removeprefix(f"/{prefix}").partition("/")
            try:
                return registry().get(name).id if slash else None
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


class EndpointFenceMiddleware:
    """Call the views of plugins inside their fence, and answer what the host's own views let escape.

    It is the innermost of all, so that nothing but the view is called in the fence. The breakers' states are
    brought up to date before a request, and what it counted is stored after it.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info in PROBES or not registry().packages:
            return self.get_response(request)
        of_process = breaker()
        of_process.refresh()
        try:
            return self.get_response(request)
        finally:
            of_process.flush()
            structlog.contextvars.unbind_contextvars("plugin")

    def process_view(
        self,
        request: HttpRequest,
        view: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> HttpResponseBase | None:
        """Call a plugin's view; its plugin is named in the log from here to the end of the request."""
        plugin_id = plugin_of(request.resolver_match)
        if plugin_id is None:
            return None
        structlog.contextvars.bind_contextvars(plugin=plugin_id)
        if is_console_page(request.resolver_match):
            return plugin_page(registry().get(plugin_id), request, view, args, kwargs)
        return endpoint_fence().call(plugin_id, request, view, *args, **kwargs)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Record what a view of the host raised, and answer it."""
        if isinstance(exception, ANSWERS):
            return None
        report_error(
            exception, plugin=None, surface="endpoint", name=request.path, request_id=request_id_of(request)
        )
        return unexpected_error(request, exception)
