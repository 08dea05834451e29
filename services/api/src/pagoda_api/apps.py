"""The API and its admin as Django apps."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.apps import AppConfig
from django.contrib import admin
from django.contrib.admin import sites
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import get_language_from_request, override
from unfold import apps as unfold_apps
from unfold.sites import UnfoldAdminSite

from pagoda_api.admin_names import named_in_languages


class ApiConfig(AppConfig):
    """Carries the admin pages, which Django finds in installed apps."""

    default = True
    name = "pagoda_api"
    label = "pagoda_api"
    verbose_name = "Pagoda API"

    def ready(self) -> None:
        """Have the admin, whose tables are registered by now, speak of them in the reader's language."""
        named_in_languages(admin.site)


class SpeakingAdminSite(UnfoldAdminSite):  # type: ignore[misc]  # unfold has no types
    """Speaks the language of whoever looks, as the console does, and without a middleware for the API."""

    def admin_view(self, view: Callable[..., Any], cacheable: bool = False) -> Callable[..., Any]:
        """Return the view behind its checks; Any: as Django has it."""
        checked = super().admin_view(view, cacheable)

        @wraps(checked)
        def spoken(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            with override(get_language_from_request(request)):
                response: HttpResponse = checked(request, *args, **kwargs)
                return response.render() if isinstance(response, TemplateResponse) else response

        return spoken


class AdminLookConfig(unfold_apps.DefaultAppConfig):  # type: ignore[misc]
    """django-unfold, with the site above in place of its own."""

    default = False

    def ready(self) -> None:
        """Set the site up that the admin's tables are registered at."""
        admin.site = sites.site = SpeakingAdminSite()
