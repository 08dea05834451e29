from __future__ import annotations

from collections.abc import Callable

import pytest
from django.urls import URLResolver
from django.urls.exceptions import NoReverseMatch, Resolver404
from django.urls.resolvers import RoutePattern

from pagoda.plugins.records import PluginRefused
from pagoda.plugins.registry import UrlModules
from pagoda_api.plugin_routes import PluginRoutes, build_plugin_routes, plugin_of

Faults = list[tuple[str, str, str]]


def urls(plugin_id: str, *aliases: str, api: str | None = None, pages: str | None = None) -> UrlModules:
    names = (plugin_id, *aliases)
    return UrlModules(plugin_id=plugin_id, names=names, api_v2_patterns=api, url_patterns=pages)


GOOD = urls("good", "good-alias", api="routes_good_api", pages="routes_good_pages")


@pytest.fixture
def faults() -> Faults:
    return []


@pytest.fixture
def build(faults: Faults) -> Callable[..., PluginRoutes]:
    def report(plugin_id: str, code: str, text: str) -> None:
        faults.append((plugin_id, code, text))

    def build(*plugins: UrlModules, is_strict: bool = False) -> PluginRoutes:
        return build_plugin_routes(plugins, report_fault=report, is_strict=is_strict)

    return build


@pytest.mark.parametrize(
    ("path", "view_name", "kwargs"),
    [
        ("api/v2/plugins/good/things/", "good:things", {}),
        ("api/v2/plugins/good/numbers/7/", "good:number", {"number": 7}),
        ("plugins/good/index/", "good:index", {}),
        ("api/v2/plugins/good-alias/things/", "good:things", {}),
        ("plugins/good-alias/index/", "good:index", {}),
    ],
)
def test_path_leads_to_the_plugins_view(
    build: Callable[..., PluginRoutes], path: str, view_name: str, kwargs: dict[str, object]
) -> None:
    match = build(GOOD).resolve(path)

    assert match.view_name == view_name
    assert match.kwargs == kwargs
    assert plugin_of(match) == "good"


@pytest.mark.parametrize(
    "path",
    [
        "api/v2/plugins/good",
        "api/v2/plugins/good/",
        "api/v2/plugins/good/nothing/",
        "api/v2/plugins/other/things/",
        "api/v2/plugins//things/",
        "plugins/good/things/",
        "api/v2/plugins/good/index/",
        "entries/",
        "",
    ],
)
def test_other_paths_are_not_found(build: Callable[..., PluginRoutes], path: str) -> None:
    routes = build(GOOD)
    with pytest.raises(Resolver404):
        routes.resolve(path)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("good:things", "/api/v2/plugins/good/things/"),
        ("good:index", "/plugins/good/index/"),
        ("good_pages:index", "/plugins/good/index/"),
    ],
    ids=["by id", "page by id", "page by the module's app_name"],
)
def test_reverse_finds_the_plugins_urls(build: Callable[..., PluginRoutes], name: str, expected: str) -> None:
    root = URLResolver(RoutePattern(""), [build(GOOD, urls("second", api="routes_good_api"))])
    namespace, _, view = name.partition(":")
    namespace = root.app_dict.get(namespace, [namespace])[0]
    prefix, resolver = root.namespace_dict[namespace]

    assert f"/{prefix}{resolver.reverse(view)}" == expected


def test_two_plugins_with_the_same_view_names_keep_their_own(build: Callable[..., PluginRoutes]) -> None:
    routes = build(GOOD, urls("second", api="routes_good_api"))

    assert routes.namespace_dict["good"][1].reverse("things") == "api/v2/plugins/good/things/"
    assert routes.namespace_dict["second"][1].reverse("things") == "api/v2/plugins/second/things/"
    with pytest.raises(NoReverseMatch):
        routes.reverse("things")


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("routes_raises", "RuntimeError: the licence server is away"),
        ("routes_that_do_not_exist", "ModuleNotFoundError: No module named 'routes_that_do_not_exist'"),
        ("routes_without_patterns", "does not appear to have any patterns in it"),
        ("routes_bad_regex", "is not a valid regular expression"),
        ("routes_class_not_view", "pass Index.as_view() instead of Index"),
    ],
)
def test_module_that_fails_loses_its_urls_and_is_reported(
    build: Callable[..., PluginRoutes], faults: Faults, module: str, text: str
) -> None:
    routes = build(urls("bad", api=module, pages="routes_good_pages"), GOOD)

    [(plugin_id, code, reported)] = faults
    assert (plugin_id, code) == ("bad", "urls_failed")
    assert reported.startswith(f"URL module {module!r} of plugin 'bad' is not served: ")
    assert text in reported
    assert routes.resolve("plugins/bad/index/").namespaces == ["bad"]
    assert routes.resolve("api/v2/plugins/good/things/").namespaces == ["good"]


def test_strict_mode_stops_at_a_module_that_fails(build: Callable[..., PluginRoutes], faults: Faults) -> None:
    with pytest.raises(PluginRefused, match="URL module 'routes_raises' of plugin 'bad'"):
        build(urls("bad", api="routes_raises"), is_strict=True)
    assert faults == []


def test_cost_of_a_look_up_does_not_grow_with_the_plugins(build: Callable[..., PluginRoutes]) -> None:
    def patterns_tried(count: int) -> int:
        plugins = [urls(f"p{number}", api="routes_good_api") for number in range(count)]
        return len(build(*plugins).resolve(f"api/v2/plugins/p{count - 1}/things/").tried or ())

    assert patterns_tried(200) == patterns_tried(1)


def test_plugin_without_urls_adds_no_route(build: Callable[..., PluginRoutes]) -> None:
    assert build(urls("quiet")).url_patterns == []
