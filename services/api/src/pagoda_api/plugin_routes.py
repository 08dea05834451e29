"""The way to plugin endpoints: one route and a dictionary, so that cost does not grow with the plugins."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain, islice
from typing import NoReturn

import structlog
from django.http import HttpRequest
from django.urls import ResolverMatch, URLPattern, URLResolver, get_resolver
from django.urls.exceptions import Resolver404
from django.urls.resolvers import RoutePattern

from pagoda.fencing.reporting import report_error
from pagoda.plugins.records import PluginRefused, ReasonCode
from pagoda.plugins.registry import UrlModules
from pagoda.plugins.url_modules import load_urls
from pagoda_plugin_sdk.washing import washed

API_PREFIX = "api/v2/plugins/"
PAGES_PREFIX = "plugins/"
CONSOLE_PREFIX = "console/plugins/"
PREFIXES = (API_PREFIX, PAGES_PREFIX, CONSOLE_PREFIX)

HOST_PAGES = ("", "settings/")
"""What the host itself serves of a plugin below `CONSOLE_PREFIX`, whatever its module has."""

SHOWN_PATHS = 100
_SHOWN_LENGTH = 300

log = structlog.get_logger(__name__)


def build_plugin_routes(
    plugins: Iterable[UrlModules],
    *,
    report_fault: Callable[[str, str, str], None],
    load_seconds: float = 30.0,
    is_strict: bool = False,
) -> PluginRoutes:
    """Import each plugin's URL modules, each in a fence, and return the resolver that leads to them.

    A plugin whose module fails loses that module's URLs and is reported as
    ``report_fault(plugin_id, code, text)``; the other plugins are served.

    Raises:
        PluginRefused: a module failed and `is_strict` is set.
    """
    routes = PluginRoutes()
    for plugin in plugins:
        resolvers = []
        for prefix, module_path in (
            (API_PREFIX, plugin.api_v2_patterns),
            (PAGES_PREFIX, plugin.url_patterns),
            (CONSOLE_PREFIX, plugin.console_patterns),
        ):
            if module_path is None:
                continue
            try:
                resolvers.append(
                    load_urls(
                        plugin.plugin_id,
                        module_path,
                        f"{prefix}{plugin.plugin_id}/",
                        report=partial(report_fault, plugin.plugin_id, ReasonCode.SIDE_EFFECTS),
                        seconds=load_seconds,
                    )
                )
            except PluginRefused as refused:
                if is_strict:
                    raise
                log.error("plugin_urls_failed", plugin=plugin.plugin_id, module=module_path, exc_info=True)
                report_error(refused, plugin=plugin.plugin_id, surface="load", name=module_path)
                report_fault(plugin.plugin_id, refused.reason_code, str(refused))
        routes.add(plugin, resolvers)
    return routes


class PluginRoutes(URLResolver):
    """Resolves plugin paths by the plugin's name; lists all plugins for `reverse` and for the OpenAPI schema.

    The URL modules of a plugin share one namespace, its id; a module's ``app_name`` names it too.
    """

    def __init__(self) -> None:
        self._plugins: list[URLResolver] = []
        self._by_name: dict[str, tuple[str, dict[str, URLResolver]]] = {}  # {name: (id, {prefix: module})}
        self._app_names: dict[str, list[str]] = {}
        super().__init__(RoutePattern(""), self._plugins)

    @property
    def app_dict(self) -> dict[str, list[str]]:
        """Return ``{app name: [plugin id]}``, by which `reverse` finds a namespace."""
        return {**self._app_names, **super().app_dict}

    def add(self, plugin: UrlModules, resolvers: list[URLResolver]) -> None:
        """Serve `resolvers` below each of the plugin's names."""
        if not resolvers:
            return
        namespace = plugin.plugin_id
        resolver = URLResolver(RoutePattern(""), resolvers, app_name=namespace, namespace=namespace)
        self._plugins.append(resolver)
        for app_name in filter(None, map(_app_name, resolvers)):
            self._app_names.setdefault(app_name, []).append(namespace)
        modules = {
            prefix: module
            for module in resolvers
            for prefix in PREFIXES
            if str(module.pattern).startswith(prefix)
        }
        for name in plugin.names:
            self._by_name.setdefault(name, (namespace, modules))

    def paths_of(self, plugin_id: str) -> Iterator[str]:
        """Yield the paths that a plugin serves, as it declares them: with places for what differs."""
        for namespace, modules in self._by_name.values():
            if namespace == plugin_id:
                yield from (path for module in modules.values() for path in _paths(module, "/"))
                return

    def resolve(self, path: str) -> ResolverMatch:
        """Find the view of `path` ("api/v2/plugins/<name>/..."), looking at the named plugin alone."""
        path = str(path)
        for prefix in PREFIXES:
            if path.startswith(prefix):
                name, slash, rest = path.removeprefix(prefix).partition("/")
                if prefix == CONSOLE_PREFIX and rest in HOST_PAGES:
                    break
                if slash and name in self._by_name:
                    plugin_id, modules = self._by_name[name]
                    try:
                        match = _match(modules[prefix], rest) if prefix in modules else None
                    except BaseException as error:  # noqa: BLE001 - of a converter; its fence is to see it
                        match = ResolverMatch(
                            partial(_raise, error), (), {}, route="", captured_kwargs={}, extra_kwargs={}
                        )
                    if match is not None:
                        return _in_namespace(plugin_id, f"{prefix}{plugin_id}/", match)
        raise Resolver404({"path": path})


