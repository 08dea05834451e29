from __future__ import annotations

from typing import Any

import pytest
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from pagoda_plugin_sdk import PluginPagination
from pagoda_plugin_sdk.api import PluginNoPagination, PluginPageNumberPagination


def page(query: dict[str, Any], rows: int) -> tuple[PluginPagination, list[int]]:
    paginator = PluginPagination()
    request = Request(APIRequestFactory().get("/items/", query))
    return paginator, paginator.paginate_queryset(list(range(rows)), request) or []


@pytest.mark.parametrize(
    ("query", "first", "length"),
    [
        ({}, 0, 100),
        ({"limit": 5}, 0, 5),
        ({"limit": 5, "offset": 10}, 10, 5),
        ({"limit": 5000}, 0, 1000),
        ({"offset": 1995}, 1995, 5),
    ],
    ids=str,
)
def test_page_is_as_long_as_asked_within_the_limit(query: dict[str, Any], first: int, length: int) -> None:
    _, rows = page(query, 2000)

    assert rows == list(range(first, first + length))


@pytest.mark.parametrize(
    "query", [{"limit": "many"}, {"limit": 0}, {"offset": -1}, {"offset": 2**31}], ids=str
)
def test_what_is_no_number_of_rows_is_refused(query: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="is not a whole number from"):
        page(query, 5)


def test_answer_has_count_and_links() -> None:
    paginator, rows = page({"limit": 2, "offset": 2}, 5)

    assert dict(paginator.get_paginated_response(rows).data) == {
        "count": 5,
        "next": "http://testserver/items/?limit=2&offset=4",
        "previous": "http://testserver/items/?limit=2",
        "results": [2, 3],
    }


def of_plugin(query: dict[str, Any]) -> Any:
    request: Any = Request(APIRequestFactory().get("/items/", query))
    request.plugin_context = {"plugin_id": "racks"}
    return request


@pytest.mark.parametrize(
    ("paginator", "query", "rows", "info"),
    [
        (
            PluginPagination(),
            {"limit": 2, "offset": 2},
            [2, 3],
            {"limit": 2, "offset": 2, "total_pages": 3, "current_page": 2},
        ),
        (
            PluginPageNumberPagination(),
            {"page": 3, "page_size": 2},
            [4],
            {"page_size": 2, "current_page": 3, "total_pages": 3, "has_next": False, "has_previous": True},
        ),
    ],
    ids=["limit", "page number"],
)
def test_page_of_a_plugin_tells_whose_and_where_it_is(
    paginator: Any, query: dict[str, Any], rows: list[int], info: dict[str, Any]
) -> None:
    found = paginator.paginate_queryset(list(range(5)), of_plugin(query))
    answer = paginator.get_paginated_response(found).data

    assert (answer["count"], answer["results"]) == (5, rows)
    assert answer["plugin_meta"] == {"plugin_id": "racks", "pagination_info": info}
    assert "plugin_meta" in paginator.get_paginated_response_schema({})["properties"]


@pytest.mark.parametrize(("query", "length"), [({}, 50), ({"page_size": 5000}, 500), ({"page": 2}, 50)])
def test_numbered_page_is_as_long_as_asked_within_the_limit(query: dict[str, Any], length: int) -> None:
    rows = PluginPageNumberPagination().paginate_queryset(list(range(2000)), of_plugin(query))

    assert len(rows) == length


@pytest.mark.parametrize(("rows", "warned"), [(1000, 0), (1001, 1)])
def test_without_pages_many_rows_are_told(rows: int, warned: int, caplog: pytest.LogCaptureFixture) -> None:
    paginator: Any = PluginNoPagination()

    assert paginator.paginate_queryset(list(range(rows)), of_plugin({})) is None
    assert [f"racks is returning {rows} items" in message for message in caplog.messages] == [True] * warned
