"""The admin's pages: users, roles, entities, entries; jobs to look at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Model, ProtectedError, QuerySet, RestrictedError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from pagoda.domain.access import readable
from pagoda.domain.entity.models import Entity, EntityAttr
from pagoda.domain.entry.models import Entry
from pagoda.domain.user.models import Role, RolePermission, User
from pagoda.jobs.models import Job
from pagoda_plugin_sdk.exceptions import HookRejected

REFUSALS = (ValidationError, PermissionDenied, HookRejected, ProtectedError, RestrictedError)
"""What the host, levels, the hooks of plugins and rows of others refuse a write with."""


class RefusalsShown(admin.ModelAdmin):  # type: ignore[type-arg]  # generic for checkers alone, here and below
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
            self.message_user(request, _text(error), messages.ERROR)
            page = f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist"
            return HttpResponseRedirect(reverse(page))


class TrackedAdmin(RefusalsShown):
    """Writes through the models, so that hooks run; deletes softly."""

    list_filter = ("is_active",)
    search_fields = ("name",)
    actions = ("delete_softly", "restore")
    readonly_fields = ("is_active", "created_time", "created_user", "updated_time")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Return the rows that the user may read: Django's permissions open the pages, levels the rows."""
        return readable(super().get_queryset(request), request.user)

    def get_actions(self, request: HttpRequest, *location: Any) -> dict[str, Any]:
        """Return the actions without Django's own, which removes rows that nothing keeps."""
        actions: dict[str, Any] = super().get_actions(request, *location)
        return {name: action for name, action in actions.items() if name != "delete_selected"}

    def get_deleted_objects(
        self,
        objs: Any,
        request: HttpRequest,
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        """Return the rows alone: a soft deletion takes nothing along."""
        return [str(row) for row in objs], {str(self.opts.verbose_name_plural): len(objs)}, set(), []

    @admin.action(description="Delete the selected ones (they can be restored)", permissions=["delete"])
    def delete_softly(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Delete each that is selected, softly."""
        self._each(request, queryset, lambda row: row.delete(), "deleted")

    @admin.action(description="Restore the selected ones", permissions=["change"])
    def restore(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Undo the deletion of each that is selected."""
        self._each(request, queryset, lambda row: row.restore(), "restored")

    def _each(
        self, request: HttpRequest, rows: QuerySet[Any], write: Callable[[Any], object], done: str
    ) -> None:
        written = 0
        for row in rows:
            try:
                write(row)
            except REFUSALS as error:
                self.message_user(request, f"{row}: {_text(error)}", messages.ERROR)
            else:
                written += 1
        self.message_user(request, f"{written} {done}.")


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


class EntityAttrInline(ReadOnly, admin.TabularInline):  # type: ignore[type-arg]
    """The attributes of an entity; they are changed through the API, as one change of the entity."""

    model = EntityAttr
    fields = ("name", "type_name", "is_mandatory", "index", "is_active")
    readonly_fields = ("type_name", "is_active")
    extra = 0

    @admin.display(description="type")
    def type_name(self, attr: EntityAttr) -> str:
        """Return the name of the type."""
        return attr.attr_type.type_name


@admin.register(Entity)
class EntityAdmin(TrackedAdmin):
    """Entities."""

    list_display = ("name", "is_active", "updated_time")
    fields = ("name", "note", "default_permission", *TrackedAdmin.readonly_fields)
    inlines = (EntityAttrInline,)


@admin.register(Entry)
class EntryAdmin(TrackedAdmin):
    """Entries; their values are changed through the API."""

    list_display = ("name", "schema", "is_active", "updated_time")
    list_select_related = ("schema",)
    autocomplete_fields = ("schema",)
    fields = ("schema", "name", "note", "default_permission", *TrackedAdmin.readonly_fields)

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        """Return the fields that can't be changed: an entry stays with its entity."""
        return self.readonly_fields if obj is None else ("schema", *self.readonly_fields)


class RolePermissionInline(admin.TabularInline):  # type: ignore[type-arg]
    """What a role may do."""

    model = RolePermission
    raw_id_fields = ("entity", "attr", "entry")
    extra = 0


@admin.register(Role)
class RoleAdmin(RefusalsShown):
    """Roles and what they may do."""

    list_display = ("name", "is_active", "can_add_entities")
    search_fields = ("name",)
    filter_horizontal = ("users", "groups")
    inlines = (RolePermissionInline,)


@admin.register(Job)
class JobAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    """Jobs, to look at."""

    list_display = ("id", "plugin", "operation_name", "status", "user", "created_at")
    list_filter = ("status", "plugin")
    list_select_related = ("user",)


@admin.register(User)
class RefusingUserAdmin(RefusalsShown, UserAdmin):  # type: ignore[type-arg]
    """Users."""


admin.site.unregister(Group)


@admin.register(Group)
class RefusingGroupAdmin(RefusalsShown, GroupAdmin):
    """Groups of users."""


def _text(error: Exception) -> str:
    match error:
        case ValidationError():
            return "; ".join(error.messages)
        case ProtectedError() | RestrictedError():
            return str(error.args[0])  # the second are the rows
        case _:
            return str(error)
