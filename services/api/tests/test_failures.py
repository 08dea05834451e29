"""What the host itself lets escape: the form of the answer, and the record that it points to."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from django.db import InterfaceError, InternalError, OperationalError, connection
from structlog.testing import capture_logs

from pagoda.health.storage import storage_fault

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(make_user: Callable[..., Any], client: Any) -> Any:
    client.raise_request_exception = False
    client.force_login(make_user("root", is_superuser=True))
    return client


def records(logs: list[Any]) -> list[tuple[str, str]]:
    """Return request id and error of the records that have a traceback."""
    return [(log["request_id"], type(log["exc_info"]).__name__) for log in logs if log.get("exc_info")]


class TestPages:
    @pytest.mark.parametrize("error", [RuntimeError, KeyError, MemoryError])
    def test_an_error_in_the_admin_is_a_page_and_a_record(
        self, admin: Any, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
    ) -> None:
        def fail(*_args: object, **_kwargs: object) -> None:
            raise error("<secret> inside")

        monkeypatch.setattr("pagoda_api.urls.admin.site.get_app_list", fail)
        with capture_logs() as logs:
            response = admin.get("/admin/", headers={"X-Request-ID": "r-1"})

        assert response.status_code == 500
        assert response["Content-Type"].startswith("text/html")
        text = response.content.decode()
        assert "Internal Server Error" in text
        assert "log under request id &#x27;r-1&#x27;" in text
        assert "secret" not in text
        assert records(logs) == [("r-1", error.__name__)]

    def test_an_unknown_page_is_a_page(self, client: Any) -> None:
        response = client.get("/nothing/<b>/")
        assert response.status_code == 404
        assert response["Content-Type"].startswith("text/html")
        assert b"<b>" not in response.content


class TestOutsideOfViews:
    @pytest.mark.parametrize("path", ["/api/v2/entries/", "/admin/", "/nothing/"])
    @pytest.mark.parametrize("error", [RuntimeError, GeneratorExit])
    def test_an_error_of_a_middleware_is_recorded(
        self, anonymous: Any, monkeypatch: pytest.MonkeyPatch, path: str, error: type[BaseException]
    ) -> None:
        def fail(_header: str) -> None:
            raise error("inside")

        monkeypatch.setattr("pagoda_api.middleware.take_token", fail)
        with capture_logs() as logs:
            response = anonymous.get(path, headers={"X-Request-ID": "r-1"})

        assert response.status_code == 500
        assert response["Content-Type"].startswith("application/json") == path.startswith("/api/")
        assert "r-1" in response.content.decode()
        assert records(logs) == [("r-1", error.__name__)]


class TestHost:
    @pytest.mark.parametrize("path", ["/api/v2/entries/", "/healthz", "/admin/"])
    def test_a_wrong_one_names_the_setting_in_the_answer_and_the_log(self, anonymous: Any, path: str) -> None:
        with capture_logs() as logs:
            response = anonymous.get(path, headers={"Host": "wrong.example"})

        assert response.status_code == 400
        assert "wrong.example" in response.content.decode()
        assert "PAGODA_ALLOWED_HOSTS" in response.content.decode()
        [record] = [log for log in logs if log["event"] == "host_not_allowed"]
        assert (record["host"], record["setting"]) == ("'wrong.example'", "PAGODA_ALLOWED_HOSTS")


class TestDatabase:
    def test_one_that_can_only_be_read_is_503(self, api: Any, web: Any, grant: Any, ann: Any) -> None:
        grant(ann, 8, entity=web.schema)
        api.get("/api/v2/")  # notes the use of its token, for a minute
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA query_only = ON")
            try:
                with capture_logs() as logs:
                    response = api.patch(f"/api/v2/entries/{web.pk}/", {"name": "new"})
                shown = api.get(f"/api/v2/entries/{web.pk}/")
            finally:
                cursor.execute("PRAGMA query_only = OFF")

        assert (response.status_code, response.json()["code"]) == (503, "database_read_only")
        assert response.headers["Retry-After"] == "5"
        assert [kind for _, kind in records(logs)] == ["OperationalError"]
        assert shown.status_code == 200

    def test_a_full_disk_is_503(self, api: Any, make_entity: Any, grant: Any, ann: Any) -> None:
        host = make_entity("Host", text="text")
        grant(ann, 8, entity=host)
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA page_count")
            [pages] = cursor.fetchone()
            cursor.execute(f"PRAGMA max_page_count = {pages}")
            try:
                body = {"schema": "Host", "name": "a", "attrs": {"text": "x" * 500_000}}
                response = api.post("/api/v2/entries/", body)
            finally:
                cursor.execute("PRAGMA max_page_count = 1073741823")

        assert (response.status_code, response.json()["code"]) == (503, "database_full")

    @pytest.mark.parametrize(
        ("error", "cause", "code"),
        [
            (InternalError, psycopg.errors.ReadOnlySqlTransaction("x"), "database_read_only"),
            (OperationalError, psycopg.errors.DiskFull("x"), "database_full"),
            (OperationalError, psycopg.errors.AdminShutdown("x"), "database_unavailable"),
            (OperationalError, psycopg.errors.CannotConnectNow("x"), "database_unavailable"),
            (OperationalError, psycopg.errors.TooManyConnections("x"), "database_busy"),
            (OperationalError, psycopg.OperationalError("the connection is lost"), "database_unavailable"),
            (InterfaceError, psycopg.InterfaceError("the connection is closed"), "database_unavailable"),
            (OperationalError, psycopg.errors.QueryCanceled("x"), None),
            (InternalError, psycopg.errors.InFailedSqlTransaction("x"), None),
        ],
    )
    def test_postgresql_tells_by_its_code(
        self, error: type[Exception], cause: Exception, code: str | None
    ) -> None:
        raised = error("x")
        raised.__cause__ = cause
        wrapped = RuntimeError("around it")
        wrapped.__cause__ = raised
        fault = storage_fault(wrapped)
        assert (fault and fault.code) == code

    def test_a_statement_that_is_wrong_is_no_fault_of_the_database(self) -> None:
        with pytest.raises(OperationalError) as raised, connection.cursor() as cursor:
            cursor.execute("SELECT * FROM no_such_table")
        assert storage_fault(raised.value) is None


class TestReadiness:
    @pytest.mark.parametrize(
        ("message", "text"),
        [
            ("attempt to write a readonly database", "The database can only be read now"),
            ("database or disk is full", "The database has no space left on its disk"),
        ],
    )
    def test_a_database_that_takes_no_writes_is_not_ready(
        self, anonymous: Any, monkeypatch: pytest.MonkeyPatch, message: str, text: str
    ) -> None:
        def fail(*_args: object) -> None:
            raise OperationalError(message)

        monkeypatch.setattr("pagoda.health.checks.DatabaseCounter", lambda: SimpleNamespace(count=fail))
        response = anonymous.get("/readyz")
        assert response.status_code == 503
        assert response.json()["checks"]["database"]["text"] == f"{text}: a row could not be written."
