from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from pagoda_plugin_sdk import PluginAPIView, PluginPermission
from pagoda_plugin_sdk.api import (
    IsPluginAdminOrOwner,
    IsPluginAuthenticated,
    IsPluginOwner,
    PluginACLPermission,
)


class Thing:
    """Knows, as the host's entries do, which level a user has."""

    def __init__(self, level: int) -> None:
        self.level = level

    def may_permitted(self, user: Any, permission: int) -> bool:
        return self.level >= permission


def request(method: str, user: Any) -> Request:
    made = Request(APIRequestFactory().generic(method, "/"))
    made.user = user
    return made


def view(action: str | None = None) -> PluginAPIView:
    made = PluginAPIView()
    made.action = action  # type: ignore[attr-defined]  # set by view sets
    return made


def test_active_user_may_use_the_view(user: Any) -> None:
    assert PluginPermission().has_permission(request("GET", user), view()) is True


def test_locked_user_may_not(locked_user: Any) -> None:
    assert PluginPermission().has_permission(request("GET", locked_user), view()) is False


def test_plugin_may_ask_for_more(user: Any) -> None:
    class Never(PluginPermission):
        def check_view_permission(self, user: Any, view: Any, request: Any) -> bool:
            return False

    assert Never().has_permission(request("GET", user), view()) is False


@pytest.mark.parametrize(
    ("method", "action", "needed"),
    [
        ("GET", "list", "read"),
        ("GET", "retrieve", "read"),
        ("POST", "create", "write"),
        ("PUT", "update", "write"),
        ("PATCH", "partial_update", "write"),
        ("DELETE", "destroy", "delete"),
        ("POST", "rebuild", "write"),
        ("HEAD", None, "read"),
        ("OPTIONS", None, "read"),
        ("PATCH", None, "write"),
        ("DELETE", None, "delete"),
    ],
)
def test_needed_permission_follows_action_then_method(
    method: str, action: str | None, needed: str, user: Any
) -> None:
    assert PluginPermission().required_permission(request(method, user), view(action)) == needed


@pytest.mark.parametrize(
    ("method", "level", "allowed"),
    [
        ("GET", 1, False),
        ("GET", 2, True),
        ("PATCH", 2, False),
        ("PATCH", 4, True),
        ("DELETE", 4, False),
        ("DELETE", 8, True),
    ],
)
def test_object_of_the_host_is_asked_for_the_level(method: str, level: int, allowed: bool, user: Any) -> None:
    permission = PluginPermission()

    assert permission.has_object_permission(request(method, user), view(), Thing(level)) is allowed


def test_other_objects_are_allowed_unless_the_plugin_says_otherwise(user: Any) -> None:
    assert PluginPermission().has_object_permission(request("DELETE", user), view(), object()) is True


class Checker:
    def __init__(self, allowed: set[str]) -> None:
        self.allowed = allowed

    def check_permission(self, user: Any, obj: Any, permission: str) -> bool:
        if obj == "broken":
            raise ZeroDivisionError
        return permission in self.allowed


class Listed(PluginACLPermission):
    def get_acl_checker(self, request: Any, view: Any) -> Checker:
        return Checker({"read"})


@pytest.mark.parametrize(
    ("permission", "method", "obj", "allowed"),
    [
        (Listed(), "GET", "item", True),
        (Listed(), "DELETE", "item", False),
        (Listed(), "GET", "broken", False),
        (PluginACLPermission(), "GET", Thing(2), True),
        (PluginACLPermission(), "DELETE", Thing(2), False),
    ],
    ids=["allowed", "not allowed", "checker fails", "no checker, allowed", "no checker, not allowed"],
)
def test_list_of_rights_decides_about_objects(
    permission: PluginACLPermission, method: str, obj: Any, allowed: bool, user: Any
) -> None:
    assert permission.has_object_permission(request(method, user), view(), obj) is allowed


@pytest.mark.parametrize("permission", [IsPluginAuthenticated(), IsPluginOwner(), IsPluginAdminOrOwner()])
def test_only_active_users_that_are_logged_in_may(permission: Any, user: Any, locked_user: Any) -> None:
    users = [None, SimpleNamespace(is_authenticated=False), locked_user, user]

    assert [permission.has_permission(request("GET", each), view()) for each in users] == [
        False,
        False,
        False,
        True,
    ]


@pytest.mark.parametrize("field", ["created_user", "owner", "user"])
def test_object_is_for_its_owner(field: str, user: Any, locked_user: Any) -> None:
    of_user, of_other = SimpleNamespace(**{field: user}), SimpleNamespace(**{field: locked_user})
    permission = IsPluginOwner()

    assert permission.has_object_permission(request("GET", user), view(), of_user) is True
    assert permission.has_object_permission(request("GET", user), view(), of_other) is False
    assert permission.has_object_permission(request("GET", locked_user), view(), of_other) is False
    assert permission.has_object_permission(request("GET", user), view(), SimpleNamespace()) is False


def test_the_owner_s_row_is_not_asked_for(user: Any) -> None:
    """A foreign key leads to a row that the asking user may not see: its id tells enough."""

    class Row:
        def __init__(self, owner_id: int) -> None:
            self.owner_id = owner_id

        @property
        def owner(self) -> Any:
            raise LookupError("out of sight")

    user.pk = 7
    permission = IsPluginOwner()
    assert permission.has_object_permission(request("GET", user), view(), Row(7)) is True
    assert permission.has_object_permission(request("GET", user), view(), Row(8)) is False


def test_object_is_for_superusers_too(user: Any) -> None:
    admin = SimpleNamespace(is_authenticated=True, is_active=True, is_superuser=True)
    permission, of_user = IsPluginAdminOrOwner(), SimpleNamespace(owner=user)
    of_admin = SimpleNamespace(owner=admin)

    assert permission.has_object_permission(request("GET", admin), view(), of_user) is True
    assert permission.has_object_permission(request("GET", user), view(), of_user) is True
    assert permission.has_object_permission(request("GET", user), view(), of_admin) is False
    admin.is_active = False
    assert permission.has_object_permission(request("GET", admin), view(), of_user) is False
