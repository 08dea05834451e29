"""Errors are pages in the console's frame for people and JSON for programs, and both name the request."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import psycopg
import pytest
from django.db import OperationalError
from django.test import Client
from django.utils.translation import override

from pagoda_api.templatetags.console import word

pytestmark = pytest.mark.django_db

STATUSES = (403, 404, 500, 503)
CODES = {403: "csrf", 404: "not_found", 500: "internal_error", 503: "database_unavailable"}


def fail(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    """Have each request fail as a status says, where it is none of the request's."""
    away = OperationalError("<secret>")
    away.__cause__ = psycopg.errors.AdminShutdown("x")
    errors: dict[int, Exception] = {500: RuntimeError("<secret>"), 503: away}

    def raising(_request: object) -> None:
        raise errors[status]

    if status in errors:
        monkeypatch.setattr("pagoda_api.middleware.take_token", raising)


def ask(status: int, path: str, language: str = "en") -> Any:
    browser = Client(enforce_csrf_checks=True, raise_request_exception=False)
    headers = {"X-Request-ID": "seen-by-me", "Accept-Language": language}
    if status == 403:
        return browser.post(f"{path}logout/", headers=headers)
    return browser.get(f"{path}nowhere/", headers=headers)


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("status", STATUSES)
def test_people_get_a_page_in_their_language(
    monkeypatch: pytest.MonkeyPatch, status: int, language: str
) -> None:
    fail(monkeypatch, status)

    answer = ask(status, "/console/", language)

    text = answer.content.decode()
    with override(language):
        title, way_out = word(HTTPStatus(status).phrase), word("Go to the first page")
    assert answer.status_code == status
    assert answer["Content-Type"].startswith("text/html")
    assert f'<html lang="{language}"' in text
    assert f"<h1>{title}</h1>" in text
    assert way_out in text
    assert "<code>seen-by-me</code>" in text
    assert f"{CODES[status]}," in text
    assert 'href="/static/console/console.css"' in text
    assert "secret" not in text
    assert language == "en" or title != HTTPStatus(status).phrase


@pytest.mark.parametrize("status", [404, 500, 503])
def test_programs_get_json_in_english(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    fail(monkeypatch, status)

    answer = ask(status, "/api/v2/", "ja")

    body = answer.json()
    assert (answer.status_code, body["code"], body["request_id"]) == (status, CODES[status], "seen-by-me")
    assert body["detail"].isascii()
    assert "secret" not in body["detail"]


def test_programs_that_may_not_get_json(make_user: Any, web: Any, client_of: Any) -> None:
    type(web.schema).objects.update(default_permission=2)
    body = client_of(make_user("bob")).patch(f"/api/v2/entries/{web.pk}/", {"name": "taken"}).json()
    assert body["code"] == "permission_denied"
    web.refresh_from_db()
    assert web.name == "web"


def test_a_refusal_says_nothing_twice(make_user: Any, web: Any) -> None:
    browser = Client()
    browser.force_login(make_user("bob"))
    text = browser.get(f"/console/entities/{web.schema_id}/?ordering=nothing").content.decode()
    assert text.count("There is no field") == 1
