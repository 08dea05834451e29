"""What all pages share: who may see them, in which language they speak, and the frame around them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import get_script_prefix, resolve, reverse
from django.utils.translation import get_language_from_request, gettext, override

from pagoda.domain.user.models import User
from pagoda.plugins.registry import registry
from pagoda_api.browsers import THEMES, guarded, theme_of
from pagoda_api.console.asking import Refused, told
from pagoda_api.problems import refused

type View = Callable[..., HttpResponse]

NOT_ALLOWED = 405


def page(view: View) -> View:
    """Have a view serve people who are logged in, and refusals of the API as pages, under one policy."""

    @wraps(view)
    def served(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not request.user.is_authenticated:
            return _to_login(request)
        with speaking(request):
            try:
                response = view(request, *args, **kwargs)
            except Refused as error:
                answer = error.answer
                code = str(answer.data.get("code", "refused"))
                response = refused(request, " ".join(told(answer)), code, answer.status)
            if response.status_code == NOT_ALLOWED and not response.content:
                allowed = response.headers["Allow"]
                response = refused(request, _what_is_taken(allowed), "method_not_allowed", NOT_ALLOWED)
                response.headers["Allow"] = allowed
        return guarded(response)

    return served


def _what_is_taken(allowed: str) -> str:
    """Say what an address takes, by the methods that it allows."""
    methods = allowed.split(", ")
    if "POST" in methods and "GET" not in methods:
        return gettext("This address takes a form, which another page has.")
    return gettext("This address takes %s alone.") % allowed


def _to_login(request: HttpRequest) -> HttpResponse:
    """Lead to the login and back; what somebody sends whose session has ended is kept by its page."""
    url = reverse("console-login")
    if request.method in ("GET", "HEAD"):
        return redirect_to_login(request.get_full_path(), url)
    login: View = resolve(f"/{url.removeprefix(get_script_prefix())}").func
    return login(request)


def speaking(request: HttpRequest) -> override:
    """Return the language of whoever looks: the one they chose, else their browser's, for a `with`.

    Django's middleware does so for every request, those of the API among them.
    """
    return override(get_language_from_request(request))


def show(
    request: HttpRequest, template: str, context: Mapping[str, Any] | None = None, status: int = 200
) -> HttpResponse:
    """Return the page that a template makes. Any: what templates take."""
    return render(request, f"console/{template}", {**frame(request), **(context or {})}, status=status)


def frame(request: HttpRequest) -> dict[str, Any]:
    """Return what the frame around a page shows, for templates that extend it."""
    return {
        "theme": theme_of(request),
        "themes": THEMES,
        "here": request.path_info,
        "navigation": list(_navigation(request)),
    }


def _navigation(request: HttpRequest) -> Iterator[tuple[str, str]]:
    """Yield title and path of the plugins' pages that are in the menu of whoever looks, in load order."""
    for record in registry().active:
        for title, path, permission in record.declared.navigation if record.declared else ():
            if permission is None or request.user.has_perm(permission):
                yield title, f"{reverse('console-plugin', args=[record.id])}{path}"


def viewer(request: HttpRequest) -> User | None:
    """Return who looks at the page."""
    return request.user if isinstance(request.user, User) else None


def is_fragment(request: HttpRequest) -> bool:
    """Return whether htmx asks for a part of a page."""
    return request.headers.get("HX-Request") == "true"


def with_query(request: HttpRequest, **changed: object) -> str:
    """Return the query string of the page with some parameters changed; None leaves one out."""
    query = {key: request.GET.getlist(key) for key in request.GET}
    query |= {key: [str(value)] for key, value in changed.items() if value is not None}
    kept = {key: each for key, each in query.items() if each != [""] and changed.get(key, "") is not None}
    return f"?{urlencode(kept, doseq=True)}"
