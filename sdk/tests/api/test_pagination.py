from __future__ import annotations

from typing import Any

import pytest
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from pagoda_plugin_sdk import PluginPagination


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
        ({"limit": "many"}, 0, 100),
        ({"offset": 1995}, 1995, 5),
    ],
    ids=str,
)
def test_page_is_as_long_as_asked_within_the_limit(query: dict[str, Any], first: int, length: int) -> None:
    _, rows = page(query, 2000)

    assert rows == list(range(first, first + length))


def test_answer_has_count_and_links() -> None:
    paginator, rows = page({"limit": 2, "offset": 2}, 5)

    assert dict(paginator.get_paginated_response(rows).data) == {
        "count": 5,
        "next": "http://testserver/items/?limit=2&offset=4",
        "previous": "http://testserver/items/?limit=2",
        "results": [2, 3],
    }
