"""Jobs: ``/api/v2/jobs/``. Made here, by the endpoints of plugins and by schedules."""

from __future__ import annotations

import re
from collections.abc import Callable

from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils.http import content_disposition_header
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound, PermissionDenied, ValidationError
from rest_framework.permissions import IsAdminUser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.viewsets import GenericViewSet

from pagoda.jobs import store
from pagoda.jobs.access import may_control, may_read_output, visible_jobs
from pagoda.jobs.core_tasks import submit_canary
from pagoda.jobs.job_errors import JobConflict, UnknownOperation, UnknownQueue, UnknownTarget
from pagoda.jobs.models import Job, JobFile, JobLog
from pagoda.jobs.offering import run_offered
from pagoda.transfer.formats import FORMATS
from pagoda_api.fields import MAX_ID, found_or_404
from pagoda_api.pagination import NewestFirstPagination, number_parameter, whole_number_schema
from pagoda_api.problems import Conflict
from pagoda_api.resources.job_filters import JobFilter
from pagoda_api.resources.job_representation import (
    CanarySerializer,
    JobDetailSerializer,
    JobLogSerializer,
    JobSerializer,
    NewJobSerializer,
    job_user,
    show_job_in_detail,
    show_jobs,
)
from pagoda_api.strict import StrictFilterBackend, StrictView, checked
from pagoda_plugin_sdk.rules.saying import say

LOG_LINES = 1000
"""How many lines of a log one answer holds."""

_ANY_FILE = "application/octet-stream"
_FILE_TYPES = (_ANY_FILE, *sorted({each.content_type for each in FORMATS.values()}), "*/*")
"""Of exports, and what a plugin says of its own; the one that clients are made for is the first."""

_MEDIA_TYPE = re.compile(r"[\w.+-]{1,60}/[\w.+-]{1,60}")


class JobViewSet(StrictView, GenericViewSet[Job]):
    """Jobs that the user may see, as `pagoda.jobs.access` says."""

    serializer_class = JobSerializer
    filterset_class = JobFilter
    filter_backends = [StrictFilterBackend]
    pagination_class = NewestFirstPagination
    lookup_value_regex = "[0-9]+"
    parameters = {"log": ("after",)}
    without_body = ("cancel", "retry")

    def get_queryset(self) -> QuerySet[Job]:
        """Return the jobs that the user may see."""
        return visible_jobs(self.request.user)

    def list(self, request: Request) -> Response:
        """List a page of jobs, the newest first."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset())) or []
        return self.get_paginated_response(show_jobs(page, request.user))

    @extend_schema(request=NewJobSerializer, responses={202: JobDetailSerializer, 404: None}, filters=False)
    def create(self, request: Request) -> Response:
        """Run a task of a plugin, with the rights of who asks: one that takes params by a schema."""
        data = checked(NewJobSerializer(data=request.data))
        user, plugin, name = job_user(request), data.pop("plugin"), data.pop("operation")
        try:
            job = run_offered(user, plugin, name, **data)
        except UnknownOperation as error:
            raise NotFound(str(error), code=error.code) from error
        except JobConflict as error:
            raise Conflict(str(error), code=error.code) from error
        except UnknownTarget as error:
            raise ValidationError({error.field: [str(error)]}, code="unknown") from error
        headers = {"Location": reverse("job-detail", kwargs={"pk": job.pk}, request=request)}
        return Response(show_job_in_detail(job, user), status=202, headers=headers)

    @extend_schema(responses=JobDetailSerializer)
    def retrieve(self, request: Request, pk: str) -> Response:
        """Show a job."""
        return Response(show_job_in_detail(self._job(pk), request.user))

    @extend_schema(request=CanarySerializer, responses={202: JobDetailSerializer})
    @action(detail=False, methods=["post"], permission_classes=[IsAdminUser])
    def canary(self, request: Request) -> Response:
        """Submit a job that does nothing to a queue, to see whether its worker runs jobs; for staff."""
        queue = checked(CanarySerializer(data=request.data))["queue"]
        try:
            job = submit_canary(queue, request.user)
        except UnknownQueue as error:
            raise ValidationError({"queue": [str(error)]}, code="unknown") from error
        return Response(show_job_in_detail(job, request.user), status=202)

    @extend_schema(request=None, responses=JobDetailSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Cancel it: a queued one never starts, a running one is asked to stop. Idempotent."""
        return self._control(pk, store.cancel)

    @extend_schema(request=None, responses=JobDetailSerializer)
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, pk: str) -> Response:
        """Run one that did not end well once more."""
        return self._control(pk, store.retry)

    @extend_schema(
        parameters=[
            OpenApiParameter(
                "after", whole_number_schema(0, MAX_ID), description="Id of the last known line."
            )
        ],
        responses=JobLogSerializer,
        filters=False,
    )
    @action(detail=True, methods=["get"], pagination_class=None, filter_backends=[])
    def log(self, request: Request, pk: str) -> Response:
        """Show the lines of its log after a known one, the oldest first."""
        after = number_parameter(request, "after", 0, lowest=0, highest=MAX_ID)
        job = self._with_output(pk)  # before the lines: when it has ended, they are all there
        lines = list(JobLog.objects.filter(job=job, pk__gt=after).order_by("pk")[:LOG_LINES])
        is_complete = job.finished_at is not None and len(lines) < LOG_LINES
        body = {
            "results": lines,
            "next_after": lines[-1].pk if lines else after,
            "is_finished": is_complete,
        }
        return Response(JobLogSerializer(body).data)

    @extend_schema(responses={(200, each): OpenApiTypes.BINARY for each in _FILE_TYPES}, filters=False)
    @action(detail=True, methods=["get"], pagination_class=None, filter_backends=[])
    def file(self, request: Request, pk: str) -> HttpResponse:
        """Download the file that it carries."""
        job = self._with_output(pk)
        stored = JobFile.objects.filter(job=job).first()
        if stored is None:
            raise NotFound(say("Job {job} carries no file.", job=job.pk))
        media_type = job.file_type if _MEDIA_TYPE.fullmatch(job.file_type) else _ANY_FILE
        disposition = content_disposition_header(as_attachment=True, filename=job.file_name)
        headers = {"Content-Disposition": disposition or "attachment"}
        return HttpResponse(bytes(stored.content), content_type=media_type, headers=headers)

    def _job(self, pk: str) -> Job:
        return found_or_404(self.get_queryset(), pk, noun="job")

    def _with_output(self, pk: str) -> Job:
        job = self._job(pk)
        if not may_read_output(self.request.user, job):
            raise PermissionDenied(say("What job {job} gave may be read by who asked for it.", job=job.pk))
        return job

    def _control(self, pk: str, change: Callable[[Job], object]) -> Response:
        user, job = self.request.user, self._job(pk)
        if not may_control(user, job):
            raise PermissionDenied(
                say("Job {job} may be cancelled and retried by who asked for it.", job=job.pk)
            )
        try:
            change(job)
        except JobConflict as error:
            raise Conflict(str(error), code=error.code) from error
        return Response(show_job_in_detail(job, user))
