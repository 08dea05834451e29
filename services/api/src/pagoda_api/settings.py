"""Django settings of the API: the host's, and what serving HTTP adds to them."""

from pathlib import Path
from typing import Any

from django.templatetags.static import static
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy

from pagoda.config.django import build
from pagoda.config.loading import load_settings
from pagoda.config.oidc import MIDDLEWARE as OIDC_MIDDLEWARE

API_APPS = (
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_htmx",  # its static files; its middleware would run for the API, too
    "pagoda_api",
)

ADMIN_COLOURS = {  # of the console's links, from light to dark
    "50": "#eef5fc",
    "100": "#d9e8f8",
    "200": "#b7d4f3",
    "300": "#8ab8f5",
    "400": "#5596e0",
    "500": "#4a90dc",
    "600": "#0b57a4",
    "700": "#094785",
    "800": "#083a6c",
    "900": "#072f57",
    "950": "#041d37",
}

_settings = load_settings()
_settings.make_data_dir()
globals().update(build(_settings, extra_apps=API_APPS))
if (_database := globals()["DATABASES"]["default"])["ENGINE"] == "django.db.backends.postgresql":
    _database["ENGINE"] = "pagoda_api.database"
INSTALLED_APPS = [
    "pagoda_api.apps.AdminLookConfig",
    *globals()["INSTALLED_APPS"],
]  # its templates before those of Django's admin

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Pagoda",
    "SITE_HEADER": "Pagoda",
    "SITE_SUBHEADER": gettext_lazy("Administration"),
    "SITE_URL": reverse_lazy("console-home"),
    "SITE_ICON": lambda _request: static("console/pagoda.svg"),
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda _request: static("console/pagoda.svg")}
    ],
    "SIDEBAR": {"show_search": False, "show_all_applications": False},
    "COLORS": {"primary": ADMIN_COLOURS},
    "STYLES": [lambda _request: static("console/admin.css")],
    "SCRIPTS": [lambda _request: static("console/admin.js")],
}

MIDDLEWARE = [
    "pagoda_api.middleware.TrustedProxiesMiddleware",
    "pagoda_api.middleware.RequestContextMiddleware",
    "pagoda_api.middleware.AccessLogMiddleware",
    "pagoda_api.middleware.ContentSecurityPolicyMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "pagoda_api.static_files.StaticFilesMiddleware",
    "pagoda_api.middleware.BodyLimitMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "pagoda_api.middleware.SlashMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "pagoda_api.middleware.ActingUserMiddleware",
    "pagoda_api.middleware.RateLimitMiddleware",
    "pagoda_api.conditional.IdempotencyMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "pagoda_api.middleware.EndpointFenceMiddleware",
    *([OIDC_MIDDLEWARE] if _settings.pagoda_oidc_issuer else []),
]

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "pagoda_api.authentication.ApiTokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["pagoda_api.parsers.CheckedJSONParser"],
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_PAGINATION_CLASS": "pagoda_api.pagination.PagePagination",
    "DEFAULT_SCHEMA_CLASS": "pagoda_api.openapi.EndpointSchema",
    "EXCEPTION_HANDLER": "pagoda_api.problems.handle_exception",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}

SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Pagoda",
    "DESCRIPTION": "Entities, entries, jobs and plugins.",
    "VERSION": "2",
    "DEFAULT_GENERATOR_CLASS": "pagoda_api.openapi.FencedSchemaGenerator",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SCHEMA_PATH_PREFIX": "/api/v2",
    # Assets of Swagger UI come from the process itself: no other host is asked.
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "OAS_VERSION": "3.1.1",
    "ENUM_NAME_OVERRIDES": {
        "LevelNumberEnum": [(number, number) for number in (1, 2, 4, 8)]
    },  # beside that of stored fields, which has labels
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "pagoda_api.openapi.tell_manners",
    ],
}

ROOT_URLCONF = "pagoda_api.urls"
WSGI_APPLICATION = "pagoda_api.wsgi.application"
STATIC_URL = "/static/"  # nothing is collected: whitenoise serves the files out of the installed apps
WHITENOISE_USE_FINDERS = True
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "pagoda_api.prefix.PrefixedStaticFiles"},
}
LOCALE_PATHS = [Path(__file__).parent / "locale", *globals()["LOCALE_PATHS"]]  # before those of other apps
LANGUAGES = [("en", "English"), ("ja", "日本語")]  # of the console: the API's words are English
LANGUAGE_COOKIE_AGE = 365 * 86_400
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SAMESITE = "Lax"
LANGUAGE_COOKIE_SECURE = globals()["SESSION_COOKIE_SECURE"]
LOGIN_URL = "console-login"
CSRF_FAILURE_VIEW = "pagoda_api.problems.csrf_failure"
