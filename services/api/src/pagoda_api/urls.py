"""Every path of the API process. Importing it imports the URL modules of the plugins, each in a fence."""

from __future__ import annotations

from django.conf import settings
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path, re_path
from django.views.generic import RedirectView
from rest_framework.routers import SimpleRouter

from pagoda.plugins.registry import registry
from pagoda_api.overrides import entry_view_set
from pagoda_api.own_password import OwnPasswordView
from pagoda_api.plugin_routes import PluginRoutes, build_plugin_routes
from pagoda_api.resources.accounts import GroupViewSet, UserViewSet
from pagoda_api.resources.audit import AuditViewSet
from pagoda_api.resources.auth import LoginView, LogoutView, TokenView
from pagoda_api.resources.entities import EntityViewSet
from pagoda_api.resources.entry_bulk import EntryBulkView
from pagoda_api.resources.health import healthz, metrics, readyz
from pagoda_api.resources.jobs import JobViewSet
from pagoda_api.resources.me import MeView, PasswordView
from pagoda_api.resources.operating import (
    BreakerRetryView,
    PluginBreakersView,
    ProcessesView,
    SwitchesView,
    SwitchView,
)
from pagoda_api.resources.plugins import PluginAboutView, PluginHealthView, PluginListView, PluginView
from pagoda_api.resources.roles import RoleViewSet
from pagoda_api.resources.root import DocsView, RootView, SchemaView
from pagoda_api.resources.saved_searches import SavedSearchViewSet
from pagoda_api.resources.searching import SearchView
from pagoda_api.resources.tokens import OwnTokensView, OwnTokenView, TokenViewSet
from pagoda_api.resources.transfers import ExportView, ImportView

router = SimpleRouter()
router.register("entities", EntityViewSet, basename="entity")
router.register("entries", entry_view_set(), basename="entry")
router.register("jobs", JobViewSet, basename="job")
router.register("audit", AuditViewSet, basename="audit")
router.register("users", UserViewSet, basename="user")
router.register("groups", GroupViewSet, basename="group")
router.register("roles", RoleViewSet, basename="role")
router.register("search/saved", SavedSearchViewSet, basename="saved-search")
router.register("tokens", TokenViewSet, basename="api-token")

api: list[URLPattern | URLResolver] = [
    path("", RootView.as_view(), name="root"),
    path("auth/token/", TokenView.as_view(), name="token"),
    path("auth/login/", LoginView.as_view(), name="login"),
    path("auth/logout/", LogoutView.as_view(), name="logout"),
    path("search/", SearchView.as_view(), name="search"),
    path("me/", MeView.as_view(), name="me"),
    path("me/password/", PasswordView.as_view(), name="my-password"),
    path("me/tokens/", OwnTokensView.as_view(), name="my-tokens"),
    re_path(r"^me/tokens/(?P<pk>[0-9]+)/$", OwnTokenView.as_view(), name="my-token"),
    path("plugins/", PluginListView.as_view(), name="plugin-list"),
    path("plugins/health/", PluginHealthView.as_view(), name="plugin-health"),
    # A plugin that serves its own root, or an `about/`, has that path
    re_path(r"^plugins/(?P<name>[A-Za-z0-9_-]+)/$", PluginView.as_view(), name="plugin-detail"),
    re_path(r"^plugins/(?P<name>[A-Za-z0-9_-]+)/about/$", PluginAboutView.as_view(), name="plugin-about"),
    path("breakers/<slug:plugin>/", PluginBreakersView.as_view(), name="breakers"),
    path("breakers/<slug:plugin>/<slug:surface>/retry/", BreakerRetryView.as_view(), name="breaker-retry"),
    path("switches/", SwitchesView.as_view(), name="switches"),
    path("switches/<slug:plugin>/<slug:switch>/", SwitchView.as_view(), name="switch"),
    path("processes/", ProcessesView.as_view(), name="processes"),
    path("schema/", SchemaView.as_view(), name="schema"),
    path("docs/", DocsView.as_view(url_name="schema"), name="docs"),
    path("exports/", ExportView.as_view(), name="exports"),
    path("imports/", ImportView.as_view(), name="imports"),
    path("entries/bulk/", EntryBulkView.as_view(), name="entry-bulk"),
    *router.urls,
]

single_sign_on: list[URLPattern | URLResolver] = []
if settings.PAGODA.pagoda_oidc_issuer:
    from pagoda_api.oidc import oidc_urls  # late: its models exist only then

    single_sign_on = oidc_urls()  # before the admin makes its addresses of the tables that it has by then

host: list[URLPattern | URLResolver] = [
    path("", RedirectView.as_view(pattern_name="console-home"), name="home"),
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
    path("admin/password_change/", admin.site.admin_view(OwnPasswordView.as_view())),
    path("admin/", admin.site.urls),
    path("api/v2/", include(api)),
    path("console/", include("pagoda_api.console.urls")),
    *single_sign_on,
]


def plugin_routes() -> PluginRoutes:
    """Return the routes to the URL modules of the plugins that are active now."""
    return build_plugin_routes(
        registry().urls,
        report_fault=registry().report_fault,
        load_seconds=registry().host.load_seconds,
        is_strict=settings.PAGODA.pagoda_plugin_strict,
    )


# The plugins' first: it tells by a prefix what is not its own, where Django would try every path of the host
# and note each that does not match.
urlpatterns = [plugin_routes(), *host]

handler400 = "pagoda_api.problems.bad_request"
handler403 = "pagoda_api.problems.permission_denied"
handler404 = "pagoda_api.problems.not_found"
handler500 = "pagoda_api.problems.server_error"
