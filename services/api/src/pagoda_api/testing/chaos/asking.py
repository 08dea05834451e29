"""What is tried: an endpoint of a plugin, or its override of an operation on entries, by a request."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast
from unittest.mock import patch

from django.urls import URLPattern, URLResolver
from django.urls.resolvers import RoutePattern

from pagoda.budget import TimeBudgetExceeded
from pagoda.plugins import overrides
from pagoda.plugins.registry import registry
from pagoda_api.endpoint_fence import ANSWERS, EndpointFence, endpoint_fence
from pagoda_api.testing.chaos.meddling import Harm, Meddler
from pagoda_api.testing.chaos.subjects import ADMIN, BUDGET_SECONDS, NotRun, Values, entry_body
from pagoda_api.testing.host import PagodaHost
from pagoda_plugin_sdk.checking.urls import resolver_of
from pagoda_plugin_sdk.override import OverrideOperation

METHODS = ("get", "post", "put", "patch", "delete")
UNFIT = {
    Harm.CANCELED: "nobody can cancel a request",
    Harm.TWICE: "the host answers a request once",
    Harm.UNDONE: "the host has no transaction around a request",
}


@dataclass(slots=True)
class _Asked:
    """What answers a request of the administrator, in the fence of endpoints."""

    plugin: str
    remedy: str = field(init=False, default="")  # what its author may do when it is refused
    own_jobs: tuple[int, ...] = field(init=False, default=())

    def why_not(self, fault: Harm) -> str:
        """Return why a fault can't happen to it, "" if it can."""
        return UNFIT.get(fault, "")

    def meddler(self, fault: Harm, at: int, sources: tuple[str, ...]) -> Meddler:
        """Return what is to call it; it is in its place from here on."""
        meddler = Meddler(fault, at, sources, _cut, lambda error: isinstance(error, ANSWERS))
        call = EndpointFence.call

        def meddled(fence: EndpointFence, plugin: str, request: Any, view: Any, *args: Any, **kw: Any) -> Any:
            return call(fence, plugin, request, partial(meddler.call, view), *args, **kw)

        patch.object(EndpointFence, "call", meddled).start()  # in a process that ends after this
        return meddler

    def run(self, ask: Callable[[], Any], meddler: Meddler) -> str:
        """Send the request; what is refused with no fault done is not tried."""
        answer = ask()
        if meddler.fault is Harm.NONE and 400 <= answer.status_code < 500:
            raise NotRun(f"it answers {answer.status_code}: {_text(answer)}{self.remedy}")
        return _text(answer) if answer.status_code >= 400 else ""


@dataclass(slots=True)
class EndpointSubject(_Asked):
    """A method of a path below the plugin's own."""

    method: str
    route: str
    body: Values  # of the request, or its query

    @property
    def name(self) -> str:
        """Return its name to people."""
        return f"{self.plugin}: {self.method.upper()} {self.route} (endpoint)"

    def prepare(self, host: PagodaHost) -> Callable[[], Any]:
        """Return the request."""
        if "<" in self.route:
            raise NotRun("its path has parameters")
        client = host.client(host.user(ADMIN, is_superuser=True))
        path = f"/api/v2/plugins/{self.plugin}/{self.route}"
        self.remedy = (
            f'. Give it what it takes: [tool.pagoda.chaos.bodies] "{self.method.upper()} {self.route}" = {{}}'
        )
        given = self.body if self.method == "get" else {**self.body}
        how = {} if self.method == "get" else {"format": "json"}
        return partial(getattr(client, self.method), path, given, **how)


@dataclass(slots=True)
class OverrideSubject(_Asked):
    """An operation on the entries of an entity, which the operator is taken to have bound."""

    operation: OverrideOperation
    entries: Mapping[str, Values]  # {entity: attributes of an entry}, as the author gives them
    params: Values

    @property
    def name(self) -> str:
        """Return its name to people."""
        return f"{self.plugin}: {self.operation} (override)"

    def prepare(self, host: PagodaHost) -> Callable[[], Any]:
        """Bind it, make what it is about, and return the request."""
        plugin: Any = registry().get(self.plugin).plugin
        body = entry_body(next(iter(self.entries), None), self.entries)
        try:
            made = overrides.Override(
                plugin_id=self.plugin,
                operation=self.operation,
                handler=plugin.get_handler(self.operation),
                params=plugin.validate_params(dict(self.params)),
            )
        except ValueError as error:
            told = " ".join(str(error).partition(" [type=")[0].split())
            remedy = "Give them: [tool.pagoda.chaos.override_params] name = value"
            raise NotRun(f"its params do not fit: {told}. {remedy}") from error
        overrides._Bound.bindings = {str(body["schema"]): {self.operation: made}}  # noqa: SLF001 - as above
        client = host.client(host.user(ADMIN, is_superuser=True))
        self.remedy = ". Give values that it takes: [tool.pagoda.chaos.entries] Entity = {attribute = value}"
        path = "/api/v2/entries/"
        if self.operation == "list":
            return partial(client.get, path, {"entity": body["schema"]})
        if self.operation == "create":
            return partial(client.post, path, body, format="json")
        answer = client.post(path, body, format="json")
        if answer.status_code != 201:
            raise NotRun(f"what it is about can't be made: {_text(answer)}{self.remedy}")
        path += f"{answer.json()['id']}/"
        if self.operation == "update":
            return partial(client.patch, path, {"note": "chaos"}, format="json")
        return partial(client.get if self.operation == "retrieve" else client.delete, path)


def asked(plugin_id: str, options: Mapping[str, Any]) -> Iterator[EndpointSubject | OverrideSubject]:
    """Yield what of a plugin answers requests to the API; `options` are those of `tried`."""
    record = registry().get(plugin_id)
    path = record.declared.api_v2_patterns if record.declared is not None else None
    if path is not None:
        for route, callback in _routes(resolver_of(path), ""):
            for method in _methods(callback):
                body = options.get("bodies", {}).get(f"{method.upper()} {route}", {})
                yield EndpointSubject(plugin_id, method=method, route=route, body=body)
    for operation in record.plugin.get_info()["override_operations"] if record.plugin is not None else ():
        known, params = cast("OverrideOperation", operation), options.get("override_params", {})
        yield OverrideSubject(plugin_id, operation=known, entries=options.get("entries", {}), params=params)


def _routes(resolver: URLResolver, before: str) -> Iterator[tuple[str, Any]]:
    for each in resolver.url_patterns:
        is_route = isinstance(each.pattern, RoutePattern)
        route = f"{before}{each.pattern}" if is_route else f"{before}<{each.pattern}>"
        if isinstance(each, URLPattern):
            yield route, each.callback
        else:
            yield from _routes(each, route)


def _methods(callback: Any) -> list[str]:
    """Return the methods that a view of Django's or REST framework's has; of a function GET is tried."""
    view = getattr(callback, "cls", getattr(callback, "view_class", None))
    actions = getattr(callback, "actions", None)
    if actions is None and view is None:
        return ["get"]
    return [each for each in METHODS if (each in actions if actions is not None else hasattr(view, each))]


def _cut() -> BaseException:
    return TimeBudgetExceeded(endpoint_fence().budget.local.frame, BUDGET_SECONDS)


def _text(answer: Any) -> str:
    return str(answer.content.decode(errors="replace")[:300])
