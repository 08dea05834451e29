"""Each status of an error that the OpenAPI schema tells comes, with the shape and the code that it tells."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import OperationalError

from pagoda.domain.entry import services
from pagoda_api.openapi import CODES

pytestmark = pytest.mark.django_db

ENTRIES = "/api/v2/entries/"
BODY = {"name": "new", "schema": "Host"}
type Failing = Callable[[BaseException], None]
PROVOKED: dict[int, Callable[..., Any]] = {
    400: lambda api, web, **_: api.post(ENTRIES, {"name": "new"}),
    401: lambda anonymous, **_: anonymous.get(ENTRIES),
    403: lambda api, **_: api.get("/api/v2/processes/"),
    404: lambda api, **_: api.get(f"{ENTRIES}999/"),
    406: lambda api, web, **_: api.get(ENTRIES, HTTP_ACCEPT="image/png"),
    409: lambda api, web, **_: api.post(ENTRIES, {"name": "web", "schema": "Host"}),
    412: lambda api, web, **_: api.patch(f"{ENTRIES}{web.pk}/", {"note": "n"}, headers={"If-Match": '"x"'}),
    413: lambda api, settings, **_: api.post(ENTRIES, {"note": "n" * settings.DATA_UPLOAD_MAX_MEMORY_SIZE}),
    415: lambda api, **_: api.post(ENTRIES, "a", content_type="text/plain"),
    422: lambda api, web, **_: [
        api.post(ENTRIES, {**BODY, "note": note}, headers={"Idempotency-Key": "k"}) for note in "ab"
    ][1],
    429: lambda api, rate, **_: (rate(), api.get(ENTRIES), api.get(ENTRIES))[2],
    500: lambda api, web, fail, **_: (fail(RuntimeError("a fault")), api.post(ENTRIES, BODY))[1],
    503: lambda api, web, fail, **_: (fail(OperationalError("server closed")), api.post(ENTRIES, BODY))[1],
}
OF_THE_SERVER = {414: "which test_sockets.py sends to a server"}


@pytest.fixture
def fail(monkeypatch: pytest.MonkeyPatch) -> Failing:
    def have(error: BaseException) -> None:
        def create(*_args: Any, **_given: Any) -> None:
            raise error

        monkeypatch.setattr(services, "create_entry", create)

    return have


@pytest.fixture
def rate(settings: Any) -> Callable[[], None]:
    def bound() -> None:
        settings.PAGODA = settings.PAGODA.model_copy(update={"rate_limit_user": "1/h"})

    return bound


def test_the_table_has_what_the_schema_tells(anonymous: Any) -> None:
    paths = anonymous.get("/api/v2/schema/?format=json").json()["paths"]
    told = {
        int(status)
        for methods in paths.values()
        for each in methods.values()
        for status in each["responses"]
        if status >= "400"
    }
    assert told == CODES.keys() == PROVOKED.keys() | OF_THE_SERVER.keys()


@pytest.mark.parametrize("status", PROVOKED)
def test_each_status_comes_as_it_is_told(
    status: int, api: Any, anonymous: Any, web: Any, settings: Any, fail: Failing, rate: Callable[[], None]
) -> None:
    answer = PROVOKED[status](api=api, anonymous=anonymous, web=web, settings=settings, fail=fail, rate=rate)

    assert answer.status_code == status
    assert answer["Content-Type"] == "application/json"
    code, _ = CODES[status]
    assert answer.json()["code"] == code
    assert isinstance(answer.json()["detail"], str)
    assert ("Retry-After" in answer) == (status in (429, 503))
