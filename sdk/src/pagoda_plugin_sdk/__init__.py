"""The contract between Pagoda and its plugins.

Names that need configured settings (Django REST framework) or a host are looked up when they are used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from pagoda_plugin_sdk.exceptions import (
    HookRejected,
    PagodaError,
    PluginError,
    PluginLoadError,
    PluginSecurityError,
    PluginValidationError,
)
from pagoda_plugin_sdk.operations import PermissionLevel
from pagoda_plugin_sdk.override import (
    OverrideContext,
    OverrideMeta,
    accepted_response,
    created_response,
    error_response,
    no_content_response,
    not_found_response,
    override_operation,
    permission_denied_response,
    success_response,
    validation_error_response,
)
from pagoda_plugin_sdk.plugin import Plugin
from pagoda_plugin_sdk.tasks import (
    JobOperation,
    JobStatus,
    JobTarget,
    PluginTaskConfig,
    PluginTaskRegistry,
    celery_app,
    plugin_task,
    register_plugin_job_task,
)
from pagoda_plugin_sdk.utils import get_pagoda_version

if TYPE_CHECKING:
    from pagoda_plugin_sdk.api.base import PluginAPIView, PluginViewSet
    from pagoda_plugin_sdk.api.pagination import PluginPagination
    from pagoda_plugin_sdk.api.permissions import PluginPermission
    from pagoda_plugin_sdk.api.serializers import PluginSerializerMixin
    from pagoda_plugin_sdk.mixins import PluginAPIViewMixin
    from pagoda_plugin_sdk.models import Job

__version__ = "1.0.0"

__all__ = [
    "HookRejected",
    "Job",
    "JobOperation",
    "JobStatus",
    "JobTarget",
    "OverrideContext",
    "OverrideMeta",
    "PagodaError",
    "PermissionLevel",
    "Plugin",
    "PluginAPIView",
    "PluginAPIViewMixin",
    "PluginError",
    "PluginLoadError",
    "PluginPagination",
    "PluginPermission",
    "PluginSecurityError",
    "PluginSerializerMixin",
    "PluginTaskConfig",
    "PluginTaskRegistry",
    "PluginValidationError",
    "PluginViewSet",
    "accepted_response",
    "celery_app",
    "created_response",
    "error_response",
    "get_pagoda_version",
    "no_content_response",
    "not_found_response",
    "override_operation",
    "permission_denied_response",
    "plugin_task",
    "register_plugin_job_task",
    "success_response",
    "validation_error_response",
]

_LATE = {
    "Job": "models",  # the host's class, once it is there
    "PluginAPIView": "api.base",
    "PluginAPIViewMixin": "mixins",
    "PluginPagination": "api.pagination",
    "PluginPermission": "api.permissions",
    "PluginSerializerMixin": "api.serializers",
    "PluginViewSet": "api.base",
}


def __getattr__(name: str) -> object:
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATE[name]}"), name)
