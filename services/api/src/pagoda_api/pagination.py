"""Pages of lists: by limit and offset, and by key for lists that grow while they are read."""

from __future__ import annotations

from typing import Any

from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import Cursor, CursorPagination, LimitOffsetPagination
from rest_framework.request import Request

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000
MAX_OFFSET = 2**31 - 1  # what every database takes


class PagePagination(LimitOffsetPagination):
    """Pages by ``?limit=`` and ``?offset=``; a limit that is out of range is refused, not silently cut."""

    query_parameters = ("limit", "offset")
    default_limit = DEFAULT_LIMIT
    max_limit = MAX_LIMIT

    def get_limit(self, request: Request) -> int:
        """Return the size of the page asked for."""
        return number_parameter(request, self.limit_query_param, DEFAULT_LIMIT, lowest=1, highest=MAX_LIMIT)

    def get_offset(self, request: Request) -> int:
        """Return how many rows the page leaves out."""
        return number_parameter(request, self.offset_query_param, 0, lowest=0, highest=MAX_OFFSET)


class NewestFirstPagination(CursorPagination):
    """Pages by key, newest first: a page costs the same however deep, and new rows shift nothing."""

    query_parameters = ("limit", "cursor")
    page_size = DEFAULT_LIMIT
    page_size_query_param = "limit"
    ordering = "-id"

    def get_page_size(self, request: Request) -> int:
        """Return the size of the page asked for."""
        return number_parameter(request, "limit", DEFAULT_LIMIT, lowest=1, highest=MAX_LIMIT)

    def decode_cursor(self, request: Request) -> Cursor | None:
        """Return where the page begins.

        Raises:
            ValidationError: the cursor is none that an earlier page gave.
        """
        given = request.query_params.get(self.cursor_query_param)
        try:
            cursor: Cursor | None = super().decode_cursor(request)
        except NotFound as error:
            raise _invalid_cursor(given) from error
        if cursor is not None and not str(cursor.position).isdecimal():
            raise _invalid_cursor(given)
        return cursor


def _invalid_cursor(given: str | None) -> ValidationError:
    return ValidationError({"cursor": [f"{given!r} is no cursor. Follow the links of the pages."]})


def number_parameter(request: Request, name: str, default: int, *, lowest: int, highest: int) -> int:
    """Return the whole number in a query parameter.

    Raises:
        ValidationError: it is none, or out of range.
    """
    given: Any = request.query_params.get(name)
    if given is None:
        return default
    try:
        number = int(given)
    except ValueError:
        number = None
    if number is None or not lowest <= number <= highest:
        raise ValidationError({name: [f"{given!r} is not a whole number from {lowest} to {highest}."]})
    return number
