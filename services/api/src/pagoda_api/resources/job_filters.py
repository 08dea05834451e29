"""Which of the jobs that a user may see a list shows."""

from __future__ import annotations

import django_filters
from django.db.models import Q, QuerySet
from rest_framework.exceptions import ValidationError

from pagoda.domain.user.permissions import viewer
from pagoda.jobs.access import visible_jobs
from pagoda.jobs.models import Job
from pagoda.jobs.operations import CORE_QUEUE
from pagoda.plugins.registry import registry
from pagoda_api.resources.filters import MomentFilter, asking_user
from pagoda_plugin_sdk.exceptions import PluginLoadError, near_misses
from pagoda_plugin_sdk.operations import JobStatus
from pagoda_plugin_sdk.rules.saying import say


class JobFilter(django_filters.FilterSet):
    """Which of the visible jobs a list shows."""

    plugin = django_filters.CharFilter(method="of_plugin", label="Id or alias; `core` is the host.")
    operation = django_filters.CharFilter(field_name="operation_name", label="Name of the operation.")
    status = django_filters.CharFilter(
        method="in_status", label="Names or numbers, separated by commas: `error,timeout`."
    )
    user = django_filters.CharFilter(method="of_user", label="Name or id of who asked for it; `me`.")
    request_id = django_filters.CharFilter(label="Of the request that made it.")
    created_after = MomentFilter(field_name="created_at", lookup_expr="gte")
    created_before = MomentFilter(field_name="created_at", lookup_expr="lt")
    hidden = django_filters.ChoiceFilter(
        method="with_hidden",
        label="`true` shows jobs of hidden operations too.",
        choices=[(value, value) for value in ("true", "false")],
    )

    class Meta:
        model = Job
        fields: list[str] = []

    def filter_queryset(self, queryset: QuerySet[Job]) -> QuerySet[Job]:
        """Filter; jobs of hidden operations are left out unless asked for."""
        if self.form.cleaned_data.get("hidden") != "true":
            queryset = queryset.filter(pk__in=Job.objects.listed().values("pk"))
        filtered: QuerySet[Job] = super().filter_queryset(queryset)
        return filtered

    def with_hidden(self, queryset: QuerySet[Job], _name: str, _value: str) -> QuerySet[Job]:
        """Return `queryset`: `filter_queryset` has dealt with hidden operations."""
        return queryset

    def of_plugin(self, queryset: QuerySet[Job], name: str, value: str) -> QuerySet[Job]:
        """Return the jobs of one plugin; one that is no longer enabled counts while it has jobs."""
        if value == CORE_QUEUE:
            return queryset.filter(plugin="")
        try:
            return queryset.filter(plugin=registry().get(value).id)
        except PluginLoadError as error:
            if visible_jobs(viewer(asking_user(self))).filter(plugin=value).exists():
                return queryset.filter(plugin=value)
            raise ValidationError({name: [str(error)]}, code="unknown") from error

    def in_status(self, queryset: QuerySet[Job], name: str, value: str) -> QuerySet[Job]:
        """Return the jobs in one of the statuses."""
        return queryset.filter(status__in=[_status(part.strip(), name) for part in value.split(",")])

    def of_user(self, queryset: QuerySet[Job], _name: str, value: str) -> QuerySet[Job]:
        """Return the jobs that somebody asked for."""
        if value == "me":
            return queryset.filter(user=asking_user(self))
        by_name = Q(user__username=value)
        is_id = value.isascii() and value.isdecimal() and len(value) < 19
        return queryset.filter(by_name | Q(user=int(value)) if is_id else by_name)


def _status(given: str, field: str) -> JobStatus:
    by_name = {status.name.lower(): status for status in JobStatus}
    by_number = {str(status.value): status for status in JobStatus}
    found = by_name.get(given.lower()) or by_number.get(given)
    if found is None:
        misses = near_misses(given.lower(), by_name)
        listed = ", ".join(by_name)
        raise ValidationError(
            {
                field: [
                    say(
                        "There is no status {given!r}.{misses} There are: {listed}.",
                        given=given,
                        misses=misses,
                        listed=listed,
                    )
                ]
            },
            code="unknown",
        )
    return found
