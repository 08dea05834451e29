"""Logging in and out, and how pages look."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.views import LoginView, LogoutView
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from pagoda_api.console.frame import THEME_COOKIE, THEMES, guarded


class ConsoleLoginView(LoginView):
    """Django's login, throttled and audited as every other: `authenticate` sees to that."""

    template_name = "console/login.html"
    next_page = "console-home"
    redirect_authenticated_user = True

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Answer under the console's policy."""
        response = super().dispatch(request, *args, **kwargs)
        return guarded(response) if isinstance(response, HttpResponse) else response

    def get_context_data(self, **known: Any) -> dict[str, Any]:
        """Return what the page shows."""
        issuer = settings.PAGODA.pagoda_oidc_issuer
        provider = reverse("openid_connect_login", kwargs={"provider_id": "oidc"}) if issuer else ""
        return super().get_context_data(**known) | {"provider": provider, "theme": "auto"}


class ConsoleLogoutView(LogoutView):
    """Django's logout, which takes a POST."""

    next_page = "console-login"


@require_POST
def theme(request: HttpRequest) -> HttpResponse:
    """Keep whether pages are light or dark, in the browser, and go back to where one was."""
    back = request.POST.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(back, {request.get_host()}, require_https=request.is_secure())
    response = redirect(back if is_ours else "console-home")
    chosen = request.POST.get("theme")
    if chosen in THEMES:
        response.set_cookie(
            THEME_COOKIE,
            chosen,
            max_age=timedelta(days=365),
            samesite="Lax",
            httponly=True,
            secure=request.is_secure(),
        )
    return response
