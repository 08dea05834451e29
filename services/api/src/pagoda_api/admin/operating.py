"""The admin's tables to look at: jobs, and what operators read of the host itself."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from pagoda.audit.models import AuditEvent
from pagoda.fencing.models import Breaker, PluginSwitch
from pagoda.jobs.access import visible_jobs
from pagoda.jobs.models import Job
from pagoda.watching.models import AlertState, Presence
from pagoda_api.admin.refusing import LinkedToConsole, ReadOnly


@admin.register(Job)
class JobAdmin(ReadOnly, LinkedToConsole):
    """Jobs that the user may see, to look at; what they were given and gave is for superusers."""

    list_display = ("id", "plugin", "operation_name", "status", "user", "created_at")
    list_filter = ("status", "plugin")
    list_select_related = ("user",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Job]:
        """Return the jobs that the user may see: Django's permissions open the pages."""
        return visible_jobs(request.user).order_by("-pk")

    def get_fields(self, request: HttpRequest, obj: Job | None = None) -> Any:  # Any: names
        """Return what is shown of a job."""
        return super().get_fields(request, obj) if request.user.is_superuser else self.list_display


class ForSuperusers(ReadOnly, LinkedToConsole):
    """Rows of the host itself, which no level speaks of: superusers look at them."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Return whether the tables are in the list."""
        return bool(request.user.is_superuser)

    def has_view_permission(self, request: HttpRequest, _obj: object = None) -> bool:
        """Return whether the rows are shown."""
        return bool(request.user.is_superuser)


@admin.register(AuditEvent)
class AuditEventAdmin(ForSuperusers):
    """What was done, newest first."""

    list_display = ("happened_at", "action", "actor", "subject_type", "subject", "plugin", "request_id")
    list_filter = ("action",)
    search_fields = ("=request_id", "=actor", "=subject_id")
    ordering = ("-pk",)
    show_full_result_count = False  # the log grows without end


@admin.register(Breaker)
class BreakerAdmin(ForSuperusers):
    """The breakers of plugins where there is no shared cache."""

    list_display = ("plugin", "surface", "status", "calls", "failures", "reason")
    list_filter = ("status",)


@admin.register(PluginSwitch)
class PluginSwitchAdmin(ForSuperusers):
    """What is switched on for plugins."""

    list_display = ("plugin", "kind", "since", "until", "actor", "reason")
    list_filter = ("kind",)


@admin.register(Presence)
class PresenceAdmin(ForSuperusers):
    """The processes that say that they live."""

    list_display = ("node", "service", "queue", "host", "pid", "seen_at", "digest")
    list_filter = ("service",)


@admin.register(AlertState)
class AlertStateAdmin(ForSuperusers):
    """The alerts, and whether they fire."""

    list_display = ("rule", "subject", "is_firing", "is_silenced", "changed_at", "text")
    list_filter = ("is_firing", "rule")
