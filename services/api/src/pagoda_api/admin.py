"""The admin's pages: users, groups, roles, tokens, entities, entries; jobs to look at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.widgets import FilteredSelectMultiple, ForeignKeyRawIdWidget
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, Permission
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Model, ProtectedError, QuerySet, RestrictedError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from pagoda.domain.access import readable
from pagoda.domain.access.accounts import manages, replace_links, visible
from pagoda.domain.entity.models import Entity, EntityAttr
from pagoda.domain.entry.models import Entry
from pagoda.domain.user.models import ApiToken, Role, RolePermission, User, nest, parent_of
from pagoda.jobs.access import visible_jobs
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

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Return whether a list may be asked for that: not by rows of others, which the user may not see."""
        names = {field.name for field in self.opts.get_fields() if field.is_relation}
        return lookup.partition("__")[0] not in names and super().lookup_allowed(lookup, value, request)  # type: ignore[arg-type]

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
        return super().construct_change_message(request, form, [], add)


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


class VisibleLinks(RefusalsShown):
    """Offers what the user may see; links with what they can't see stay."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Return the rows that the user may see."""
        return visible(super().get_queryset(request), request.user)

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Return the field with what the user may see to choose from; Any: as Django has it."""
        if db_field.related_model is not Permission:
            kwargs["queryset"] = visible(db_field.related_model._default_manager.all(), request.user)
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Store the links; Any: as Django has it."""
        for field in self.opts.many_to_many:
            if field.related_model is not Permission and field.name in form.cleaned_data:
                rows: QuerySet[Any] = getattr(form.instance, field.name).all()
                hidden = rows.exclude(pk__in=visible(rows, request.user).values("pk"))
                form.cleaned_data[field.name] = [*form.cleaned_data[field.name], *hidden]
        super().save_related(request, form, formsets, change)


class VisibleIdWidget(ForeignKeyRawIdWidget):
    """Takes an id, and names what it is of among the rows that the user may see."""

    def __init__(self, relation: Any, site: Any, rows: QuerySet[Any]) -> None:  # Any: as Django has it
        super().__init__(relation, site)
        self.rows = rows

    def label_and_url_for_value(self, value: Any) -> tuple[str, str]:
        """Return the name of the row and the address of its page, nothing for one that is not there."""
        is_there = str(value).isdecimal() and self.rows.filter(pk=value).exists()
        return super().label_and_url_for_value(value) if is_there else ("", "")


class RolePermissionInline(admin.TabularInline):  # type: ignore[type-arg]
    """What a role may do, as far as the user sees it; who may change the role may change that."""

    model = RolePermission
    raw_id_fields = ("entity", "attr", "entry")
    extra = 0

    def get_queryset(self, request: HttpRequest) -> QuerySet[RolePermission]:
        """Return the levels on what the user may read."""
        return visible(super().get_queryset(request), request.user)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Return the field that takes what the user may read; Any: as Django has it."""
        if db_field.name in self.raw_id_fields:
            rows = readable(db_field.related_model._base_manager.all(), request.user)
            widget = VisibleIdWidget(db_field.remote_field, self.admin_site, rows)
            kwargs |= {"queryset": rows, "widget": widget}
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def has_view_permission(self, request: HttpRequest, _obj: object = None) -> bool:
        """Return whether the user sees the role."""
        return manages(request.user, Role, "view", "change")

    def has_add_permission(self, request: HttpRequest, _obj: object = None) -> bool:
        """Return whether the user may add or change the role."""
        return manages(request.user, Role, "add", "change")

    def has_change_permission(self, request: HttpRequest, _obj: object = None) -> bool:
        """Return whether the user may change the role."""
        return manages(request.user, Role, "change")

    def has_delete_permission(self, request: HttpRequest, _obj: object = None) -> bool:
        """Return whether the user may change the role."""
        return manages(request.user, Role, "change")


@admin.register(Role)
class RoleAdmin(VisibleLinks):
    """Roles and what they may do."""

    list_display = ("name", "is_active", "can_add_entities")
    search_fields = ("name",)
    filter_horizontal = ("users", "groups")
    inlines = (RolePermissionInline,)


@admin.register(Job)
class JobAdmin(ReadOnly, admin.ModelAdmin):  # type: ignore[type-arg]
    """Jobs that the user may see, to look at; what they were given and gave is for superusers."""

    list_display = ("id", "plugin", "operation_name", "status", "user", "created_at")
    list_filter = ("status", "plugin")
    list_select_related = ("user",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Job]:
        """Return the jobs that the user may see: Django's permissions open the pages."""
        return visible_jobs(request.user).order_by("-pk")

    def get_fields(self, request: HttpRequest, obj: Job | None = None) -> Any:  # Any: names
        """Return what is shown of a job."""
        return super().get_fields(request, obj) if request.user.is_superuser else self.list_display


