"""Base classes of plugin APIs. Importing them needs configured Django settings."""

from pagoda_plugin_sdk.api.base import PluginAPIView, PluginViewSet
from pagoda_plugin_sdk.api.pagination import (
    PluginNoPagination,
    PluginPageNumberPagination,
    PluginPagination,
)
from pagoda_plugin_sdk.api.permissions import (
    IsPluginAdminOrOwner,
    IsPluginAuthenticated,
    IsPluginOwner,
    PluginACLPermission,
    PluginPermission,
)
from pagoda_plugin_sdk.api.serializers import (
    PluginErrorSerializer,
    PluginListSerializer,
    PluginModelSerializer,
    PluginSerializerMixin,
    PluginValidationMixin,
)

__all__ = [
    "IsPluginAdminOrOwner",
    "IsPluginAuthenticated",
    "IsPluginOwner",
    "PluginACLPermission",
    "PluginAPIView",
    "PluginErrorSerializer",
    "PluginListSerializer",
    "PluginModelSerializer",
    "PluginNoPagination",
    "PluginPageNumberPagination",
    "PluginPagination",
    "PluginPermission",
    "PluginSerializerMixin",
    "PluginValidationMixin",
    "PluginViewSet",
]
