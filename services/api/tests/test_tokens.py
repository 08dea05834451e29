"""API tokens: what may be chosen of them, and what they are not good for."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from rest_framework.test import APIClient
from structlog.testing import capture_logs

from pagoda.audit.models import AuditEvent
from pagoda.domain.user.models import ApiToken, Scope, User
from pagoda_plugin_sdk.plugin import Plugin

pytestmark = pytest.mark.django_db

ME, TOKENS, ENTITIES = "/api/v2/me/", "/api/v2/me/tokens/", "/api/v2/entities/"


class Good(Plugin):
    id = name = "good"
    api_v2_patterns = "routes_good_api"


def client_with(user: User, lifetime: timedelta | None = None, **chosen: Any) -> APIClient:
    _, plain = ApiToken.issue(user, "t", lifetime, **chosen)
    client = APIClient(raise_request_exception=False)
    client.credentials(HTTP_AUTHORIZATION=f"Token {plain}")
    return client


def made(api: Any, **given: Any) -> Any:
    response = api.post(TOKENS, {"name": "ci", **given})
    assert response.status_code == 201, response.json()
    return response.json()


def seconds_left(shown: Any) -> float:
    return (datetime.fromisoformat(shown["expires_time"]) - timezone.now()).total_seconds()


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        ({}, 720 * 3600),
        ({"lifetime": 3600}, 3600),
        ({"lifetime": "P2D"}, 2 * 86400),
        ({"lifetime": "1 00:00:00"}, 86400),
        ({"lifetime": None}, None),
        ({"expires_time": None}, None),
        ({"expires_time": "2200-01-01T00:00:00Z"}, "2200-01-01T00:00:00Z"),
    ],
)
def test_its_end_is_chosen(api: Any, given: dict[str, Any], seconds: Any) -> None:
    shown = made(api, **given)
    if isinstance(seconds, int):
        assert seconds - 60 < seconds_left(shown) <= seconds
    elif seconds is None:
        assert shown["expires_time"] is None
    else:
        assert abs(datetime.fromisoformat(shown["expires_time"]) - datetime.fromisoformat(seconds)).days == 0


def test_what_is_chosen_is_shown_and_its_text_once(api: Any, ann: User) -> None:
    shown = made(api, scope="read-only", networks=["10.0.0.0/8", "192.0.2.1"])
    plain = shown.pop("token")
    assert shown == api.get(TOKENS).json()[0]
    assert (shown["name"], shown["scope"], shown["is_this"], shown["last_used_time"]) == (
        *("ci", "read-only", False, None),
    )
    assert shown["networks"] == ["10.0.0.0/8", "192.0.2.1/32"]
    assert plain not in str(api.get(TOKENS).json())
    assert AuditEvent.objects.filter(action="token.made", actor="ann", subject="ann: ci").count() == 1
    assert ApiToken.authenticate(plain).user == ann  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("given", "field", "words"),
    [
        ({"name": " "}, "name", "blank"),
        ({"lifetime": -1}, "lifetime", "positive"),
        ({"lifetime": 0}, "lifetime", "positive"),
        ({"lifetime": "soon"}, "lifetime", "Duration"),
        ({"lifetime": "P999999D"}, "lifetime", "at most"),
        ({"expires_time": "2001-01-01T00:00:00Z"}, "lifetime", "positive"),
        ({"expires_time": "9999-12-31T23:59:59Z"}, "lifetime", "at most"),
        ({"lifetime": 5, "expires_time": None}, "lifetime", "not both"),
        ({"scope": "admin"}, "scope", "admin"),
        ({"networks": "10.0.0.0/8"}, "networks", "list"),
        ({"networks": ["10.0.0.1/8"]}, "networks", "zeros"),
        ({"networks": ["10.0.0.0/8", 5]}, "networks", "5"),
        ({"networks": [None]}, "networks", "None is no network"),
        ({"networks": ["10.0.0.0/8"] * 101}, "networks", "at most 100"),
        ({"user": 1}, "user", "There is no field"),
    ],
)
def test_what_makes_no_sense_is_refused(api: Any, given: dict[str, Any], field: str, words: str) -> None:
    response = api.post(TOKENS, {"name": "ci", **given})
    assert response.status_code == 400, response.json()
    assert words in str(response.json()[field])
    assert ApiToken.objects.count() == 1


def test_a_site_may_bound_how_long_they_last(api: Any, settings: Any) -> None:
    settings.PAGODA = settings.PAGODA.model_copy(update={"api_token_max_lifetime_hours": 24})
    assert 86000 < seconds_left(made(api)) <= 86400
    for given in ({"lifetime": None}, {"lifetime": 86401}, {"expires_time": None}):
        response = api.post(TOKENS, {"name": "ci", **given})
        assert (response.status_code, "at most 1 day" in str(response.json())) == (400, True)


@pytest.mark.parametrize("url", [ENTITIES, "/api/v2/plugins/good/things/", "/admin/", "/nowhere/", TOKENS])
@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_a_read_only_token_writes_nowhere(ann: User, serve: Any, url: str, method: str) -> None:
    serve(Good())
    api = client_with(ann, scope=Scope.READ_ONLY)
    response = getattr(api, method)(url, {"name": "x"})
    assert response.status_code == 403
    if url.startswith("/api/"):
        assert response.json()["code"] == "token_read_only"
        words = f"Token 't' is read-only, and {method.upper()} writes. Use one that is read-write."
        assert response.json()["detail"] == words


def test_a_read_only_token_reads(ann: User, serve: Any) -> None:
    serve(Good())
    api = client_with(ann, scope=Scope.READ_ONLY)
    for url in (ME, ENTITIES, "/api/v2/plugins/good/things/"):
        assert api.get(url).status_code == 200
    assert api.options(ENTITIES).status_code == 200


@pytest.mark.parametrize(
    ("networks", "address", "status"),
    [
        (["10.0.0.0/8"], "10.1.2.3", 200),
        (["10.0.0.0/8"], "::ffff:10.1.2.3", 200),
        (["10.0.0.0/8"], "11.1.2.3", 403),
        (["10.0.0.0/8", "2001:db8::/32"], "2001:db8::5", 200),
        (["10.0.0.0/8"], "2001:db8::5", 403),
        (["10.0.0.0/8"], "", 403),
        ([], "", 200),
    ],
)
def test_a_token_is_good_in_its_networks_alone(
    ann: User, networks: list[str], address: str, status: int
) -> None:
    response = client_with(ann, networks=networks).get(ME, REMOTE_ADDR=address)
    assert response.status_code == status
    if status == 403:
        assert response.json()["code"] == "token_network"
        assert address in response.json()["detail"]
        assert ApiToken.objects.get().last_used_time is None


def test_the_client_is_whom_the_trusted_proxies_name(ann: User, settings: Any) -> None:
    api = client_with(ann, networks=["192.0.2.0/24"])
    headers = {"X-Forwarded-For": "192.0.2.7"}
    assert api.get(ME, headers=headers, REMOTE_ADDR="10.0.0.1").status_code == 403
    settings.PAGODA = settings.PAGODA.model_copy(update={"pagoda_trusted_proxies": ["10.0.0.0/8"]})
    again = client_with(ann, networks=["192.0.2.0/24"])
    assert again.get(ME, headers=headers, REMOTE_ADDR="10.0.0.1").status_code == 200


def test_a_token_makes_none_that_is_good_for_more(ann: User) -> None:
    api = client_with(ann, timedelta(hours=1), networks=["127.0.0.0/8"])
    shown = made(api)
    assert seconds_left(shown) <= 3600
    assert shown["networks"] == ["127.0.0.0/8"]
    assert made(api, networks=["127.0.0.1"], lifetime=60)["networks"] == ["127.0.0.1/32"]
    for field, given in (
        *(("lifetime", {"lifetime": None}), ("lifetime", {"lifetime": 7200}), ("networks", {"networks": []})),
        *(("networks", {"networks": ["0.0.0.0/0"]}), ("networks", {"networks": ["::/0"]})),
    ):
        response = api.post(TOKENS, {"name": "more", **given})
        assert (response.status_code, "log in with your password" in str(response.json()[field])) == (
            400,
            True,
        )


def test_with_name_and_password_the_same_may_be_chosen(anonymous: Any, ann: User) -> None:
    ann.set_password("correct horse")
    ann.save()
    body = {"username": "ann", "password": "correct horse", "scope": "read-only", "lifetime": 60}
    assert anonymous.post("/api/v2/auth/token/", body).status_code == 200
    assert ApiToken.objects.get().scope == Scope.READ_ONLY
    assert anonymous.post("/api/v2/auth/token/", {**body, "lifetime": -1}).status_code == 400


def test_sessions_of_a_user_who_was_switched_off_stay_ended(ann: User, client: Any) -> None:
    client.force_login(ann)
    assert client.get(ME).status_code == 200
    for is_active, status in ((False, 401), (True, 401)):
        User.objects.filter(pk=ann.pk).update(is_active=is_active)
        assert client.get(ME).status_code == status


@pytest.mark.django_db(transaction=True)
def test_where_its_use_can_not_be_noted_what_reads_goes_on(make_user: Any) -> None:
    api = client_with(make_user("ann"))
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA query_only = ON")
        try:
            with capture_logs() as logs:
                assert api.get(ME).status_code == 200
        finally:
            cursor.execute("PRAGMA query_only = OFF")
    assert "token_use_not_noted" in [log["event"] for log in logs]
    assert api.get(ME).status_code == 200
    assert ApiToken.objects.get().last_used_time is not None
