"""What Django's permissions come from, besides the user's own and those of the user's groups."""

from __future__ import annotations

from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.models import Permission
from django.db.models import Model

from pagoda.domain.user.models import User
from pagoda.domain.user.permissions import groups_of


class ParentGroupsBackend(BaseBackend):
    """Gives the members of a group the Django permissions of the groups that it is nested in."""

    def get_group_permissions(self, user_obj: object, obj: Model | None = None) -> set[str]:
        """Return them as ``{"user.add_role"}``; one query for each instance of a user."""
        if not isinstance(user_obj, User) or not user_obj.is_active or obj is not None:
            return set()
        known: set[str] | None = vars(user_obj).get("_permissions_of_parents")
        if known is None:
            given = Permission.objects.filter(group__in=groups_of(user_obj))
            rows = given.values_list("content_type__app_label", "codename").order_by()
            known = vars(user_obj)["_permissions_of_parents"] = {f"{app}.{name}" for app, name in rows}
        return known
