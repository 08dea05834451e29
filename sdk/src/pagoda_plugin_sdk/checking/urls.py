"""Check a URL module of a plugin."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import import_module
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.urls import URLPattern, URLResolver
from django.urls.exceptions import Resolver404
from django.urls.resolvers import RoutePattern

from pagoda_plugin_sdk.checking.findings import CheckFinding
from pagoda_plugin_sdk.checking.views import class_faults
from pagoda_plugin_sdk.metadata import NavigationEntry
from pagoda_plugin_sdk.plugin import Plugin

_PAGES_OF_THE_HOST = ("", "settings/")
"""Paths below a plugin's pages in the console that the host serves itself."""


def resolver_of(path: str, prefix: str = "") -> URLResolver:
    """Import a URL module, go through all of its patterns, and return what serves them below `prefix`.

    Raises:
        ImproperlyConfigured: it holds a pattern that can't be served.
        Exception: whatever the module raises. Call it inside a fence.
    """
    resolver = URLResolver(RoutePattern(prefix), import_module(path))
    if faults := [message for message in resolver.check() if message.is_serious()]:
        raise ImproperlyConfigured("; ".join(str(fault.msg) for fault in faults))
    resolver._populate()  # compiles every pattern, nested ones too
    getattr(resolver.urlconf_module, "app_name", None)  # is looked at again when it is served
    return resolver


def url_findings(plugin: Plugin, path: str) -> Iterator[CheckFinding]:
    """Load a URL module and yield each view that can't take what its URL gives it; the rest are warnings.

    Raises:
        Exception: as `resolver_of`. Call it inside a fence.
    """
    resolver = resolver_of(path)
    if path == plugin.console_patterns:
        yield from _navigation_warnings(resolver, plugin.navigation)
    for message in resolver.check():
        text = f"URL module {path!r}: {message.msg}"
        yield CheckFinding(code="urls_failed", text=text, is_warning=not message.is_serious())
    seen: dict[str, Any] = {}
    for route, pattern, names in _patterns(resolver.url_patterns, "", frozenset()):
        held = seen.setdefault(route, pattern.callback)
        if held is not pattern.callback:
            text = f"URL module {path!r} has the path {route!r} twice: {_name(pattern.callback)} is never "
            text += f"reached, as {_name(held)} goes before it. Let one view serve it."
            yield CheckFinding(code="urls_failed", text=text, is_warning=True)
        for what, fault in () if names is None else _view_faults(pattern.callback, names):
            text = f"URL module {path!r}: {what} {fault} from its path {route!r}."
            yield CheckFinding(code="urls_failed", text=text)


def _navigation_warnings(resolver: URLResolver, entries: Iterable[NavigationEntry]) -> Iterator[CheckFinding]:
    """Yield a warning for each link in the console's menu to a page that nothing serves."""
    for entry in entries:
        try:
            if entry.path not in _PAGES_OF_THE_HOST:
                resolver.resolve(entry.path)
        except Resolver404:
            text = f"`navigation` links to {entry.path!r} as {entry.title!r}, and `console_patterns` has no "
            text += "such page. Correct the path, or add the page."
            yield CheckFinding(code="bad_metadata", text=text, is_warning=True)


def _patterns(
    patterns: Iterable[Any], before: str, names: frozenset[str] | None
) -> Iterator[tuple[str, URLPattern, frozenset[str] | None]]:
    """Yield ``(route, pattern, names of the arguments that its view gets)``; None: some have no name."""
    for each in patterns:
        regex = each.pattern.regex
        is_positional = names is None or (regex.groups and not regex.groupindex)
        more = None if is_positional or names is None else names | frozenset(regex.groupindex)
        route = f"{before}{each.pattern}"
        if isinstance(each, URLResolver):
            given = None if more is None else more | frozenset(each.default_kwargs)
            yield from _patterns(each.url_patterns, route, given)
        else:
            yield route, each, None if more is None else more | frozenset(each.default_args)


def _view_faults(view: Callable[..., Any], names: frozenset[str]) -> Iterator[tuple[str, str]]:
    cls: type | None = getattr(view, "view_class", None) or getattr(view, "cls", None)
    if cls is None:
        if (fault := _fault(view, 1, names)) is not None:
            yield f"view {_name(view)}", fault
        return
    named: Mapping[str, str] = getattr(view, "actions", None) or {}
    for verb, method in named.items():
        if not hasattr(cls, method):
            yield f"view {cls.__name__}", f"has no method {method!r} for {verb.upper()}, which reaches it"
    yield from ((f"view {cls.__name__}", fault) for fault in class_faults(cls, named))
    actions = named or {method: method for method in getattr(cls, "http_method_names", ())}
    for method in dict.fromkeys(actions.values()):
        function = inspect.getattr_static(cls, method, None)
        if inspect.isfunction(function) and (fault := _fault(function, 2, names)) is not None:
            yield f"view {cls.__name__}.{method}", fault


def _fault(function: Callable[..., Any], given: int, names: frozenset[str]) -> str | None:
    """Return why a function can't take a request and named arguments; a decorator's own takes all."""
    if inspect.iscoroutinefunction(function):
        return "is a coroutine function, and is called without `await`: write it with `def`; it is reached"
    if inspect.isgeneratorfunction(function):
        return "has a `yield`, so that a call runs nothing of it: write it without; it is reached"
    try:
        signature = inspect.signature(function, follow_wrapped=False)
    except (TypeError, ValueError):  # a builtin without one
        return None
    try:
        signature.bind(*range(given), **dict.fromkeys(names))
    except TypeError as error:
        wanted = ", ".join((*("self", "request")[2 - given :], *sorted(names)))
        return f"has the signature {signature} and can't take ({wanted}) ({error})"
    return None


def _name(view: Any) -> str:
    cls = getattr(view, "view_class", None) or getattr(view, "cls", None)
    return str(getattr(cls or view, "__name__", view))
