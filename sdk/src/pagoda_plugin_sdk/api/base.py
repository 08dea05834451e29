"""Views of plugin APIs."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from rest_framework.permissions import IsAuthenticated
from rest_framework.viewsets import ModelViewSet

from pagoda_plugin_sdk.api.pagination import PluginPagination
from pagoda_plugin_sdk.mixins import PluginAPIViewMixin, PluginContextMixin


class PluginAPIView(PluginAPIViewMixin):
    """A view of a plugin's API."""


class PluginViewSet(PluginContextMixin, ModelViewSet[Any]):
    """Create, read, update and delete over a model of the plugin; Any as that model is the plugin's."""

    permission_classes = [IsAuthenticated]
    pagination_class = PluginPagination

    def get_plugin_context(self) -> dict[str, Any]:
        """Return the plugin context with ``"viewset_name"`` and ``"action"``, such as "list"."""
        name, action = type(self).__name__, getattr(self, "action", None)
        return {**super().get_plugin_context(), "viewset_name": name, "action": action}

    def get_queryset(self) -> QuerySet[Any]:
        """Return the view's rows, narrowed by `filter_queryset_for_plugin`."""
        return self.filter_queryset_for_plugin(super().get_queryset())

    def filter_queryset_for_plugin(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrow `queryset`; override it. All rows unless overridden."""
        return queryset
