"""What happens around every request: its id, its log record, and failures of the host itself."""

from __future__ import annotations

from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

pytestmark = pytest.mark.django_db


def finished(records: list[Any]) -> dict[str, Any]:
    [record] = [record for record in records if record["event"] == "request_finished"]
    return dict(record)


@pytest.mark.parametrize(
    "given",
    [
        "r-1",
        "0af7651916cd43dd8448eb211c80319c",
        "a/b:c=d.e_f+g@h",
        "x" * 100,
        "...",
        "a/.b/c..",
        "a..b",
        "..a",
    ],
)
def test_request_id_of_the_caller_is_kept(anonymous: Any, given: str) -> None:
    assert anonymous.get("/healthz", headers={"X-Request-ID": given}).headers["X-Request-ID"] == given


@pytest.mark.parametrize(
    "given", [None, "", "a b", "x" * 101, "a\tb", "<script>", "é", ".", "..", "../../admin", "a/..", "a/./b"]
)
def test_request_without_a_usable_id_gets_one(anonymous: Any, given: str | None) -> None:
    headers = {} if given is None else {"X-Request-ID": given}

    first = anonymous.get("/healthz", headers=headers).headers["X-Request-ID"]
    second = anonymous.get("/healthz", headers=headers).headers["X-Request-ID"]

    assert len(first) == len(second) == 32
    assert first != second


def test_every_answer_carries_the_id(anonymous: Any) -> None:
    for path in ("/api/v2/entries/", "/api/v2/nothing/", "/nothing/", "/admin/"):
        assert anonymous.get(path, headers={"X-Request-ID": "r-1"}).headers["X-Request-ID"] == "r-1"


def test_log_has_one_record_per_request(api: Any, ann: Any) -> None:
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as records:
        api.get("/api/v2/entries/?limit=0", headers={"X-Request-ID": "r-1"})

    record = finished(records)
    assert record["request_id"] == "r-1"
    assert (record["method"], record["path"], record["status"]) == ("GET", "/api/v2/entries/", 400)
    assert (record["user_id"], record["plugin"], record["log_level"]) == (ann.pk, None, "info")
    assert record["duration_ms"] >= 0


def test_probes_are_logged_for_debugging_alone(anonymous: Any) -> None:
    with capture_logs() as records:
        anonymous.get("/healthz")

    assert finished(records)["log_level"] == "debug"


def test_context_ends_with_the_request(anonymous: Any) -> None:
    anonymous.get("/healthz")

    assert structlog.contextvars.get_contextvars() == {}


def test_failure_of_the_host_is_500_with_the_request_id(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from pagoda_api.resources.entries import EntryViewSet

    def fail(*_: object) -> None:
        raise RuntimeError("secret inside")

    monkeypatch.setattr(EntryViewSet, "get_queryset", fail)
    with capture_logs() as records:
        response = api.get("/api/v2/entries/", headers={"X-Request-ID": "r-1"})

    assert response.status_code == 500
    assert response.json() == {
        "detail": "The server failed. The cause is in the server's log under request id 'r-1'.",
        "code": "internal_error",
        "request_id": "r-1",
    }
    [failed] = [record for record in records if record["event"] == "endpoint_failed"]
    assert failed["exc_info"].args == ("secret inside",)


def test_failure_is_not_logged_twice(
    api: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from pagoda_api.resources.entries import EntryViewSet

    monkeypatch.setattr(EntryViewSet, "get_queryset", None)

    assert api.get("/api/v2/entries/").status_code == 500
    assert [record for record in caplog.records if record.name.startswith("django")] == []


def test_pages_outside_of_the_api_are_not_json(anonymous: Any) -> None:
    response = anonymous.get("/nothing/")

    assert response.status_code == 404
    assert response.headers["Content-Type"].startswith("text/html")
