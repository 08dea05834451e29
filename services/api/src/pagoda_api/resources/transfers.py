"""Exports and imports of entries, which are jobs: ``/api/v2/exports/`` and ``/api/v2/imports/``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any, cast

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response

from pagoda.transfer.formats import FORMATS
from pagoda.transfer.importing import ImportOptions
from pagoda.transfer.tasks import submit_export, submit_import
from pagoda_api.resources.job_representation import JobDetailSerializer, job_user, show_job_in_detail
from pagoda_api.strict import StrictSerializer, StrictView, checked

MOST_ENTITIES = 1_000


class ExportSerializer(StrictSerializer):
    """What to export."""

    file_format = serializers.ChoiceField(sorted(FORMATS))
    entities = serializers.ListField(
        child=serializers.CharField(),
        default=list,
        max_length=MOST_ENTITIES,
        help_text="Names; all that the user sees unless some are given.",
    )


class ImportSerializer(StrictSerializer):
    """How to read the file in the body."""

    is_json = False  # parameters

    file_format = serializers.ChoiceField(sorted(FORMATS))
    entity = serializers.CharField(default="", help_text="Of rows that name none.")
    key = serializers.CharField(default="name", help_text="What finds an entry: `name`, or an attribute.")
    skip = serializers.BooleanField(default=False, help_text="Leave out what is refused, write the rest.")
    preview = serializers.BooleanField(default=False, help_text="Write nothing; tell what would be.")


class FileParser(BaseParser):
    """Takes the body as it is, whatever it says it is."""

    media_type = "*/*"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:  # bytes; the stubs name the usual types
        """Return the bytes."""
        return stream.read()


class ExportView(StrictView):
    """Exports."""

    @extend_schema(request=ExportSerializer, responses={202: JobDetailSerializer}, operation_id="export")
    def post(self, request: Request) -> Response:
        """Have a job write entries with their schema to a file, as the user sees them; the job carries it."""
        data = checked(ExportSerializer(data=request.data))
        user = job_user(request)
        job = submit_export(user, file_format=data["file_format"], entities=data["entities"])
        return Response(show_job_in_detail(job, user), status=202)


class ImportView(StrictView):
    """Imports."""

    parser_classes = [FileParser]
    parameters = {"post": tuple(ImportSerializer().fields)}

    @extend_schema(
        parameters=[ImportSerializer],
        request={"application/octet-stream": OpenApiTypes.BINARY},
        responses={202: JobDetailSerializer},
        operation_id="import",
    )
    def post(self, request: Request) -> Response:
        """Have a job make entries of the file in the body, with the user's rights: all rows, or none."""
        data = checked(ImportSerializer(data=request.query_params.dict()))
        options = ImportOptions(
            file_format=data["file_format"],
            entity=data["entity"],
            key=data["key"],
            is_skipping=data["skip"],
            is_preview=data["preview"],
        )
        user, content = job_user(request), cast("bytes", request.data)  # an empty body is no bytes
        job = submit_import(user, content or b"", options)
        return Response(show_job_in_detail(job, user), status=202)
