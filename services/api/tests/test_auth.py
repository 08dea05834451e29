from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone

from pagoda.domain.acting import acting_user
from pagoda.domain.entry.models import Entry
from pagoda.domain.user.models import ApiToken, User
from pagoda_api import authentication

pytestmark = pytest.mark.django_db

TOKEN = "/api/v2/auth/token/"
LOGIN = "/api/v2/auth/login/"
LOGOUT = "/api/v2/auth/logout/"
ENTRIES = "/api/v2/entries/"


@pytest.fixture
def ann(settings: Any, db: None) -> User:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    return User.objects.create_user("ann", password="correct horse")


CREDENTIALS = {"username": "ann", "password": "correct horse"}


@pytest.fixture
def browser() -> Any:
    from rest_framework.test import APIClient

    return APIClient(enforce_csrf_checks=True)


class TestToken:
    @pytest.mark.parametrize("scheme", ["Token", "Bearer"])
    def test_name_and_password_give_a_token_that_works(self, ann: User, anonymous: Any, scheme: str) -> None:
        body = anonymous.post(TOKEN, CREDENTIALS).json()

        assert set(body) == {"token", "expires_at"}
        left = datetime.fromisoformat(body["expires_at"]) - datetime.now(UTC)
        assert timedelta(days=29) < left < timedelta(days=31)
        assert anonymous.get(ENTRIES).status_code == 401
        answer = anonymous.get(ENTRIES, headers={"Authorization": f"{scheme} {body['token']}"})
        assert answer.status_code == 200

    def test_only_its_digest_is_stored(self, ann: User, anonymous: Any) -> None:
        plain = anonymous.post(TOKEN, {**CREDENTIALS, "name": "laptop"}).json()["token"]

        token = ApiToken.objects.get()
        assert (token.user, token.name) == (ann, "laptop")
        assert plain not in str(vars(token))

    @pytest.mark.parametrize("url", [TOKEN, LOGIN])
    @pytest.mark.parametrize(
        "wrong",
        [{"password": "x"}, {"username": "bob"}, {"username": "ANN"}],
        ids=["password", "user", "case"],
    )
    def test_wrong_credentials_are_refused_alike(
        self, ann: User, anonymous: Any, url: str, wrong: dict[str, str]
    ) -> None:
        response = anonymous.post(url, {**CREDENTIALS, **wrong})

        assert response.status_code == 401
        assert response.json() == {
            "detail": "There is no active user with this name and password.",
            "code": "invalid_credentials",
        }
        assert not ApiToken.objects.exists()

    @pytest.mark.parametrize("url", [TOKEN, LOGIN])
    def test_inactive_user_is_refused(self, ann: User, anonymous: Any, url: str) -> None:
        User.objects.update(is_active=False)

        assert anonymous.post(url, CREDENTIALS).status_code == 401

    @pytest.mark.parametrize("url", [TOKEN, LOGIN])
    @pytest.mark.parametrize(
        ("body", "key"),
        [
            ({"username": "ann"}, "password"),
            ({"password": "x"}, "username"),
            ({**CREDENTIALS, "username": "a\0"}, "username"),
            ({**CREDENTIALS, "username": "x" * 151}, "username"),
            ({**CREDENTIALS, "username": ["ann"]}, "username"),
            ({**CREDENTIALS, "pasword": "x"}, "pasword"),
        ],
    )
    def test_wrong_body_names_the_field(
        self, ann: User, anonymous: Any, url: str, body: dict[str, Any], key: str
    ) -> None:
        response = anonymous.post(url, body)

        assert response.status_code == 400
        assert set(response.json()["errors"]) == {key}

    @pytest.mark.parametrize("change", ["expired", "inactive", "unknown", "empty", "no text"])
    def test_token_that_is_not_valid_is_refused(
        self, ann: User, anonymous: Any, client_of: Callable[..., Any], change: str
    ) -> None:
        client = client_of(ann)
        match change:
            case "expired":
                ApiToken.objects.update(expires_time=timezone.now() - timedelta(seconds=1))
            case "inactive":
                User.objects.update(is_active=False)
            case "unknown":
                ApiToken.objects.all().delete()
            case "empty":
                client.credentials(HTTP_AUTHORIZATION="Token")
            case "no text":
                client.credentials(HTTP_AUTHORIZATION="Token pagoda_\udcff")

        response = client.get(ENTRIES)

        assert response.status_code == 401
        assert response.json()["code"] == "invalid_token"
        assert response.headers["WWW-Authenticate"] == "Token"

    def test_it_is_looked_up_once_in_five_seconds_and_its_use_noted_once_a_minute(
        self, ann: User, client_of: Callable[..., Any], django_assert_num_queries: Any
    ) -> None:
        client = client_of(ann)

        for queries in (2, 0, 0):
            with django_assert_num_queries(queries):
                assert client.get("/api/v2/plugins/").status_code == 200
        first = ApiToken.objects.get().last_used_time
        assert first is not None
        ApiToken.objects.update(last_used_time=first - timedelta(seconds=61))
        authentication._known.forget()
        with django_assert_num_queries(2):
            assert client.get("/api/v2/plugins/").status_code == 200
        assert ApiToken.objects.filter(last_used_time__gte=first).exists()

    def test_what_another_process_does_holds_after_five_seconds(
        self, ann: User, client_of: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        client = client_of(ann)
        assert client.get(ENTRIES).status_code == 200
        ApiToken.objects.all()._raw_delete("default")  # past the signals of this process
        assert client.get(ENTRIES).status_code == 200
        later = time.monotonic() + 5.001
        monkeypatch.setattr(time, "monotonic", lambda: later)
        assert client.get(ENTRIES).status_code == 401

    @pytest.mark.parametrize("end", ["password", "off", "at once", "expired", "superuser"])
    def test_what_this_process_does_holds_at_once(
        self, ann: User, client_of: Callable[..., Any], end: str
    ) -> None:
        ann.is_superuser = True
        ann.save()
        client = client_of(ann)
        assert client.get("/api/v2/audit/").status_code == 200
        match end:
            case "password":
                ann.set_password("another one of 24 letters")
                ann.save()
            case "off":
                ann.is_active = False
                ann.save()
            case "at once":
                User.objects.filter(pk=ann.pk).update(is_active=False)
            case "expired":
                (_, token), *_ = authentication._known._kept.values()
                token.expires_time = timezone.now()
                ApiToken.objects.update(expires_time=timezone.now())
            case "superuser":
                User.objects.filter(pk=ann.pk).update(is_superuser=False)
        assert client.get("/api/v2/audit/").status_code == (403 if end == "superuser" else 401)

    def test_what_a_request_keeps_on_its_user_ends_with_it(
        self, ann: User, client_of: Callable[..., Any]
    ) -> None:
        client = client_of(ann)
        for name in ("one", "two"):
            ann.user_permissions.add(Permission.objects.get(codename="view_user"))
            assert client.get("/api/v2/users/").json()["count"] == 1, name
            ann.user_permissions.clear()

    def test_it_can_be_given_back(self, ann: User, client_of: Callable[..., Any]) -> None:
        client, other = client_of(ann), client_of(ann)

        assert client.delete(TOKEN).status_code == 204
        assert client.get(ENTRIES).status_code == 401
        assert other.get(ENTRIES).status_code == 200

    def test_giving_one_back_takes_one(self, anonymous: Any) -> None:
        assert anonymous.delete(TOKEN).status_code == 401


class TestSession:
    def test_login_and_logout(self, ann: User, browser: Any) -> None:
        answer = browser.post(LOGIN, CREDENTIALS)
        assert answer.json() == {"id": ann.pk, "username": "ann"}
        csrf = {"X-CSRFToken": browser.cookies["csrftoken"].value}
        assert browser.get(ENTRIES).status_code == 200

        assert browser.post(LOGOUT, headers=csrf).status_code == 204
        assert browser.get(ENTRIES).status_code == 401

    def test_write_needs_the_csrf_token(
        self, ann: User, browser: Any, make_entity: Callable[..., Any]
    ) -> None:
        make_entity("Host")
        browser.post(LOGIN, CREDENTIALS)
        body = {"name": "web", "schema": "Host"}

        refused = browser.post(ENTRIES, body)
        assert refused.status_code == 403
        assert "CSRF" in refused.json()["detail"]
        assert not Entry.objects.exists()

        csrf = {"X-CSRFToken": browser.cookies["csrftoken"].value}
        accepted = browser.post(ENTRIES, body, headers=csrf)
        assert accepted.status_code == 201
        assert accepted.json()["created_user"]["username"] == "ann"

    def test_expired_token_keeps_nobody_from_logging_in(self, ann: User, browser: Any) -> None:
        browser.credentials(HTTP_AUTHORIZATION="Token pagoda_gone")

        assert browser.post(LOGIN, CREDENTIALS).status_code == 200
        assert browser.post(TOKEN, CREDENTIALS).status_code == 200


def test_nobody_acts_after_a_request(ann: User, client_of: Callable[..., Any]) -> None:
    client_of(ann).get(ENTRIES)

    assert acting_user() is None
