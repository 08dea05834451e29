"""What the admin's pages share: refusals as messages, rows to look at alone, and a link to the console."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Model, ProtectedError, RestrictedError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin

from pagoda.domain.entity.models import Entity
from pagoda.domain.entry.creating import REFUSALS
from pagoda.domain.entry.models import Entry
from pagoda.domain.user.models import ApiToken, Role, User
from pagoda.fencing.models import Breaker
from pagoda.jobs.models import Job

CONSOLE_PAGES: Mapping[type[Model], Callable[[Any], str]] = {
    Entity: lambda row: reverse("console-entity", args=[row.pk]),
    Entry: lambda row: reverse("console-entry", args=[row.pk]),
    Job: lambda row: reverse("console-job", args=[row.pk]),
    User: lambda row: reverse("console-account", args=["user", row.pk]),
    Group: lambda row: reverse("console-account", args=["group", row.pk]),
    Role: lambda row: reverse("console-account", args=["role", row.pk]),
    ApiToken: lambda row: reverse("console-account", args=["user", row.user_id]),
    Breaker: lambda row: reverse("console-plugin", args=[row.plugin]),
}
"""Where the console shows a row of each table, or what it belongs to. Any: a row of the table."""


class LinkedToConsole(ModelAdmin):  # type: ignore[misc]  # unfold has no types
    """Has a link to the console's page of each row, in the list and on the row's own page."""

    @property
    def view_on_site(self) -> Callable[[Model], str | None]:
        """Return what gives the address of a row's page in the console, None for rows without one."""
        return console_page

    def get_list_display(self, request: HttpRequest) -> Sequence[Any]:
        """Return the columns of the list; Any: as Django has it."""
        columns = super().get_list_display(request)
        return [*columns, "in_console"] if self.model in CONSOLE_PAGES else columns

    @admin.display(description=gettext_lazy("Console"))
    def in_console(self, row: Model) -> str:
        """Return a link to the page of a row."""
        return format_html('<a href="{}">{}</a>', console_page(row), _("Show"))


class RefusalsShown(LinkedToConsole):
    """Shows what a write is refused with, and stores and deletes nothing then."""

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show the form and store it."""
        return self._shown(request, super().changeform_view, object_id, form_url, extra_context)

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Ask, then delete."""
        return self._shown(request, super().delete_view, object_id, extra_context)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the list and carry out its actions, all or none."""
        with_actions = transaction.atomic(super().changelist_view) if request.method == "POST" else None
        return self._shown(request, with_actions or super().changelist_view, extra_context)

    def _shown(self, request: HttpRequest, view: Callable[..., HttpResponse], *args: Any) -> HttpResponse:
        try:
            return view(request, *args)
        except REFUSALS as error:
            self.message_user(request, text_of(error), messages.ERROR)
            page = f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist"
            return HttpResponseRedirect(reverse(page))

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Return whether a list may be asked for that: not by rows of others, which the user may not see."""
        names = {field.name for field in self.opts.get_fields() if field.is_relation}
        return lookup.partition("__")[0] not in names and super().lookup_allowed(lookup, value, request)

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[Any], dict[str, int], set[str], list[str]]:
        """Return the rows without those that go along, which the user may not see; Any: as Django has it."""
        found: Any = super().get_deleted_objects(objs, request)  # each row, and behind it those as a list
        rows, _counts, refused, kept = found
        alone = [row for row in rows if not isinstance(row, list)]
        return alone, {str(self.opts.verbose_name_plural): len(objs)}, refused, kept

    def construct_change_message(
        self, request: HttpRequest, form: Any, formsets: Any, add: bool = False
    ) -> list[dict[str, Any]]:
        """Return what changed for the history, without rows of others; Any: as Django has it."""
        told: list[dict[str, Any]] = super().construct_change_message(request, form, [], add)
        return told


class ReadOnly:
    """Rows to look at."""

    def has_add_permission(self, *_args: object) -> bool:
        """Refuse: they are not made here."""
        return False

    def has_change_permission(self, *_args: object) -> bool:
        """Refuse: they are not changed here."""
        return False

    def has_delete_permission(self, *_args: object) -> bool:
        """Refuse: they are not removed here."""
        return False


def text_of(error: Exception) -> str:
    """Return what a refusal says."""
    match error:
        case ValidationError():
            return "; ".join(error.messages)
        case ProtectedError() | RestrictedError():
            return str(error.args[0])  # the second are the rows
        case _:
            return str(error)


def console_page(row: Model) -> str | None:
    """Return the address of the console's page of a row, None where there is none."""
    address = CONSOLE_PAGES.get(type(row))
    return address(row) if address else None
