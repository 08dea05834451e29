"""Django's settings, made from ours; the services add to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import dj_database_url

from pagoda.config.oidc import APPS as OIDC_APPS
from pagoda.config.oidc import MIDDLEWARE as OIDC_MIDDLEWARE
from pagoda.config.oidc import oidc_settings
from pagoda.config.settings import Settings
from pagoda.config.urls import one_host_each

LOCALE = Path(__file__).parents[1] / "locale"
"""What the host says in other languages than English."""

HOST_APPS = (
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.admin",
    "pagoda.domain.user",
    "pagoda.domain.entity",
    "pagoda.domain.entry",
    "pagoda.domain.search",
    "pagoda.audit",
    "pagoda.fencing",
    "pagoda.hooks",
)
RUNTIME_APPS = (
    "pagoda.transfer",
    "pagoda.plugins",  # its ready() boots the plugins
    "pagoda.jobs",  # its ready() validates the operation ids of all that registered tasks
    "pagoda.idempotency",
    "pagoda.rates",
    "pagoda.watching",
)

# What the admin and `check --deploy` ask for in every process; the API puts its own middleware around it.
MIDDLEWARE = (
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
)
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

SQLITE_OPTIONS = {
    # Writers wait for each other instead of failing; IMMEDIATE avoids the upgrade that can't wait.
    "timeout": 30,
    "transaction_mode": "IMMEDIATE",
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;",
}

POSTGRESQL_OPTIONS = {
    # A server behind a cut network is noticed within seconds, not after the system's quarter of an hour.
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,  # milliseconds
    "prepare_threshold": 5,  # for cursors that bind on the server, as the jobs' store does
}

# Nothing in the cache is worth a request that waits for it.
CACHE_OPTIONS = {"socket_connect_timeout": 0.25, "socket_timeout": 0.25}


def build(settings: Settings, *, extra_apps: Sequence[str] = ()) -> dict[str, Any]:
    """Return Django's settings, ``{NAME: value}``; `extra_apps` start before the plugins."""
    oidc = oidc_settings(settings)
    return {
        "PAGODA": settings,
        "SECRET_KEY": settings.secret_key(),
        "DEBUG": settings.pagoda_debug,
        "ALLOWED_HOSTS": list(settings.pagoda_allowed_hosts),
        "INSTALLED_APPS": [*HOST_APPS, *(OIDC_APPS if oidc else ()), *extra_apps, *RUNTIME_APPS],
        "MIDDLEWARE": [*MIDDLEWARE, *([OIDC_MIDDLEWARE] if oidc else [])],
        "TEMPLATES": TEMPLATES,
        "DATABASES": {"default": database(settings)},
        "CACHES": {"default": cache(settings)},
        "AUTH_USER_MODEL": "user.User",
        "AUTHENTICATION_BACKENDS": [
            "pagoda.rates.logins.ThrottledBackend",
            "pagoda.domain.user.backends.ParentGroupsBackend",
        ],
        "DEFAULT_AUTO_FIELD": "django.db.models.BigAutoField",
        "USE_TZ": True,
        "TIME_ZONE": "UTC",
        "LANGUAGE_CODE": "en-us",
        "LOCALE_PATHS": [LOCALE],
        "LOGGING_CONFIG": None,  # pagoda.config.logging sets it up, once per process
        "DATA_UPLOAD_MAX_MEMORY_SIZE": settings.api_max_body_bytes,
        # A body is no longer than that, so that no file of it needs a place on the disk.
        "FILE_UPLOAD_MAX_MEMORY_SIZE": settings.api_max_body_bytes,
        "FILE_UPLOAD_HANDLERS": ["django.core.files.uploadhandler.MemoryFileUploadHandler"],
        **_security(settings),
        **oidc,
        **_plugins(settings),
    }


def database(settings: Settings) -> dict[str, Any]:
    """Return Django's description of the database."""
    if settings.database_url is None:
        return _sqlite(settings.pagoda_data_dir / "pagoda.sqlite3")
    urls = one_host_each(settings.database_url.get_secret_value())
    parsed, *others = [dict[str, Any](dj_database_url.parse(url, conn_max_age=None)) for url in urls]
    if parsed["ENGINE"] == "django.db.backends.sqlite3":
        return _sqlite(Path(str(parsed["NAME"])))
    options = POSTGRESQL_OPTIONS | parsed.get("OPTIONS", {})
    if others:  # as libpq takes them: lists of the same length
        every = [parsed, *others]
        parsed["HOST"] = ",".join(str(each["HOST"]) for each in every)
        parsed["PORT"] = ",".join(str(each["PORT"] or 5432) for each in every)
        options.setdefault("target_session_attrs", "read-write")
    if settings.database_pooling == "transaction":
        options["prepare_threshold"] = None
    return parsed | {
        "OPTIONS": options,
        "CONN_HEALTH_CHECKS": True,
        # A cursor on the server outlives a transaction, and so what a pooler lends for one.
        "DISABLE_SERVER_SIDE_CURSORS": settings.database_pooling == "transaction",
    }


def cache(settings: Settings) -> dict[str, Any]:
    """Return Django's description of the cache; without CACHE_URL each process has one of its own."""
    if settings.cache_url is None:
        return {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    return {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": settings.cache_url.get_secret_value(),
        "OPTIONS": dict(CACHE_OPTIONS),
    }


def broker_url(settings: Settings) -> str:
    """Return Celery's broker URL; the embedded default is a folder of files."""
    if settings.broker_url is None:
        return f"filesystem://{(settings.pagoda_data_dir / 'broker').resolve()}"
    return settings.broker_url.get_secret_value()


def _sqlite(path: Path) -> dict[str, Any]:
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(path.resolve()),
        "CONN_MAX_AGE": None,
        "OPTIONS": dict(SQLITE_OPTIONS),
    }


def _security(settings: Settings) -> Mapping[str, Any]:
    is_production = settings.pagoda_env == "production"
    return {
        "CSRF_TRUSTED_ORIGINS": list(settings.pagoda_csrf_trusted_origins),
        "SESSION_COOKIE_SECURE": is_production,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "CSRF_COOKIE_SECURE": is_production,
        "CSRF_COOKIE_SAMESITE": "Lax",  # not HttpOnly: pages send it back as X-CSRFToken
        "SECURE_HSTS_SECONDS": settings.pagoda_hsts_seconds if is_production else 0,
        "SECURE_REFERRER_POLICY": "same-origin",
        "SILENCED_SYSTEM_CHECKS": [
            # What else is served below the host's name is not Pagoda's to decide on.
            "security.W005",  # HSTS with subdomains
            "security.W021",  # and for browsers' preload lists
            # What ends TLS redirects to it; probes and neighbours inside of a cluster ask by http.
            "security.W008",
        ],
        "SESSION_COOKIE_AGE": int(timedelta(days=14).total_seconds()),
        "AUTH_PASSWORD_VALIDATORS": [
            {"NAME": f"django.contrib.auth.password_validation.{rule}Validator"}
            for rule in ("UserAttributeSimilarity", "MinimumLength", "CommonPassword")
        ],
    }


def _plugins(settings: Settings) -> Mapping[str, Any]:
    """Return the settings that plugin code and the SDK read under their own names."""
    return {
        "ENABLED_PLUGINS": list(settings.enabled_plugins),
        "PLUGIN_OPERATION_ID_CONFIG": dict(settings.plugin_operation_id_config),
        "CUSTOM_TASKS": dict(settings.custom_tasks),
    }
