"""API URLs of a plugin whose views go wrong in every way."""

import time
from collections.abc import Iterator
from typing import Any

from django.contrib.auth.models import Group
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path

COUNT_FOR_EVER = """
    WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers) SELECT count(*) FROM numbers
"""


def fine(_request: HttpRequest) -> HttpResponse:
    return JsonResponse({"ok": True})


def spins(_request: HttpRequest) -> HttpResponse:
    while True:
        pass


def sleeps(_request: HttpRequest) -> HttpResponse:
    time.sleep(60)
    return HttpResponse()


def queries(_request: HttpRequest) -> HttpResponse:
    with connection.cursor() as cursor:
        cursor.execute(COUNT_FOR_EVER)
    return HttpResponse()


def writes_and_hangs(_request: HttpRequest) -> HttpResponse:
    with transaction.atomic():
        Group.objects.create(name="half done")
        time.sleep(60)
    return HttpResponse()


def leaves_a_transaction(_request: HttpRequest) -> HttpResponse:
    transaction.atomic().__enter__()
    Group.objects.create(name="left over")
    return HttpResponse()


def none(_request: HttpRequest) -> Any:
    return None


async def coroutine(_request: HttpRequest) -> HttpResponse:
    return HttpResponse()


def large(_request: HttpRequest) -> HttpResponse:
    return HttpResponse(b"x" * 3000)


def unavailable(_request: HttpRequest) -> HttpResponse:
    return HttpResponse(status=503)


def streams(_request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(b"x" * 500 for _ in range(3))


def streams_too_much(_request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(b"x" * 500 for _ in range(10))


def streams_and_hangs(_request: HttpRequest) -> StreamingHttpResponse:
    def chunks() -> Iterator[bytes]:
        yield b"first"
        time.sleep(60)

    return StreamingHttpResponse(chunks())


VIEWS = [
    *(fine, spins, sleeps, queries, writes_and_hangs, leaves_a_transaction, none, coroutine, large),
    *(unavailable, streams, streams_too_much, streams_and_hangs),
]
urlpatterns = [path(f"{view.__name__}/", view) for view in VIEWS]
