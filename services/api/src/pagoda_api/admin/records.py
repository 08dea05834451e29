"""Entities and entries in the admin: written through the models, so that hooks run; deleted softly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline

from pagoda.domain.access import readable
from pagoda.domain.entity.models import Entity, EntityAttr
from pagoda.domain.entry.creating import REFUSALS
from pagoda.domain.entry.models import Entry
from pagoda_api.admin.refusing import ReadOnly, RefusalsShown, text_of
from pagoda_plugin_sdk.rules.saying import say


class TrackedForm(forms.ModelForm):  # type: ignore[type-arg]
    """Finds names that are taken: Django leaves out what has to do with fields that are not in the form."""

    def validate_unique(self) -> None:
        """Hold the row against all constraints."""
        try:
            self.instance.validate_constraints()
        except ValidationError as error:
            self.add_error(None, error)


class TrackedAdmin(RefusalsShown):
    """Writes through the models, so that hooks run; deletes softly."""

    form = TrackedForm
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

    @admin.action(description=_("Delete the selected ones (they can be restored)"), permissions=["delete"])
    def delete_softly(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Delete each that is selected, softly."""
        count = self._each(request, queryset, lambda row: row.delete())
        self.message_user(request, say("{count} deleted.", count=count))

    @admin.action(description=_("Restore the selected ones"), permissions=["change"])
    def restore(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Undo the deletion of each that is selected."""
        count = self._each(request, queryset, lambda row: row.restore())
        self.message_user(request, say("{count} restored.", count=count))

    def _each(self, request: HttpRequest, rows: QuerySet[Any], write: Callable[[Any], object]) -> int:
        """Write each row, tell what is refused, and return how many were written."""
        written = 0
        for row in rows:
            try:
                write(row)
            except REFUSALS as error:
                self.message_user(request, f"{row}: {text_of(error)}", messages.ERROR)
            else:
                written += 1
        return written


class EntityAttrInline(ReadOnly, TabularInline):  # type: ignore[misc]
    """The attributes of an entity; they are changed through the API, as one change of the entity."""

    model = EntityAttr
    fields = ("name", "type_name", "is_mandatory", "index", "is_active")
    readonly_fields = ("type_name", "is_active")
    extra = 0

    @admin.display(description=_("type"))
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
