"""Check a URL module of a plugin."""

from __future__ import annotations

from importlib import import_module

from django.core.exceptions import ImproperlyConfigured
from django.urls import URLResolver
from django.urls.resolvers import RoutePattern


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
