"""The admin's pages of users, groups, roles and tokens: as by the API, and no more."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import FilteredSelectMultiple
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, Permission
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldForeignKeyRawIdWidget

from pagoda.domain.access import readable
from pagoda.domain.access.accounts import manages, replace_links, visible
from pagoda.domain.user.models import ApiToken, Role, RolePermission, User, nest, parent_of
from pagoda_api.admin.refusing import RefusalsShown
from pagoda_plugin_sdk.rules.saying import say
from pagoda_plugin_sdk.rules.text import clean_name, spellings, validate_name
from pagoda_plugin_sdk.washing import shown


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


class VisibleIdWidget(UnfoldForeignKeyRawIdWidget):  # type: ignore[misc]
    """Takes an id, and names what it is of among the rows that the user may see."""

    def __init__(self, relation: Any, site: Any, rows: QuerySet[Any]) -> None:  # Any: as Django has it
        super().__init__(relation, site)
        self.rows = rows

    def label_and_url_for_value(self, value: Any) -> tuple[str, str]:
        """Return the name of the row and the address of its page, nothing for one that is not there."""
        is_there = str(value).isdecimal() and self.rows.filter(pk=value).exists()
        return super().label_and_url_for_value(value) if is_there else ("", "")


class RolePermissionInline(TabularInline):  # type: ignore[misc]
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


@admin.register(User)
class RefusingUserAdmin(VisibleLinks, UserAdmin):  # type: ignore[type-arg,misc]  # as the group's below
    """Users."""

    form, add_form, change_password_form = UserChangeForm, UserCreationForm, AdminPasswordChangeForm
    add_fieldsets = UserAdmin.add_fieldsets  # which unfold has none of
    actions = ("switch_off", "switch_on")
    list_filter = ("is_staff", "is_superuser", "is_active")  # not by groups, whose names it would list

    @admin.action(description=_("Switch the selected ones off: they are logged out"), permissions=["change"])
    def switch_off(self, _request: HttpRequest, queryset: QuerySet[User]) -> None:
        """End what each that is selected is logged in with."""
        _switch(queryset, is_active=False)

    @admin.action(description=_("Switch the selected ones on"), permissions=["change"])
    def switch_on(self, _request: HttpRequest, queryset: QuerySet[User]) -> None:
        """Let each that is selected log in again."""
        _switch(queryset, is_active=True)


def _switch(users: QuerySet[User], *, is_active: bool) -> None:
    for user in users.exclude(is_active=is_active):  # one by one: each is an event of the audit log
        user.is_active = is_active
        user.save(update_fields=["is_active"])


class GroupForm(forms.ModelForm):  # type: ignore[type-arg]
    """A group with the group that it is nested in, and with its users."""

    parent = forms.ModelChoiceField(
        Group.objects.order_by("name"), required=False, widget=UnfoldAdminSelectWidget
    )
    users = forms.ModelMultipleChoiceField(
        User.objects.order_by("username"), required=False, widget=FilteredSelectMultiple(_("users"), False)
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # Any: Django's arguments
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial["users"] = self.instance.user_set.all()
            self.initial["parent"] = parent_of(self.instance)

    def clean_name(self) -> str:
        """Return the name as it is stored; sent back as it is, it stays as it is.

        Raises:
            ValidationError: it is no name, or another group has it however it is spelled.
        """
        given = self.cleaned_data["name"]
        if self.instance.pk and given == self.instance.name:
            return str(given)
        validate_name(given)
        others = Group.objects.filter(name__in=spellings([given])).exclude(pk=self.instance.pk)
        if others.exists():
            raise ValidationError(
                say("There is a group {name} already; choose another name.", name=shown(given)), code="unique"
            )
        return str(clean_name(given))


admin.site.unregister(Group)


@admin.register(Group)
class RefusingGroupAdmin(VisibleLinks, GroupAdmin):  # type: ignore[misc]  # their names of arguments differ
    """Groups of users."""

    form = GroupForm
    list_display = ("name", "parent")
    list_select_related = ("nesting__parent",)
    fields = ("name", "parent", "users", "permissions")

    @admin.display(description=_("parent"))
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
