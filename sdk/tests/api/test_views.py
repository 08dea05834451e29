from __future__ import annotations

from typing import Any, ClassVar

import pytest
from django.urls import ResolverMatch
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory, force_authenticate

from pagoda_plugin_sdk import (
    HookRejected,
    PluginAPIView,
    PluginAPIViewMixin,
    PluginError,
    PluginLoadError,
    PluginPagination,
    PluginSecurityError,
    PluginViewSet,
)


class ContextView(PluginAPIView):
    plugin_version = "2.0.0"

    def get(self, _request: Request) -> Response:
        context = self.get_plugin_context()
        return Response({**context, "user": getattr(context["user"], "username", None)})


class NamedView(ContextView):
    plugin_id = "named"


class OpenView(NamedView):
    permission_classes = [AllowAny]


class FailingView(NamedView):
    error: ClassVar[Exception]

    def get(self, _request: Request) -> Response:
        raise self.error


def request(user: Any = None, *, plugin_in_url: str | None = None) -> Any:
    made = APIRequestFactory().get("/")
    if user is not None:
        force_authenticate(made, user=user)
    if plugin_in_url is not None:
        made.resolver_match = ResolverMatch(NamedView.as_view(), (), {}, namespaces=[plugin_in_url])
    return made


def test_view_refuses_who_is_not_logged_in() -> None:
    response = NamedView.as_view()(request())

    assert response.status_code == 403


def test_view_serves_who_is_logged_in(user: Any) -> None:
    response = NamedView.as_view()(request(user))

    assert response.status_code == 200
    assert response.data == {
        "plugin_id": "named",
        "plugin_version": "2.0.0",
        "plugin_view": "NamedView",
        "view_name": "NamedView",
        "user": "ann",
    }


def test_view_may_serve_anybody() -> None:
    response = OpenView.as_view()(request())

    assert (response.status_code, response.data["user"]) == (200, None)


def test_plugin_is_taken_from_the_url_unless_the_view_names_it(user: Any) -> None:
    from_url = ContextView.as_view()(request(user, plugin_in_url="in-url"))
    named = NamedView.as_view()(request(user, plugin_in_url="in-url"))

    assert (from_url.data["plugin_id"], named.data["plugin_id"]) == ("in-url", "named")


@pytest.mark.parametrize("kind", [PluginError, NotImplementedError])
def test_view_that_does_not_know_its_plugin_says_so(kind: type[Exception]) -> None:
    with pytest.raises(kind) as caught:
        ContextView().get_plugin_id()

    assert str(caught.value) == (
        "View ContextView does not know its plugin: it was not reached through /api/v2/plugins/<id>/. "
        "Set its `plugin_id`."
    )


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (PluginError("No stock."), 400, "plugin_error"),
        (PluginLoadError("No stock."), 400, "plugin_load_error"),
        (PluginSecurityError("No stock."), 403, "plugin_security_error"),
    ],
    ids=["plugin error", "subclass", "security"],
)
def test_error_of_the_plugin_is_answered_with_its_name_and_code(
    error: PluginError, status: int, code: str, user: Any
) -> None:
    view: Any = type("View", (FailingView,), {"error": error})

    response = view.as_view()(request(user))

    assert response.status_code == status
    assert response.data == {"detail": "No stock.", "code": code, "plugin": "named"}


@pytest.mark.parametrize("error", [ZeroDivisionError("by zero"), HookRejected("by another plugin")])
def test_other_errors_are_the_host_s(error: Exception, user: Any) -> None:
    view: Any = type("View", (FailingView,), {"error": error})

    with pytest.raises(type(error), match=str(error)):
        view.as_view()(request(user))


def test_request_holds_the_plugin_context_once_it_is_known_who_asks(user: Any) -> None:
    class Shows(NamedView):
        def get(self, request: Request) -> Response:
            context = request.plugin_context  # type: ignore[attr-defined]  # the SDK's own
            return Response({**context, "user": context["user"].username})

    shown = Shows.as_view()(request(user)).data

    assert (shown["plugin_id"], shown["view_name"], shown["user"]) == ("named", "Shows", "ann")


def test_view_outside_of_a_plugin_is_served_without_a_context(user: Any) -> None:
    class Outside(PluginAPIView):
        def get(self, request: Request) -> Response:
            return Response({"has_context": hasattr(request, "plugin_context")})

    assert Outside.as_view()(request(user)).data == {"has_context": False}


def test_context_of_a_view_set_has_its_name_and_action() -> None:
    class Items(PluginViewSet):
        plugin_id = "named"
        action = "list"

    assert Items().get_plugin_context() == {
        "plugin_id": "named",
        "plugin_version": None,
        "plugin_view": "Items",
        "view_name": "Items",
        "viewset_name": "Items",
        "action": "list",
        "user": None,
    }


class Rows:
    """A queryset as far as the view set looks at it."""

    def __init__(self, *rows: int) -> None:
        self.rows = rows


def test_view_set_narrows_its_rows_where_the_plugin_says() -> None:
    class Narrow(PluginViewSet):
        queryset = Rows(1, 2, 3)  # type: ignore[assignment]  # a stand-in

        def filter_queryset_for_plugin(self, queryset: Any) -> Any:
            return Rows(*queryset.rows[:1])

    narrowed: Any = Narrow().get_queryset()

    assert narrowed.rows == (1,)


def test_view_set_has_all_rows_unless_narrowed() -> None:
    class Wide(PluginViewSet):
        queryset = Rows(1, 2, 3)  # type: ignore[assignment]  # a stand-in

    all_rows: Any = Wide().get_queryset()

    assert all_rows.rows == (1, 2, 3)
    assert Wide.pagination_class is PluginPagination
    assert Wide.permission_classes == [IsAuthenticated]


def test_mixin_is_a_view_for_logged_in_users() -> None:
    assert issubclass(PluginAPIView, PluginAPIViewMixin)
    assert PluginAPIViewMixin.permission_classes == [IsAuthenticated]
