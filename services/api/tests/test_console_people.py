"""What belongs to oneself in the console: tokens and the password."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from pagoda.domain.user.models import ApiToken
from pagoda_api.testing.host import browser_of

pytestmark = pytest.mark.django_db

EVIL = "<script>alert(1)</script>"
PAGE, NEW, PASSWORD = "console-me", "console-token-new", "console-password"


def statuses(token: str) -> tuple[int, int]:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Token {token}")
    return client.get("/api/v2/me/").status_code, client.post("/api/v2/entities/", {}).status_code


def test_a_token_is_made_shown_once_and_revoked(ann: Any) -> None:
    browser = browser_of(ann)
    form = {"name": EVIL, "scope": "read-only", "days": "3", "networks": "127.0.0.0/8 10.0.0.0/8"}
    answer = browser.post(reverse(NEW), form)
    text, token = answer.content.decode(), answer.context["made"]["token"]
    assert token in text
    assert EVIL not in text
    assert "no-store" in answer["Cache-Control"]
    assert statuses(token) == (200, 403)
    stored = ApiToken.objects.get(user=ann)
    assert stored.expires_time is not None
    assert (stored.expires_time - stored.created_time).days in (2, 3)
    assert stored.networks == ["127.0.0.0/8", "10.0.0.0/8"]

    again = browser.get(reverse(PAGE)).content.decode()
    assert token not in again
    assert "&lt;script&gt;" in again
    assert browser.post(reverse("console-token-revoke", args=[stored.pk])).status_code == 302
    assert statuses(token) == (401, 401)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"days": "soon"}, "lifetime: "),
        ({"networks": "everywhere"}, "everywhere"),
        ({"scope": "all"}, "scope: "),
        ({"name": ""}, "name: "),
    ],
)
def test_what_a_token_can_t_be_is_told_and_nothing_is_made(ann: Any, given: Any, told: str) -> None:
    answer = browser_of(ann).post(reverse(NEW), {"name": "ci", "scope": "read-write", **given})
    assert answer.status_code == 400
    assert told in answer.content.decode()
    assert not ApiToken.objects.exists()


def test_tokens_of_others_are_neither_shown_nor_revoked(ann: Any, make_user: Any) -> None:
    token, _ = ApiToken.issue(make_user("bob"), "of bob", None)
    browser = browser_of(ann)
    assert "of bob" not in browser.get(reverse(PAGE)).content.decode()
    answer = browser.post(reverse("console-token-revoke", args=[token.pk]), follow=True)
    assert "There is no token" in answer.content.decode()
    assert ApiToken.objects.filter(pk=token.pk).exists()


def test_the_password_is_changed_and_ends_tokens_and_other_sessions(ann: Any) -> None:
    ann.set_password("correct horse")
    ann.save()
    _, token = ApiToken.issue(ann, "ci", None)
    browser, other = browser_of(ann), browser_of(ann)
    form = {"old_password": "correct horse", "new_password": "battery staple 7", "again": "battery staple 7"}

    for wrong, told in (
        ({"old_password": "wrong"}, "It is not your password."),
        ({"new_password": "12345", "again": "12345"}, "This password is too common."),
        ({"again": "something else"}, "The two are not the same."),
    ):
        answer = browser.post(reverse(PASSWORD), {**form, **wrong})
        assert answer.status_code == 400, told
        assert told in answer.content.decode()
        assert "battery" not in answer.content.decode()
    assert statuses(token)[0] == 200

    answer = browser.post(reverse(PASSWORD), form, follow=True)
    assert "Your password is changed" in answer.content.decode()
    assert statuses(token)[0] == 401
    assert other.get("/console/").status_code == 302
    assert Client().login(username="ann", password="battery staple 7")


def test_the_page_asks_a_bounded_number_of_queries(ann: Any, django_assert_max_num_queries: Any) -> None:
    browser = browser_of(ann)
    counts = []
    for number in range(2):
        for each in range(5 * number):
            ApiToken.issue(ann, f"token {each}", None)
        with django_assert_max_num_queries(20) as asked:
            browser.get(reverse(PAGE))
        counts.append(len(asked))
    assert counts[0] == counts[1]
