"""Who sends a form after the session has ended logs in, and sends it then."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from pagoda.domain.entry.models import Entry
from pagoda.domain.user.models import ApiToken
from pagoda_api.console import resending
from pagoda_api.testing.host import browser_of

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse"
EVIL = "<script>alert(1)</script>\r\n\"'&amp;"
LOGIN = "/console/login/"


@pytest.fixture
def person(ann: Any) -> Any:
    ann.set_password(PASSWORD)
    ann.save()
    return ann


@pytest.fixture
def form(web: Any) -> dict[str, Any]:
    text, tags = (f"attr-{web.schema.attrs.get(name=name).pk}" for name in ("address", "count"))
    return {"name": "kept", "note": EVIL, text: "10.0.0.7", tags: "7"}


def hidden(text: str) -> list[tuple[str, str]]:
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', text)
    return [(unescape(name), unescape(value)) for name, value in found]


def log_in(browser: Client, text: str, **more: str) -> Any:
    return browser.post(LOGIN, {**dict(hidden(text)), "username": "ann", "password": PASSWORD, **more})


def test_what_is_sent_without_a_session_is_kept_and_sent(person: Any, web: Any, form: dict[str, Any]) -> None:
    browser, url = Client(), f"/console/entities/{web.schema_id}/new/"
    asked = browser.post(url, form, headers={"referer": f"http://testserver{url}"})
    assert asked.status_code == 401
    text = asked.content.decode()
    assert "Your session has ended. What you sent is kept" in text
    assert f'name="next" value="{url}"' in text
    assert EVIL not in text
    assert not Entry.objects.filter(name="kept").exists()

    wrong = log_in(browser, text, password="wrong")
    assert wrong.status_code == 200
    ready = log_in(browser, wrong.content.decode())
    text = ready.content.decode()
    assert ready.status_code == 200
    assert f'<form action="{url}" method="post">' in text
    assert EVIL not in text
    assert not Entry.objects.filter(name="kept").exists()
    sent = [pair for pair in hidden(text) if pair[0] in form]
    assert dict(sent) == form

    stored = browser.post(url, dict(sent))
    assert stored.status_code == 302
    entry = Entry.objects.get(name="kept")
    assert entry.note == EVIL.replace("\r\n", "\n")
    assert entry.get_attrs()["count"] == 7


def test_passwords_and_files_are_not_kept(person: Any, web: Any) -> None:
    passwords = {"old_password": "s3cret", "new_password": "n3w", "again": "n3w"}
    for path, sent in (("me/password/", passwords), ("accounts/user/new/", {"attr-password": "s3cret"})):
        text = Client().post(f"/console/{path}", sent).content.decode()
        assert "What you sent is not kept" in text
        assert 'name="kept"' not in text
        assert "s3cret" not in text
    url = f"/console/entities/{web.schema_id}/import/"
    file = SimpleUploadedFile("a.csv", b"name\nx\n")
    text = Client().post(url, {"do": "preview", "file": file}).content.decode()
    assert "What you sent is not kept" in text
    assert 'name="kept"' not in text
    long = {"note": "x" * (resending.MAX_CHARACTERS + 1)}
    assert "What you sent is not kept" in Client().post(url, long).content.decode()


@pytest.mark.parametrize(
    "name", ["Password", "newPassword", "api_token", "secret", "passphrase", "attr-pass_word", "again_pwd"]
)
def test_what_is_called_as_secrets_are_is_not_kept(web: Any, name: str) -> None:
    url = f"/console/entities/{web.schema_id}/new/"
    text = Client().post(url, {"name": "kept", name: "s3cret"}).content.decode()
    assert "What you sent is not kept" in text
    assert 'name="kept"' not in text
    assert "s3cret" not in text


@pytest.mark.parametrize("kept", ["", "nonsense", "WyJodHRwczovL2V2aWwuZXhhbXBsZSIsW11d:1uABCD:xyz"])
def test_nobody_else_makes_what_is_kept(person: Any, kept: str) -> None:
    answer = Client().post(LOGIN, {"username": "ann", "password": PASSWORD, "kept": kept})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/console/")


def test_a_page_of_elsewhere_is_not_gone_back_to(person: Any, web: Any) -> None:
    headers = {"referer": "https://evil.example/console/"}
    text = Client().post(f"/console/entries/{web.pk}/restore/", headers=headers).content.decode()
    assert "evil.example" not in text


@pytest.mark.parametrize("path", ["me/tokens/", "me/password/", "entries/1/restore/", "jobs/1/cancel/"])
def test_what_takes_a_form_alone_says_so(person: Any, path: str) -> None:
    answer = browser_of(person).get(f"/console/{path}")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
    text = answer.content.decode()
    assert "This address takes a form, which another page has." in text
    assert 'href="/console/"' in text
    assert not ApiToken.objects.exists()


@pytest.mark.parametrize("path", ["audit/", "entities/", "jobs/", "suggestions/"])
def test_what_takes_no_form_does_not_say_that_it_takes_one(person: Any, path: str) -> None:
    answer = browser_of(person).post(f"/console/{path}")
    assert answer.status_code == 405
    assert "GET" in answer.headers["Allow"]
    text = answer.content.decode()
    assert f"This address takes {answer.headers['Allow']} alone." in text
    assert "takes a form" not in text
