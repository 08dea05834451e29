"""Base classes of plugin APIs. Importing them needs configured Django settings."""

from pagoda_plugin_sdk.api.base import PluginAPIView, PluginViewSet
from pagoda_plugin_sdk.api.pagination import PluginPagination
from pagoda_plugin_sdk.api.permissions import PluginPermission
from pagoda_plugin_sdk.api.serializers import PluginSerializerMixin

__all__ = ["PluginAPIView", "PluginPagination", "PluginPermission", "PluginSerializerMixin", "PluginViewSet"]
