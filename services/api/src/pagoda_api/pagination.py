"""Pages of lists: by limit and offset, and by key for lists that grow while they are read."""

from __future__ import annotations

from typing import Any

from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import Cursor, CursorPagination, LimitOffsetPagination
from rest_framework.request import Request
from rest_framework.response import Response

from pagoda.domain.search.finding import FoundEntries
from pagoda_plugin_sdk.rules.saying import say
from pagoda_plugin_sdk.rules.scalar_types import ValueFault, whole_number

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000
MAX_OFFSET = 2**31 - 1  # what every database takes


def whole_number_schema(lowest: int, highest: int) -> dict[str, Any]:
    """Return the OpenAPI schema of a whole number that is bounded."""
    return {"type": "integer", "minimum": lowest, "maximum": highest}


def _bounded(parameters: list[dict[str, Any]]) -> list[dict[str, Any]]:
    bounds = {"limit": whole_number_schema(1, MAX_LIMIT), "offset": whole_number_schema(0, MAX_OFFSET)}
    return [
        {**each, "schema": bounds[each["name"]]} if each["name"] in bounds else each for each in parameters
    ]


class PagePagination(LimitOffsetPagination):
    """Pages by ``?limit=`` and ``?offset=``; a limit that is out of range is refused, not silently cut."""

    query_parameters: tuple[str, ...] = ("limit", "offset")
    default_limit = DEFAULT_LIMIT
    max_limit = MAX_LIMIT

    def get_limit(self, request: Request) -> int:
        """Return the size of the page asked for."""
        return number_parameter(request, self.limit_query_param, DEFAULT_LIMIT, lowest=1, highest=MAX_LIMIT)

    def get_offset(self, request: Request) -> int:
        """Return how many rows the page leaves out."""
        return number_parameter(request, self.offset_query_param, 0, lowest=0, highest=MAX_OFFSET)

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """Return the parameters for the OpenAPI schema."""
        return _bounded(super().get_schema_operation_parameters(view))


class FoundPagination(PagePagination):
    """Pages of what is searched for: by ``?cursor=``, which writes don't shift, or by limit and offset."""

    query_parameters = ("limit", "offset", "cursor", "ordering", "fields")

    def answer(self, request: Request, found: FoundEntries, offset: int, results: list[Any]) -> Response:
        """Return a page with the links to those around."""
        links: dict[str, dict[str, str | int] | None] = {"next": None, "previous": None}
        if "cursor" in request.query_params:
            links = {
                "next": {"cursor": found.next} if found.next else None,
                "previous": {"cursor": found.previous} if found.previous else None,
            }
        else:
            limit = self.get_limit(request)
            links["next"] = {"offset": offset + limit} if found.has_next else None
            links["previous"] = {"offset": max(0, offset - limit)} if offset else None
        return Response(
            {
                "count": found.count.number,
                "count_is_exact": found.count.is_exact,
                **{name: _linked(request, parameters) for name, parameters in links.items()},
                "results": results,
            }
        )

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """Return the parameters for the OpenAPI schema."""
        texts = {
            "cursor": "Where the page begins: empty for the first, then as the links have it.",
            "ordering": "Such as `-attr.ram,name`; what is not set counts as highest. By id unless given.",
            "fields": "What is shown, such as `id,name,attr.ram`.",
        }
        named = [
            {"name": name, "in": "query", "description": text, "schema": {"type": "string"}}
            for name, text in texts.items()
        ]
        return [*super().get_schema_operation_parameters(view), *named]

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Return the page for the OpenAPI schema."""
        page: dict[str, Any] = super().get_paginated_response_schema(schema)
        exact = {
            "type": "boolean",
            "description": "False: it is the database's estimate.",
        }
        page["properties"]["count_is_exact"] = exact
        page["required"] = [*page.get("required", ()), "count_is_exact"]
        return page


def _linked(request: Request, parameters: dict[str, str | int] | None) -> str | None:
    if parameters is None:
        return None
    query = request.query_params.copy()
    for name, value in parameters.items():
        query[name] = str(value)
    return f"{request.build_absolute_uri(request.path)}?{query.urlencode()}"


class NewestFirstPagination(CursorPagination):
    """Pages by key, newest first: a page costs the same however deep, and new rows shift nothing."""

    query_parameters = ("limit", "cursor")
    page_size = DEFAULT_LIMIT
    page_size_query_param = "limit"
    ordering = "-id"

    def get_page_size(self, request: Request) -> int:
        """Return the size of the page asked for."""
        return number_parameter(request, "limit", DEFAULT_LIMIT, lowest=1, highest=MAX_LIMIT)

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """Return the parameters for the OpenAPI schema."""
        return _bounded(super().get_schema_operation_parameters(view))

    def decode_cursor(self, request: Request) -> Cursor | None:
        """Return where the page begins.

        Raises:
            ValidationError: the cursor is none that an earlier page gave.
        """
        given = request.query_params.get(self.cursor_query_param)
        if given == "":  # the first page, as in lists that are searched
            return None
        try:
            cursor: Cursor | None = super().decode_cursor(request)
        except NotFound as error:
            raise _invalid_cursor(given) from error
        if cursor is not None and not str(cursor.position).isdecimal():
            raise _invalid_cursor(given)
        return cursor


def _invalid_cursor(given: str | None) -> ValidationError:
    return ValidationError(
        {"cursor": [say("{given!r} is no cursor. Follow the links of the pages.", given=given)]}
    )


def number_parameter(request: Request, name: str, default: int, *, lowest: int, highest: int) -> int:
    """Return the whole number in a query parameter.

    Raises:
        ValidationError: it is none, or out of range.
    """
    given = request.query_params.getlist(name)
    try:
        return whole_number(given, lowest, highest) if given else default
    except ValueFault as fault:
        raise ValidationError({name: [str(fault)]}) from fault
