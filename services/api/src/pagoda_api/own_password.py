"""The admin's page to change one's own password: Django's, with the old one checked as at a login."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.forms import AdminPasswordChangeForm
from django.contrib.auth import authenticate
from django.contrib.auth.views import PasswordChangeView
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.urls import reverse_lazy


class OwnPasswordForm(AdminPasswordChangeForm):
    """Old and new password; wrong old ones are counted, and told in the audit log."""

    def __init__(self, *args: Any, request: HttpRequest, **given: Any) -> None:  # Any: as Django's
        super().__init__(*args, **given)
        self.request = request

    def clean_old_password(self) -> str:
        """Return the old password.

        Raises:
            ValidationError: it is wrong, or too many were.
        """
        old: str = self.cleaned_data["old_password"]
        user = authenticate(self.request, username=self.user.get_username(), password=old)
        if user != self.user:
            raise ValidationError(self.error_messages["password_incorrect"], code="password_incorrect")
        return old


class OwnPasswordView(PasswordChangeView):
    """The page."""

    form_class = OwnPasswordForm
    success_url = reverse_lazy("admin:password_change_done")

    def get_form_kwargs(self) -> dict[str, Any]:
        """Return what the form is made with."""
        return super().get_form_kwargs() | {"request": self.request}

    def get_context_data(self, **known: Any) -> dict[str, Any]:
        """Return what the page shows."""
        return super().get_context_data(**known) | admin.site.each_context(self.request)
