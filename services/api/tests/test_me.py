"""Whoever asks: their password and their tokens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from pagoda.audit.models import AuditEvent
from pagoda.domain.user.models import ApiToken, Role, User

pytestmark = pytest.mark.django_db

ME = "/api/v2/me/"
OLD, NEW = "correct horse battery", "staple of a new one"
CHANGE = {"old_password": OLD, "new_password": NEW}


@pytest.fixture
def user(settings: Any) -> User:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    return User.objects.create_user("ann", password=OLD)


def test_who_asks_is_told_who_they_are(user: User, client_of: Callable[..., Any], anonymous: Any) -> None:
    group = Group.objects.create(name="ops")
    user.groups.add(group)
    role = Role.objects.create(name="makers")
    role.users.add(user)
    assert client_of(user).get(ME).json() == {
        "id": user.pk,
        "username": "ann",
        "is_superuser": False,
        "groups": [{"id": group.pk, "name": "ops"}],
        "roles": [{"id": role.pk, "name": "makers"}],
    }
    assert anonymous.get(ME).status_code == 401


def test_a_new_password_ends_every_token(user: User, client_of: Callable[..., Any]) -> None:
    first, second = client_of(user), client_of(user)
    assert first.post(f"{ME}password/", CHANGE, format="json").status_code == 204
    assert (first.get(ME).status_code, second.get(ME).status_code) == (401, 401)
    user.refresh_from_db()
    assert user.check_password(NEW)
    assert AuditEvent.objects.filter(action="token.revoked").count() == 2


def test_a_new_password_ends_every_session_but_the_one_that_asks(user: User) -> None:
    here, there = Client(enforce_csrf_checks=False), Client()
    for client in (here, there):
        client.force_login(user)
    answer = here.post(f"{ME}password/", CHANGE, content_type="application/json")
    assert answer.status_code == 204
    assert (here.get(ME).status_code, there.get(ME).status_code) == (200, 401)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"old_password": "guess"}, "old_password"),
        ({"new_password": "123"}, "new_password"),
        ({"new_password": "ann"}, "new_password"),
        ({"password": NEW}, "password"),
    ],
)
def test_a_password_that_will_not_do_changes_nothing(
    user: User, client_of: Callable[..., Any], change: dict[str, str], field: str
) -> None:
    api = client_of(user)
    response = api.post(f"{ME}password/", CHANGE | change, format="json")
    assert (response.status_code, field in response.json()) == (400, True)
    assert api.get(ME).status_code == 200
    user.refresh_from_db()
    assert user.check_password(OLD)


@pytest.mark.parametrize("way", ["admin", "shell", "switched off"])
def test_tokens_end_however_it_is_done(
    user: User, client_of: Callable[..., Any], admin_client: Client, way: str
) -> None:
    api = client_of(user)
    match way:
        case "admin":
            form = {"password1": NEW, "password2": NEW, "usable_password": "true"}
            assert admin_client.post(f"/admin/user/user/{user.pk}/password/", form).status_code == 302
        case "shell":
            user.set_password(NEW)
            user.save()
        case "switched off":
            user.is_active = False
            user.save()
            user.is_active = True
            user.save()
    assert api.get(ME).status_code == 401


def test_a_save_of_something_else_ends_none(user: User, client_of: Callable[..., Any]) -> None:
    api = client_of(user)
    user.email = "ann@example.org"
    user.save()
    User.objects.get(pk=user.pk).save()
    assert api.get(ME).status_code == 200


def test_tokens_are_listed_and_revoked_by_their_owner(
    user: User, client_of: Callable[..., Any], make_user: Callable[..., Any]
) -> None:
    api, other = client_of(user), client_of(make_user("bob"))
    lost, _ = ApiToken.issue(user, "lost laptop", None)
    shown = api.get(f"{ME}tokens/").json()
    assert [(token["name"], token["is_this"]) for token in shown] == [("lost laptop", False), ("test", True)]
    assert "digest" not in str(shown)
    for client, status in ((other, 404), (api, 204), (api, 404)):
        assert client.delete(f"{ME}tokens/{lost.pk}/").status_code == status
    assert [token["name"] for token in api.get(f"{ME}tokens/").json()] == ["test"]
