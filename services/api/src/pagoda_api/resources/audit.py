"""The audit log: ``/api/v2/audit/``, for auditors."""

from __future__ import annotations

from typing import Any

import django_filters
from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils.translation import gettext_lazy
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from pagoda.audit.actions import Action
from pagoda.audit.hashing import canonical
from pagoda.audit.models import AuditEvent
from pagoda_api.authentication import actor
from pagoda_api.fields import MAX_ID, found_or_404
from pagoda_api.pagination import NewestFirstPagination, number_parameter, whole_number_schema
from pagoda_api.resources.filters import IdFilter, MomentFilter
from pagoda_api.strict import StrictFilterBackend, StrictView

EXPORT_LINES = 10_000
"""Events that one answer exports at most: the process that writes it serves nobody else meanwhile."""

JSON_LINES = "application/x-ndjson"


class IsAuditor(BasePermission):
    """Superusers, and who has Django's permission to view audit events, by a group or themselves."""

    message = gettext_lazy(
        "The audit log is for auditors: superusers, and who has the permission audit.view_auditevent."
    )

    def has_permission(self, request: Request, _view: APIView) -> bool:
        """Return whether the user is an auditor."""
        user = actor(request)
        return user is not None and user.has_perm("audit.view_auditevent")


class AuditEventSerializer(serializers.Serializer[Any]):
    """One thing that was done; Any, as it is shown and never made."""

    id = serializers.IntegerField()
    happened_at = serializers.DateTimeField()
    action = serializers.ChoiceField(choices=[action.value for action in Action])
    actor_id = serializers.IntegerField(allow_null=True, help_text="The user; null: a job, or the host.")
    actor = serializers.CharField(help_text="The user's name then, `job` or `host`.")
    on_behalf_of_id = serializers.IntegerField(allow_null=True, help_text="The user whom a job works for.")
    on_behalf_of = serializers.CharField()
    plugin = serializers.CharField(help_text="Whose code did it; empty for the host's.")
    request_id = serializers.CharField()
    job_id = serializers.IntegerField(allow_null=True)
    subject_type = serializers.CharField(help_text="entry, entity, user, role, job, plugin, ...")
    subject_id = serializers.CharField()
    subject = serializers.CharField(help_text="Its name then.")
    details = serializers.JSONField(help_text="Names of changed fields and the like, never values.")


class AuditFilter(django_filters.FilterSet):
    """Which events a list or an export has."""

    action = django_filters.MultipleChoiceFilter(
        choices=[(action.value, action.value) for action in Action], label="May be repeated."
    )
    actor = django_filters.CharFilter(label="Name of who did it.")
    on_behalf_of = django_filters.CharFilter(label="Name of the user whom a job works for.")
    plugin = django_filters.CharFilter(label="Id of the plugin whose code did it.")
    request_id = django_filters.CharFilter()
    job_id = IdFilter()
    subject_type = django_filters.CharFilter()
    subject_id = django_filters.CharFilter()
    subject = django_filters.CharFilter(label="Its name then.")
    happened_after = MomentFilter(field_name="happened_at", lookup_expr="gte")
    happened_before = MomentFilter(field_name="happened_at", lookup_expr="lt")

    class Meta:
        model = AuditEvent
        fields: list[str] = []


class _ByKey:
    """Stands for the pages of an export, whose parameters the strict filter asks for."""

    query_parameters = ("after", "limit")


class AuditViewSet(StrictView, GenericViewSet[AuditEvent]):
    """What was done, by whom, on whose behalf and through which plugin."""

    queryset = AuditEvent.objects.all()
    permission_classes = [IsAuditor]
    serializer_class = AuditEventSerializer
    filterset_class = AuditFilter
    filter_backends = [StrictFilterBackend]
    pagination_class = NewestFirstPagination
    lookup_value_regex = "[0-9]+"
    filtered = ("list", "export")

    def list(self, request: Request) -> Response:
        """List a page of events, the newest first."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset())) or []
        return self.get_paginated_response(AuditEventSerializer(page, many=True).data)

    def retrieve(self, request: Request, pk: str) -> Response:
        """Show an event."""
        return Response(AuditEventSerializer(found_or_404(self.get_queryset(), pk, noun="audit event")).data)

    @extend_schema(
        parameters=[
            OpenApiParameter(
                "after", whole_number_schema(0, MAX_ID), description="Id of the last event that is known."
            ),
            OpenApiParameter("limit", whole_number_schema(1, EXPORT_LINES), description="How many at most."),
        ],
        responses={(200, JSON_LINES): OpenApiTypes.STR},
    )
    @action(detail=False, methods=["get"], pagination_class=_ByKey)
    def export(self, request: Request) -> HttpResponse:
        """Export events, the oldest first: JSON lines in the form that seals hash.

        The header `Link` leads to those that follow, while there are any.
        """
        after = number_parameter(request, "after", 0, lowest=0, highest=MAX_ID)
        limit = number_parameter(request, "limit", EXPORT_LINES, lowest=1, highest=EXPORT_LINES)
        events: QuerySet[AuditEvent] = self.filter_queryset(self.get_queryset())
        found = list(events.filter(pk__gt=after).order_by("pk")[: limit + 1])
        lines = b"".join(canonical(event.to_json()) + b"\n" for event in found[:limit])
        answer = HttpResponse(lines, content_type=JSON_LINES)
        if len(found) > limit:
            query = request.query_params.copy()
            query["after"] = str(found[limit - 1].pk)
            link = f"{reverse('audit-export', request=request)}?{query.urlencode()}"
            answer["Link"] = f'<{link}>; rel="next"'
        return answer
