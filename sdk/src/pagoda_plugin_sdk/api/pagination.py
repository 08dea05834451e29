"""Paging of plugin lists.

A page of a view that knows its plugin holds ``"plugin_meta": {"plugin_id", "pagination_info": {...}}`` too.
"""

from __future__ import annotations

import logging
from typing import Any

from rest_framework.exceptions import ValidationError
from rest_framework.pagination import BasePagination, LimitOffsetPagination, PageNumberPagination
from rest_framework.response import Response

from pagoda_plugin_sdk.rules.scalar_types import ValueFault, whole_number

log = logging.getLogger(__name__)

_MANY_ROWS = 1000
_HIGHEST = 2**31 - 1  # what every database takes


class _WithPluginMeta:
    """Put before a paginator: tells in each page whose it is. Any: REST framework's rows and schemas."""

    request: Any = None

    def pagination_info(self) -> dict[str, Any]:
        """Return where the page is among the others."""
        raise NotImplementedError

    def paginate_queryset(self, queryset: Any, request: Any, view: Any = None) -> Any:
        """Return the rows of the page that `request` asks for."""
        self.request = request
        return super().paginate_queryset(queryset, request, view)  # type: ignore[misc]  # the paginator follows

    def get_paginated_response(self, data: Any) -> Response:
        """Return the page with its links, and with `plugin_meta` where the plugin is known."""
        response: Response = super().get_paginated_response(data)  # type: ignore[misc]  # as above
        context = getattr(self.request, "plugin_context", None)
        if context:
            meta = {"plugin_id": context["plugin_id"], "pagination_info": self.pagination_info()}
            response.data["plugin_meta"] = meta
        return response

    def get_paginated_response_schema(self, schema: Any) -> Any:
        """Return the JSON schema of a page."""
        page = super().get_paginated_response_schema(schema)  # type: ignore[misc]  # as above
        page["properties"]["plugin_meta"] = {"type": "object", "additionalProperties": {}}
        return page


def _number(request: Any, name: str, default: int, lowest: int) -> int:
    """Return the whole number in a query parameter.

    Raises:
        ValidationError: it is none, or out of range.
    """
    given = request.query_params.getlist(name)
    try:
        return whole_number(given, lowest, _HIGHEST) if given else default
    except ValueFault as fault:
        raise ValidationError({name: [str(fault)]}) from fault


def _bounded(parameters: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return query parameters with the bounds of whole numbers: pages and sizes from 1, offsets from 0."""
    return [
        each | {"schema": {"type": "integer", "minimum": int(each["name"] != "offset"), "maximum": _HIGHEST}}
        for each in parameters
    ]


class PluginPagination(_WithPluginMeta, LimitOffsetPagination):
    """``?limit=&offset=``, 100 rows unless asked, 1,000 at most: ``{count, next, previous, results}``.

    What is no whole number is refused with 400.
    """

    default_limit = 100
    max_limit = 1000

    def get_limit(self, request: Any) -> int:
        """Return how many rows a page has."""
        return min(_number(request, "limit", self.default_limit, 1), self.max_limit)

    def get_offset(self, request: Any) -> int:
        """Return how many rows stand before the page."""
        return _number(request, "offset", 0, 0)

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """Return the parameters for the OpenAPI schema."""
        return _bounded(super().get_schema_operation_parameters(view))

    def pagination_info(self) -> dict[str, Any]:
        """Return ``{"limit", "offset", "total_pages", "current_page"}``; pages count from 1."""
        limit, offset = self.limit or 1, self.offset or 0
        pages = -(-(self.count or 0) // limit)
        return {
            "limit": self.limit,
            "offset": self.offset,
            "total_pages": pages,
            "current_page": offset // limit + 1,
        }


class PluginPageNumberPagination(_WithPluginMeta, PageNumberPagination):
    """``?page=&page_size=``, 50 rows unless asked, 500 at most: ``{count, next, previous, results}``.

    A size that is no whole number is refused with 400, a page that is not there with 404.
    """

    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 500

    def get_page_size(self, request: Any) -> int:
        """Return how many rows a page has."""
        return min(_number(request, "page_size", self.page_size, 1), self.max_page_size)

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """Return the parameters for the OpenAPI schema."""
        return _bounded(super().get_schema_operation_parameters(view))

    def pagination_info(self) -> dict[str, Any]:
        """Return ``{"page_size", "current_page", "total_pages", "has_next", "has_previous"}``."""
        page: Any = self.page  # set by `paginate_queryset`
        return {
            "page_size": page.paginator.per_page,
            "current_page": page.number,
            "total_pages": page.paginator.num_pages,
            "has_next": page.has_next(),
            "has_previous": page.has_previous(),
        }


class PluginNoPagination(BasePagination):
    """All rows, in a bare list; a warning in the log tells of more than 1,000."""

    def paginate_queryset(self, queryset: Any, request: Any, view: Any = None) -> None:
        """Return None, which REST framework takes for "no pages"."""
        rows = len(queryset) if isinstance(queryset, list | tuple) else queryset.count()
        if rows > _MANY_ROWS:
            plugin_id = (getattr(request, "plugin_context", None) or {}).get("plugin_id", "unknown")
            log.warning(f"Plugin {plugin_id} is returning {rows} items without pagination.")