@admin.register(User)
class RefusingUserAdmin(VisibleLinks, UserAdmin):  # type: ignore[type-arg]
    """Users."""

    actions = ("switch_off", "switch_on")
    list_filter = ("is_staff", "is_superuser", "is_active")  # not by groups, whose names it would list

    @admin.action(description="Switch the selected ones off: they are logged out", permissions=["change"])
    def switch_off(self, _request: HttpRequest, queryset: QuerySet[User]) -> None:
        """End what each that is selected is logged in with."""
        _switch(queryset, is_active=False)

    @admin.action(description="Switch the selected ones on", permissions=["change"])
    def switch_on(self, _request: HttpRequest, queryset: QuerySet[User]) -> None:
        """Let each that is selected log in again."""
        _switch(queryset, is_active=True)


def _switch(users: QuerySet[User], *, is_active: bool) -> None:
    for user in users.exclude(is_active=is_active):  # one by one: each is an event of the audit log
        user.is_active = is_active
        user.save(update_fields=["is_active"])


class GroupForm(forms.ModelForm):  # type: ignore[type-arg]
    """A group with the group that it is nested in, and with its users."""

    parent = forms.ModelChoiceField(Group.objects.order_by("name"), required=False)
    users = forms.ModelMultipleChoiceField(
        User.objects.order_by("username"), required=False, widget=FilteredSelectMultiple("users", False)
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # Any: Django's arguments
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial["users"] = self.instance.user_set.all()
            self.initial["parent"] = parent_of(self.instance)


admin.site.unregister(Group)


@admin.register(Group)
class RefusingGroupAdmin(VisibleLinks, GroupAdmin):  # type: ignore[misc]  # their names of arguments differ
    """Groups of users."""

    form = GroupForm
    list_display = ("name", "parent")
    list_select_related = ("nesting__parent",)
    fields = ("name", "parent", "users", "permissions")

    @admin.display(description="parent")
    def parent(self, group: Group) -> Group | None:
        """Return the group that it is nested in."""
        return parent_of(group)

    def get_form(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:  # Any: as Django has it
        """Return the form with what the user may see to choose from."""
        form = super().get_form(request, *args, **kwargs)
        for name in {"parent", "users"} & form.base_fields.keys():
            field: Any = form.base_fields[name]
            field.queryset = visible(field.queryset, request.user)
        return form

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Store the links; Any: as Django has it."""
        super().save_related(request, form, formsets, change)
        if "parent" in form.changed_data:
            nest(form.instance, form.cleaned_data["parent"])
        if "users" in form.changed_data:
            replace_links(form.instance.user_set, form.cleaned_data["users"], request.user)


@admin.register(ApiToken)
class ApiTokenAdmin(VisibleLinks):
    """Tokens, without their text, to look at and to revoke."""

    list_display = ("name", "user", "scope", "created_time", "expires_time", "last_used_time")
    list_filter = ("scope",)
    list_select_related = ("user",)
    search_fields = ("name", "user__username")
    exclude = ("digest",)

    def has_add_permission(self, _request: HttpRequest) -> bool:
        """Refuse: their owner makes them, who alone is to see their text."""
        return False

    def has_change_permission(self, *_args: object) -> bool:
        """Refuse: they are not changed."""
        return False


def _text(error: Exception) -> str:
    match error:
        case ValidationError():
            return "; ".join(error.messages)
        case ProtectedError() | RestrictedError():
            return str(error.args[0])  # the second are the rows
        case _:
            return str(error)
