"""Logging in and out, how pages look, and what belongs to oneself: tokens and the password."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView, LogoutView
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext
from django.views.decorators.http import require_POST, require_safe

from pagoda.config.oidc import PROVIDER_ID
from pagoda.domain.user.models import Scope
from pagoda_api.browsers import THEME_COOKIE, THEMES, guarded, theme_of
from pagoda_api.console.asking import ask, faults_of, get, told
from pagoda_api.console.frame import page, show, speaking
from pagoda_api.console.resending import keep, kept_in, page_of


class ConsoleLoginView(LoginView):
    """Django's login, throttled and audited as every other: `authenticate` sees to that."""

    template_name = "console/login.html"
    next_page = "console-home"
    redirect_authenticated_user = True

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Answer under the console's policy."""
        with speaking(request):
            response = super().dispatch(request, *args, **kwargs)
            if isinstance(response, TemplateResponse):
                response.render()
        return guarded(response) if isinstance(response, HttpResponse) else response

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Log in; a form for another page asks for that first, and is kept meanwhile."""
        if request.path != reverse("console-login"):
            form = self.get_form_class()(request)
            kept = {"kept": keep(request), "has_ended": True, "next": page_of(request)}
            return self.render_to_response(self.get_context_data(form=form) | kept, status=401)
        return super().post(request, *args, **kwargs)

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        """Log in, and ask whether a form that was kept is to be sent."""
        answer, kept = super().form_valid(form), kept_in(self.request.POST)
        return answer if kept is None else show(self.request, "resend.html", {"kept": kept})

    def get_context_data(self, **known: Any) -> dict[str, Any]:
        """Return what the page shows."""
        more = {"provider": _provider(), "theme": theme_of(self.request)}
        more |= {"kept": self.request.POST.get("kept", "")}
        return super().get_context_data(**known) | more


def _provider() -> str:
    """Return the path that leads to single sign-on, "" where there is none."""
    issuer = settings.PAGODA.pagoda_oidc_issuer
    return reverse("openid_connect_login", kwargs={"provider_id": PROVIDER_ID}) if issuer else ""


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


@page
@require_safe
def me(request: HttpRequest) -> HttpResponse:
    """Show who one is, one's tokens, and the forms that change what is one's own."""
    return _own(request)


@page
@require_POST
def new_token(request: HttpRequest) -> HttpResponse:
    """Make an API token; this answer is the only one that shows it."""
    days, networks = request.POST.get("days", ""), request.POST.get("networks", "").split()
    data: dict[str, Any] = {"name": request.POST.get("name", ""), "scope": request.POST.get("scope", "")}
    data |= {"lifetime": f"P{days}D"} if days else {}
    data |= {"networks": networks} if networks else {}
    answer = ask(request, "my-tokens", method="POST", data=data)
    if answer.is_ok:
        return _own(request, made=answer.data)
    return _own(request, answer.status, token=data, token_faults=told(answer))


@page
@require_POST
def revoke_token(request: HttpRequest, pk: int) -> HttpResponse:
    """Revoke one of one's tokens."""
    answer = ask(request, "my-token", {"pk": pk}, method="DELETE")
    for fault in [] if answer.is_ok else told(answer):
        messages.error(request, fault)
    return redirect("console-me")


@page
@require_POST
def password(request: HttpRequest) -> HttpResponse:
    """Change one's password, which ends all tokens and all other sessions."""
    fields = {key: request.POST.get(key, "") for key in ("old_password", "new_password", "again")}
    if fields["new_password"] != fields.pop("again"):
        return _own(request, 400, password_faults={"again": [gettext("The two are not the same.")]})
    answer = ask(request, "my-password", method="POST", data=fields)
    if answer.is_ok:
        messages.success(request, gettext("Your password is changed; your tokens have ended."))
        return redirect("console-me")
    faults, detail = faults_of(answer)
    return _own(request, answer.status, password_faults=faults, faults=[detail] if detail else [])


def _own(request: HttpRequest, status: int = 200, **shown: Any) -> HttpResponse:
    context = {"me": get(request, "me"), "tokens": get(request, "my-tokens"), "scopes": Scope.choices}
    context |= {"provider": _provider()}
    return show(request, "me.html", {**context, "password_faults": {}, **shown}, status)
