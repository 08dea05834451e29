"""API URLs of a plugin whose views go wrong in every way."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

from django.contrib.auth.models import Group
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path, register_converter
from django.urls.converters import StringConverter
from rest_framework.response import Response
from rest_framework.views import APIView

from pagoda_api.worker import ServerStops

COUNT_FOR_EVER = """
    WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers) SELECT count(*) FROM numbers
"""


def fine(_request: HttpRequest) -> HttpResponse:
    return JsonResponse({"ok": True})


def named(_request: HttpRequest, **given: str) -> HttpResponse:
    """Return what its URL names, by names that the fence has, too."""
    return JsonResponse(given)


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


def raising(error: type[BaseException]) -> Any:
    """Return a view that raises `error`."""

    def view(_request: HttpRequest) -> HttpResponse:
        raise error("of the plugin")

    return view


class Odd(BaseException):
    """No exception that anybody expects."""


class Silent(Exception):
    """Says nothing, and ends who asks it to."""

    def __str__(self) -> str:
        raise KeyboardInterrupt

    __repr__ = __str__


class Cancels:
    """Stands for each class that a plugin's DRF view may bring along; all of them are cancelled."""

    media_type, format, charset = "application/json", "json", "utf-8"

    def cancel(self, *_args: Any, **_kwargs: Any) -> Any:
        raise asyncio.CancelledError("of the plugin")

    authenticate = has_permission = allow_request = render = cancel

    def authenticate_header(self, _request: Any) -> str:
        return "Token"


class View(APIView):
    authentication_classes: Any = ()
    permission_classes: Any = ()
    schema = None

    def get(self, _request: Any) -> Response:
        return Response({})


class Unprintable(HttpResponse):
    @property
    def status_code(self) -> int:
        raise Odd("of the plugin")

    @status_code.setter
    def status_code(self, value: int) -> None:
        pass


class ClosesBadly(HttpResponse):
    def close(self) -> None:
        raise asyncio.CancelledError("of the plugin")


def closes_badly(_request: HttpRequest) -> HttpResponse:
    return ClosesBadly(b"fine")


def has_odd_status(_request: HttpRequest) -> HttpResponse:
    response = HttpResponse()
    response.status_code = "200 OK"  # type: ignore[assignment]
    return response


def stream(*chunks: bytes | type[BaseException], closing: type[BaseException] | None = None) -> Any:
    """Return a view that streams `chunks`; a class among them is raised."""

    def made() -> Iterator[bytes]:
        try:
            for chunk in chunks:
                if isinstance(chunk, type):
                    raise chunk("of the plugin")
                yield chunk
        finally:
            if closing is not None:
                raise closing("of the plugin")

    return lambda _request: StreamingHttpResponse(made())


class Number(StringConverter):
    def to_python(self, value: str) -> str:
        raise asyncio.CancelledError("of the plugin")


register_converter(Number, "faulty_number")

VIEWS = [
    *(fine, spins, sleeps, queries, writes_and_hangs, leaves_a_transaction, none, coroutine, large),
    *(unavailable, streams, streams_too_much, streams_and_hangs, closes_badly, has_odd_status),
]
ERRORS = (
    *(asyncio.CancelledError, GeneratorExit, SystemExit, Odd, StopIteration, RuntimeError),
    *(KeyboardInterrupt, ServerStops, Silent),
)
urlpatterns = [
    *(path(f"{view.__name__}/", view) for view in VIEWS),
    path("named/<str:name>/<str:view>/<str:plugin_id>/<str:answers>/", named),
    *(path(f"raises/{error.__name__}/", raising(error)) for error in ERRORS),
    path("unprintable/", lambda _request: Unprintable()),
    path("streams/nothing-cancelled/", stream(asyncio.CancelledError)),
    path("streams/raised/", stream(ValueError)),
    path("streams/then-cancelled/", stream(b"first", asyncio.CancelledError)),
    path("streams/silent/", stream(Silent)),
    path("streams/closing-cancelled/", stream(b"first", b"second", closing=asyncio.CancelledError)),
    path("drf/authentication/", View.as_view(authentication_classes=[Cancels])),
    path("drf/permission/", View.as_view(permission_classes=[Cancels])),
    path("drf/throttle/", View.as_view(throttle_classes=[Cancels])),
    path("drf/renderer/", View.as_view(renderer_classes=[Cancels])),
    path("converter/<faulty_number:number>/", fine),
]
