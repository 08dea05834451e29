"""Django's settings for logins through an OpenID provider, by django-allauth; none unless one is set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pagoda.config.settings import Settings

APPS = (
    "allauth",
    "allauth.account",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
)
MIDDLEWARE = "allauth.account.middleware.AccountMiddleware"
PROVIDER_ID = "oidc"


def oidc_settings(settings: Settings) -> Mapping[str, Any]:
    """Return ``{NAME: value}``; passwords stay the host's own matter."""
    if settings.pagoda_oidc_issuer is None or settings.pagoda_oidc_client_secret is None:
        return {}
    app = {
        "provider_id": PROVIDER_ID,
        "name": "OpenID Connect",
        "client_id": settings.pagoda_oidc_client_id,
        "secret": settings.pagoda_oidc_client_secret.get_secret_value(),
        "settings": {
            "server_url": settings.pagoda_oidc_issuer,
            "scope": list(settings.pagoda_oidc_scopes),
            "oauth_pkce_enabled": True,
        },
    }
    return {
        "SOCIALACCOUNT_PROVIDERS": {"openid_connect": {"APPS": [app]}},
        "SOCIALACCOUNT_OPENID_CONNECT_URL_PREFIX": "",  # /accounts/oidc/login/
        "SOCIALACCOUNT_ONLY": True,  # no pages for passwords, which the host has, and none to sign up
        "SOCIALACCOUNT_ADAPTER": "pagoda_api.oidc.OidcAdapter",
        "ACCOUNT_EMAIL_VERIFICATION": "none",
        "LOGIN_REDIRECT_URL": "home",
        "ACCOUNT_LOGOUT_REDIRECT_URL": "home",
    }
