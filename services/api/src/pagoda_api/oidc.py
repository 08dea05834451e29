"""Logins through an OpenID provider: who may come in, and with which rights; imported only where it is on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn
from urllib.parse import urlsplit

import structlog
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialLogin, SocialToken
from allauth.socialaccount.providers.openid_connect import views
from django.conf import settings
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, URLResolver, include, path
from django.utils.translation import gettext, gettext_noop
from django.views.generic import RedirectView
from requests import RequestException
from unfold.admin import ModelAdmin

from pagoda.audit.actions import Action
from pagoda.audit.failed_logins import count_failure
from pagoda.config.oidc import PROVIDER_ID
from pagoda.domain.user.models import User
from pagoda_api.admin.refusing import ReadOnly
from pagoda_api.browsers import guarded, theme_of
from pagoda_api.claims import claims_of, follow_claims
from pagoda_api.console.frame import speaking
from pagoda_api.problems import refused
from pagoda_plugin_sdk.washing import washed, washed_error, washed_json

CLAIMS_MAX_BYTES = 100_000
NAME_MAX = 150

log = structlog.get_logger(__name__)


class OidcAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]  # it ships no types
    """Makes a user at the first login, keeps their rights as the provider says, refuses the rest in words."""

    def populate_user(self, request: HttpRequest, sociallogin: SocialLogin, data: Mapping[str, Any]) -> Any:
        """Fill a new user from claims, which are foreign; before anything of them is stored."""
        account = sociallogin.account
        account.extra_data = washed_json(account.extra_data, max_bytes=CLAIMS_MAX_BYTES)
        texts = {name: washed(text, NAME_MAX) for name, text in data.items() if isinstance(text, str)}
        return super().populate_user(request, sociallogin, texts)

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Check a new user's name; bring the rights of one who is known up to date."""
        claims = claims_of(sociallogin.account.extra_data)
        sociallogin.email_addresses = []  # nobody is found by an address, which anybody may claim
        if sociallogin.state.get("process") == "connect":
            return
        if sociallogin.is_existing:
            if not sociallogin.user.is_active:
                text = gettext_noop("Your user is switched off here. Ask who manages users.")
                self._refuse(request, text, sociallogin.user.username)
            follow_claims(sociallogin.user, claims)
            return
        name = claims.get(settings.PAGODA.pagoda_oidc_username_claim)
        user = User(username=name if isinstance(name, str) else "", password="!")  # noqa: S106 - no password
        try:
            user.clean_fields()
        except ValidationError:
            text = gettext_noop("The provider names you in a way that can't be the name of a user.")
            self._refuse(request, text, name)
        if User.objects.filter(username__iexact=user.username).exists():
            text = gettext_noop(
                "There is a user of your name already, with a password. Log in with it, then connect your "
                "login at the provider on the page about you."
            )
            self._refuse(request, text, name)
        sociallogin.user.username = user.username

    def save_user(self, request: HttpRequest, sociallogin: SocialLogin, form: object = None) -> User:
        """Make the user, with the rights that the provider says."""
        user: User = super().save_user(request, sociallogin, form)
        follow_claims(user, claims_of(sociallogin.account.extra_data))
        return user

    def on_authentication_error(
        self, request: HttpRequest, provider: Any, error: Any = None, exception: Any = None, **_context: Any
    ) -> None:
        """Tell that the provider let nobody in, and log why."""
        text = gettext_noop("The login at the provider failed. Try again.")
        self._refuse(request, text, str(exception or error))

    def _refuse(self, request: HttpRequest, text: str, cause: object) -> NoReturn:
        """Refuse a login with a text that is marked for translation, in the reader's language."""
        count_failure(Action.LOGIN_FAILED, request)
        log.warning("oidc_login_refused", detail=text, cause=str(cause)[:500])
        with speaking(request):
            raise ImmediateHttpResponse(refused(request, gettext(text), "oidc_login_refused", 403))


class ProviderLoginAdmin(ReadOnly, ModelAdmin):  # type: ignore[misc]  # it ships no types
    """Who logs in by the provider, to look at and to take away; logging in makes them."""

    list_display = ("user", "uid", "last_login", "date_joined")
    search_fields = ("user__username", "uid")

    def has_delete_permission(self, *args: Any) -> bool:  # Any: the request, and a row where one is meant
        """Return whether a login may be taken away from its user, as Django's permissions say."""
        return bool(ModelAdmin.has_delete_permission(self, *args))


def oidc_urls() -> list[URLPattern | URLResolver]:
    """Return the paths of these logins; what settings say is not for the admin to change."""
    for model in (SocialApp, SocialToken, SocialAccount):
        if admin.site.is_registered(model):
            admin.site.unregister(model)
    admin.site.register(SocialAccount, ProviderLoginAdmin)
    admin.site.login_template = "pagoda_api/login.html"
    to_console = RedirectView.as_view(pattern_name="console-login", query_string=True)
    return [
        path("accounts/oidc/login/", _login),
        path("accounts/login/", to_console),
        path("accounts/", include("allauth.urls")),
    ]


def _login(request: HttpRequest) -> HttpResponse:
    """Ask whether to go on to the provider, by a page like the others, and go there.

    The page with the button can't lead there: its policy keeps forms on this host.
    """
    with speaking(request):
        if request.method != "POST":
            issuer = urlsplit(settings.PAGODA.pagoda_oidc_issuer).netloc
            is_connecting = request.GET.get("process") == "connect"
            context = {"theme": theme_of(request), "issuer": issuer, "is_connecting": is_connecting}
            return guarded(render(request, "console/provider.html", context), is_led_on=True)
        try:
            response: HttpResponse = views.login(request, provider_id=PROVIDER_ID)
        except RequestException as error:  # what django-allauth catches on the way back alone
            log.warning("oidc_unavailable", error=washed_error(error, 500))
            detail = gettext("The provider does not answer. Try again later.")
            return refused(request, detail, "oidc_unavailable", 503)
        return response
