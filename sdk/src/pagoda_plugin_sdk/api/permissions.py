"""Permissions of plugin APIs."""

# the checks are there to be overridden, with these arguments

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView


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
