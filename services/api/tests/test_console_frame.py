"""What all pages of the console share: who may see them, and what a browser may do with them."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from pagoda_api import settings as api_settings
from pagoda_api.console import home
from pagoda_api.testing.host import browser_of

pytestmark = pytest.mark.django_db

PAGES = (
    "console-home",
    "console-search",
    "console-entities",
    "console-jobs",
    "console-plugins",
    "console-me",
)


@pytest.fixture
def pages(web: Any) -> list[str]:
    of_entry = ("console-entry", "console-entry-history", "console-entry-edit", "console-entry-delete")
    of_entity = ("console-entity", "console-entry-new")
    return [
        *(reverse(name) for name in PAGES),
        *(reverse(name, args=[web.pk]) for name in of_entry),
        *(reverse(name, args=[web.schema_id]) for name in of_entity),
    ]


def test_the_root_leads_to_the_console(ann: Any) -> None:
    answer = browser_of(ann).get("/", follow=True)
    assert answer.redirect_chain == [("/console/", 302)]
    assert answer.status_code == 200


def test_strangers_are_sent_to_the_login_and_back(pages: list[str]) -> None:
    for url in pages:
        answer = Client().get(url)
        assert (answer.status_code, answer["Location"]) == (302, f"/console/login/?next={url}")


def test_no_script_or_style_stands_in_a_page(ann: Any, pages: list[str]) -> None:
    for url in [*pages, "/console/login/", "/console/nowhere/", "/console/entries/999/"]:
        answer = browser_of(None if "login" in url else ann).get(url)
        text = answer.content.decode()
        assert "style=" not in text, url
        assert "<style" not in text, url
        assert re.findall(r"<script(?! src=\"/static/)", text) == [], url
        assert re.findall(r"\son\w+=", text) == [], url
        assert re.findall(r"(?:src|href)=\"(?:https?:)?//", text) == [], url
        if answer.status_code == 200:
            assert "unsafe" not in answer["Content-Security-Policy"], url


def test_pages_load_files_that_the_process_serves(ann: Any) -> None:
    text = browser_of(ann).get("/console/").content.decode()
    files = re.findall(r"\"(/static/[^\"]+)\"", text)
    assert len(files) == 3
    for file in files:
        answer = Client().get(file)
        assert b"".join(answer), file
        answer.close()


def test_login_opens_a_session_and_logout_ends_it(ann: Any) -> None:
    ann.set_password("correct horse")
    ann.save()
    browser = Client(enforce_csrf_checks=True)
    token = browser.get("/console/login/?next=/console/jobs/").context["csrf_token"]
    form = {"username": "ann", "csrfmiddlewaretoken": str(token), "next": "/console/jobs/"}

    wrong = browser.post("/console/login/", {**form, "password": "wrong"})
    assert "correct username and password" in wrong.content.decode()
    assert (
        browser.post("/console/login/", {**form, "password": "correct horse"})["Location"] == "/console/jobs/"
    )

    page = browser.get("/console/")
    assert "ann" in page.content.decode()
    browser.post("/console/logout/", {"csrfmiddlewaretoken": str(page.context["csrf_token"])})
    assert browser.get("/console/").status_code == 302


def test_many_wrong_logins_have_to_wait_as_everywhere(ann: Any) -> None:
    browser = Client()
    told = [
        browser.post("/console/login/", {"username": "ann", "password": "wrong"}).content.decode()
        for _ in range(12)
    ]
    assert "Too many logins failed" in told[-1]


def test_a_form_without_its_token_is_refused(ann: Any, web: Any, nothing_is_written: Any) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(ann)
    answer = browser.post(reverse("console-entry-delete", args=[web.pk]))
    assert answer.status_code == 403
    assert "Load the page again" in answer.content.decode()


def test_refusals_are_pages_that_name_the_request(ann: Any) -> None:
    answer = browser_of(ann).get("/console/entries/999/", headers={"X-Request-ID": "seen-by-me"})
    text = answer.content.decode()
    assert answer.status_code == 404
    assert "There is no entry 999" in text
    assert "<code>seen-by-me</code>" in text


def test_theme_is_kept_and_leads_nowhere_else(ann: Any) -> None:
    browser = browser_of(ann)
    answer = browser.post("/console/theme/", {"theme": "dark", "next": "//evil.example/"})
    assert answer["Location"] == "/console/"
    assert 'data-theme="dark"' in browser.get("/console/").content.decode()
    browser.post("/console/theme/", {"theme": '"><script>', "next": "/console/"})
    assert 'data-theme="dark"' in browser.get("/console/").content.decode()


def test_requests_of_the_api_pass_nothing_for_the_console() -> None:
    """The pages do their own: a middleware would run for every request of the API."""
    assert [name for name in api_settings.MIDDLEWARE if "console" in name or "htmx" in name] == []
    assert len(api_settings.MIDDLEWARE) == 17


def test_home_takes_as_many_queries_with_many_entries(
    ann: Any, web: Any, make_entry: Any, django_assert_max_num_queries: Any
) -> None:
    for number in range(30):
        make_entry(web.schema, f"host {number}")
    browser = browser_of(ann)
    browser.get("/console/")
    with django_assert_max_num_queries(40):
        text = browser.get("/console/").content.decode()
    assert '<td class="number">31</td>' in text
    assert "entry.created" in text


def test_home_counts_no_further_than_it_shows(
    ann: Any, make_entity: Any, make_entry: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, number in (("Few", 3), ("Many", 5), ("None", 0)):
        entity = make_entity(name)
        for place in range(number):
            make_entry(entity, f"e{place}")
    monkeypatch.setattr(home, "COUNTED", 3)

    with CaptureQueriesContext(connection) as captured:
        text = browser_of(ann).get("/console/").content.decode()

    numbers = dict(re.findall(r'">(Few|Many|None)</a></td><td class="number">([0-9+]+)<', text))
    assert numbers == {"Few": "3", "Many": "3+", "None": "0"}
    assert len([each for each in captured if "COUNT(*)" in each["sql"] and "LIMIT 4" in each["sql"]]) == 1
