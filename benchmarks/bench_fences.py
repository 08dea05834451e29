"""Measure what the fences cost, with everything on: watchdog, savepoint guard, counters, breaker, bulkhead.

A no-op handler of each kind of hook is held against a plain call of it, and a no-op DRF view served as a
plugin's endpoint against the same view served as the host's own, through the whole stack of middleware. The
two take turns, so that both see the same machine, and the fastest of each counts. Prints the figures, writes
them to benchmarks/results/fences.json, exits 1 when a bound is missed.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

HANDLER_LIMIT_US = 5.0
ENDPOINT_LIMIT = 1.15
RESULTS = Path(__file__).parent / "results" / "fences.json"
HOOKS: dict[str, tuple[Any, ...]] = {
    "entry.after_create": ("customer", None, object()),
    "entry.before_create": ("customer", None, {"name": "n", "attrs": []}),
    "entry.validate": (None, "customer", "n", [{"id": 1, "name": "a", "value": 1}], None),
    "entry.get_attrs": (object(), [{"id": 1, "name": "a", "value": 1}], True),
}
"""A hook of each kind, with its arguments."""

type Timer = Callable[[int], int]  # takes a number of calls, returns the nanoseconds of all


def start_host(folder: str) -> None:
    """Start the API's Django on an empty database in `folder`."""
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "pagoda_api.settings",
        "PAGODA_DATA_DIR": folder,
        "PAGODA_ENV_FILE": "",
        "PAGODA_LOG_LEVEL": "ERROR",
        "PAGODA_ALLOWED_HOSTS": "testserver",
        "ENABLED_PLUGINS": "",
    }
    from django.conf import settings

    from pagoda.config.logging import configure_logging

    configure_logging(settings.PAGODA, service="bench")
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


def best_of(repeats: int, times: int, ours: Timer, theirs: Timer) -> tuple[float, float]:
    """Time both, taking turns, and return the best of each in nanoseconds per call."""
    best = [float("inf"), float("inf")]
    for _ in range(repeats):
        for place, run in enumerate((ours, theirs)):
            best[place] = min(best[place], run(times) / times)
    return best[0], best[1]


def handler_costs(repeats: int) -> dict[str, float]:
    """Return ``{hook: microseconds that dispatch adds to a no-op handler}``."""
    from pagoda.fencing.breaker import breaker
    from pagoda.hooks import breaking
    from pagoda.hooks.manager import HookManager

    costs = {}
    for hook, args in HOOKS.items():
        manager = HookManager()
        manager.open()
        breaking.connect(manager, breaker())

        def handle(*_args: Any) -> None:
            """Do nothing, so that the fence is all there is."""

        manager.register_hook(hook, handle, plugin_id="bench")
        execute = partial(manager.execute_hook, hook, entity_name="customer")
        ours, bare = best_of(repeats, 500, _caller(execute, args), _caller(handle, args))
        costs[hook] = (ours - bare) / 1000
        manager.close()
    return costs


def _caller(function: Callable[..., Any], args: tuple[Any, ...]) -> Timer:
    def run(times: int) -> int:
        turns = range(times)
        started = time.perf_counter_ns()
        for _ in turns:
            function(*args)
        return time.perf_counter_ns() - started

    return run


def endpoint_costs(repeats: int) -> tuple[float, float]:
    """Return the nanoseconds of a request to a plugin's no-op endpoint, and to the host's."""
    application = _application()
    return best_of(
        repeats,
        10,
        _requester(application, "/api/v2/plugins/bench/no-op/"),
        _requester(application, "/api/v2/no-op/"),
    )


def _application() -> Any:
    """Return the WSGI application with both endpoints; Any: Django's handler."""
    from django.conf import settings
    from django.core.wsgi import get_wsgi_application
    from django.urls import path
    from rest_framework.response import Response
    from rest_framework.views import APIView

    from pagoda.plugins.registry import registry
    from pagoda_api import urls
    from pagoda_plugin_sdk.plugin import Plugin

    class NoOp(APIView):
        """A view that does nothing."""

        authentication_classes = ()
        permission_classes = ()

        def get(self, _request: Any) -> Response:
            return Response({})

    class Bench(Plugin):
        """A plugin that serves it."""

        id = name = "bench"
        api_v2_patterns = "bench_urls"

    _module("bench_urls", urlpatterns=[path("no-op/", NoOp.as_view())])
    registry().register(Bench())
    host = path("api/v2/no-op/", NoOp.as_view())
    # Before the host's other paths, as the plugins' are: finding a view is no cost of the fence.
    _module("root_urls", urlpatterns=[host, urls.plugin_routes(), *urls.host])
    settings.ROOT_URLCONF = "root_urls"
    return get_wsgi_application()


def _module(name: str, **content: Any) -> None:
    module = ModuleType(name)
    vars(module).update(content)
    sys.modules[name] = module


def _requester(application: Any, path: str) -> Timer:
    from django.test.client import RequestFactory

    def answer(status: str, _headers: Any) -> None:
        if not status.startswith("200"):
            raise SystemExit(f"{path} answered {status}")

    factory: Any = RequestFactory()  # its types leave out what makes an environment
    base = factory._base_environ(PATH_INFO=path)

    def run(times: int) -> int:
        started = time.perf_counter_ns()
        for _ in range(times):
            response = application({**base, "wsgi.input": io.BytesIO()}, answer)
            b"".join(response)
            response.close()
        return time.perf_counter_ns() - started

    return run


def main() -> int:
    """Run the benchmark, print the figures and keep them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=400)
    repeats = parser.parse_args().repeats
    with tempfile.TemporaryDirectory(prefix="pagoda-bench-") as folder:
        start_host(folder)
        costs = handler_costs(repeats)
        ours, plain = endpoint_costs(repeats)
    ratio = ours / plain
    figures = {"handler_us": costs, "endpoint_us": ours / 1000, "plain_us": plain / 1000, "ratio": ratio}
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(figures, indent=2) + "\n")
    for hook, cost in costs.items():
        print(f"no-op handler of {hook:20s} {cost:7.2f} us, at most {HANDLER_LIMIT_US:g}")
    print(f"no-op endpoint {ours / 1000:.0f} us, plain DRF view {plain / 1000:.0f} us: x {ratio:.3f}", end="")
    print(f", at most {ENDPOINT_LIMIT}")
    is_ok = max(costs.values()) <= HANDLER_LIMIT_US and ratio <= ENDPOINT_LIMIT
    print(f"fences: {'ok' if is_ok else 'MISSED'}")
    return 0 if is_ok else 1


if __name__ == "__main__":
    raise SystemExit(main())
