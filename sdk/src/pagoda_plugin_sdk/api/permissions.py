"""Permissions of plugin APIs."""

# the checks are there to be overridden, with these arguments

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol

from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

log = logging.getLogger(__name__)


class AclChecker(Protocol):
    """Decides for a `PluginACLPermission`."""

    def check_permission(self, user: Any, obj: Any, permission: str) -> bool:
        """Return whether `user` has `permission` ("read", "write" or "delete") on `obj`."""
        ...


class PluginPermission(BasePermission):
    """For active users that are logged in; override the two checks for rules of the plugin's own."""

    action_permission_map: ClassVar[Mapping[str, str]] = {
        "list": "read",
        "retrieve": "read",
        "create": "write",
        "update": "write",
        "partial_update": "write",
        "destroy": "delete",
    }
    """``{view set action: "read" | "write" | "delete"}``; other views go by the HTTP method."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        user = request.user
        if not (user.is_authenticated and user.is_active):
            return False
        return self.check_view_permission(user, view, request)

    def has_object_permission(self, request: Request, view: APIView, obj: Any) -> bool:
        wanted = self.required_permission(request, view)
        return self.check_object_permission(request.user, obj, wanted, request, view)

    def required_permission(self, request: Request, view: APIView) -> str:
        """Return what the request needs: "read", "write" or "delete"."""
        action = getattr(view, "action", None)
        if isinstance(action, str) and action in self.action_permission_map:
            return self.action_permission_map[action]
        if request.method in SAFE_METHODS:
            return "read"
        return "delete" if request.method == "DELETE" else "write"

    def check_view_permission(self, user: Any, view: APIView, request: Request) -> bool:
        """Return whether `user` may use the view at all; every active user unless overridden."""
        return True

    def check_object_permission(
        self, user: Any, obj: Any, permission: str, request: Request, view: APIView
    ) -> bool:
        """Return whether `user` has `permission` on `obj`; host entries are asked, other objects allowed."""
        may_permitted = getattr(obj, "may_permitted", None)
        return True if may_permitted is None else bool(may_permitted(user, LEVELS[permission]))


LEVELS: Mapping[str, int] = {"read": 2, "write": 4, "delete": 8}
"""The host's permission levels: readable, writable, full."""


class PluginACLPermission(PluginPermission):
    """Has a list of rights of the plugin's own decide about objects: override `get_acl_checker`."""

    def get_acl_checker(self, request: Request, view: APIView) -> AclChecker | None:
        """Return what decides; None leaves it to `PluginPermission`."""
        return None

    def check_object_permission(
        self, user: Any, obj: Any, permission: str, request: Request, view: APIView
    ) -> bool:
        """Return what the checker says; one that fails denies."""
        checker = self.get_acl_checker(request, view)
        if checker is None:
            return super().check_object_permission(user, obj, permission, request, view)
        try:
            return bool(checker.check_permission(user, obj, permission))
        except Exception:  # whatever a checker raises, it has not allowed it
            log.exception("ACL permission check failed")
            return False


class IsPluginAuthenticated(BasePermission):
    """For active users that are logged in."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        user: Any = request.user
        return bool(user and user.is_authenticated and getattr(user, "is_active", True))


class IsPluginOwner(IsPluginAuthenticated):
    """For whom an object belongs to: one of its `owner_fields` is the user."""

    owner_fields: Sequence[str] = ("created_user", "owner", "user")

    def has_object_permission(self, request: Request, view: APIView, obj: Any) -> bool:
        return self.has_permission(request, view) and any(
            _belongs(obj, field, request.user) for field in self.owner_fields
        )


def _belongs(obj: Any, field: str, user: Any) -> bool:
    """Compare ids where `field` is a foreign key: its row is another user's, who may be out of sight."""
    if hasattr(type(obj), field) and hasattr(obj, f"{field}_id"):
        return bool(getattr(obj, f"{field}_id") == user.pk)
    return bool(getattr(obj, field, None) == user)


class IsPluginAdminOrOwner(IsPluginOwner):
    """For whom an object belongs to, and for superusers."""

    def has_object_permission(self, request: Request, view: APIView, obj: Any) -> bool:
        if not self.has_permission(request, view):
            return False
        return bool(getattr(request.user, "is_superuser", False)) or super().has_object_permission(
            request, view, obj
        )