def paths_of(plugin_id: str) -> list[str]:
    """Return the first paths that a plugin serves, `SHOWN_PATHS` at most."""
    routes = (each for each in get_resolver().url_patterns if isinstance(each, PluginRoutes))
    found = chain.from_iterable(each.paths_of(plugin_id) for each in routes)
    return [washed(path, _SHOWN_LENGTH) for path in islice(found, SHOWN_PATHS)]


def _paths(found: URLPattern | URLResolver, before: str) -> Iterator[str]:
    path = before + str(found.pattern).removeprefix("^").removesuffix("$")
    if isinstance(found, URLResolver):
        for each in found.url_patterns:
            yield from _paths(each, path)
    else:
        yield path


def _match(module: URLResolver, rest: str) -> ResolverMatch | None:
    """Return the view of a path below the module's own, as the module would without its bookkeeping."""
    for pattern in module.url_patterns:
        try:
            match = pattern.resolve(rest)
        except Resolver404:
            continue
        if match is not None:
            if isinstance(pattern, URLResolver):
                match.route = f"{pattern.pattern}{match.route.removeprefix('^')}"
            return match
    return None


def _raise(error: BaseException, _request: HttpRequest) -> NoReturn:
    raise error


def _in_namespace(namespace: str, prefix: str, match: ResolverMatch) -> ResolverMatch:
    """Give a module's match the namespace and the route of its plugin, as a resolver around it would.

    The match is this request's alone; another resolver would cost as much as finding the view.
    """
    match.app_names = [namespace, *match.app_names]
    match.namespaces = [namespace, *match.namespaces]
    match.app_name, match.namespace = ":".join(match.app_names), ":".join(match.namespaces)
    match.view_name = ":".join([*match.namespaces, match.url_name or match._func_path])
    match.route = f"{prefix}{match.route}"
    return match


def _app_name(resolver: URLResolver) -> str | None:
    name = getattr(resolver.urlconf_module, "app_name", None)
    return name if isinstance(name, str) else None


def is_console_page(match: ResolverMatch | None) -> bool:
    """Return whether a request was routed to a plugin's page in the console's frame."""
    return match is not None and match.route.startswith(CONSOLE_PREFIX)


def plugin_of(match: ResolverMatch | None) -> str | None:
    """Return the id of the plugin that a request was routed to, None for the host's own endpoints."""
    if match is None or not match.route.startswith(PREFIXES) or not match.namespaces:
        return None
    return match.namespaces[0]
