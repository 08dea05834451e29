"""Base of plugin API views. Importing it needs configured Django settings, as REST framework does."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from typing import Any, ClassVar

from rest_framework.exceptions import APIException
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView

from pagoda_plugin_sdk.authority import authority_of
from pagoda_plugin_sdk.exceptions import HookRejected, PluginError, PluginNotNamed, PluginSecurityError


class PluginErrorAnswer(APIException):
    """A `PluginError` as an API answer: 400 with the plugin, its message and its code."""

    status_code = 400

    def __init__(self, error: PluginError, plugin_id: str) -> None:
        super().__init__({"detail": str(error), "code": error.code, "plugin": plugin_id})
        if isinstance(error, PluginSecurityError):
            self.status_code = 403


def __getattr__(name: str) -> object:
    if name != "PluginRefused":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    text = f"{__name__}.PluginRefused is PluginErrorAnswer since 1.0; the old name goes with 1.2"
    warnings.warn(text, DeprecationWarning, stacklevel=2)
    return PluginErrorAnswer


class PluginContextMixin:
    """Tells a view which plugin it belongs to and answers that plugin's errors as 400 (403 for security)."""

    plugin_id: str | None = None  # taken from the URL unless set
    plugin_version: str | None = None
    response_statuses: ClassVar[Mapping[str, int]] = {}
    """``{"POST": 202}``: by method, the status of success that the OpenAPI schema tells; 200 unless given."""
    request: Any  # set by REST framework for each request

    def get_plugin_id(self) -> str:
        """Return the plugin's id: the class attribute, or the id in the URL that led here.

        Raises:
            PluginNotNamed: the view is neither reached through a plugin's URL nor names its plugin.
        """
        if self.plugin_id:
            return self.plugin_id
        match = getattr(getattr(self, "request", None), "resolver_match", None)
        if match is None or not match.namespaces:
            raise PluginNotNamed(
                f"View {type(self).__qualname__} does not know its plugin: it was not reached through "
                "/api/v2/plugins/<id>/. Set its `plugin_id`."
            )
        return str(match.namespaces[0])

    def get_plugin_version(self) -> str | None:
        """Return the plugin's version when the view names it."""
        return self.plugin_version

    def authority(self) -> AbstractContextManager[None]:
        """Return a block in which the plugin acts for itself, see `Plugin.authority`."""
        return authority_of(self.get_plugin_id())

    def get_plugin_context(self) -> dict[str, Any]:
        """Return ``{"plugin_id", "plugin_version", "plugin_view", "view_name", "user"}`` of the request.

        Both names are the view class's.
        """
        name = type(self).__name__
        return {
            "plugin_id": self.get_plugin_id(),
            "plugin_version": self.get_plugin_version(),
            "plugin_view": name,
            "view_name": name,
            "user": getattr(getattr(self, "request", None), "user", None),
        }

    def perform_authentication(self, request: Any) -> None:
        """Settle who asks, and put the plugin context on the request, where the plugin is known."""
        super().perform_authentication(request)  # type: ignore[misc]  # APIView follows in the MRO
        with suppress(PluginNotNamed):
            request.plugin_context = self.get_plugin_context()

    def handle_exception(self, exc: Exception) -> Response:
        """Answer `exc`; one of the plugin's own errors becomes `PluginErrorAnswer`, others are the host's.

        A `HookRejected` is the host's to answer: it may come from another plugin's handler.
        """
        if isinstance(exc, PluginError) and not isinstance(exc, HookRejected):
            refused = PluginErrorAnswer(exc, self.get_plugin_id())
            refused.__cause__ = exc
            exc = refused
        response: Response = super().handle_exception(exc)  # type: ignore[misc]  # APIView follows in the MRO
        return response


class PluginAPIViewMixin(PluginContextMixin, APIView):
    """An API view for people who are logged in; set ``permission_classes`` for another rule."""

    permission_classes = [IsAuthenticated]
