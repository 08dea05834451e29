"""What ends tokens and sessions: a new password and being switched off, by whatever way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.hashers import make_password
from django.core.management import call_command
from django.test import override_settings

from pagoda.audit.models import AuditEvent
from pagoda.domain.user.models import ApiToken, User

pytestmark = pytest.mark.django_db

OLD, NEW = "correct horse battery", "staple of a new one"


def by_save(user: User) -> None:
    user.set_password(NEW)
    user.save()


def by_its_hash(user: User) -> None:
    user.password = make_password(NEW)
    user.save(update_fields=["password"])


def by_having_none(user: User) -> None:
    user.set_unusable_password()
    user.save()


def by_update(user: User) -> None:
    User.objects.filter(pk=user.pk).update(password=make_password(NEW))


def by_bulk_update(user: User) -> None:
    user.password = make_password(NEW)
    User.objects.bulk_update([user], ["password"])


def by_command(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("getpass.getpass", lambda *_args, **_kwargs: NEW)
    call_command("changepassword", user.username)


def by_switching_off(user: User) -> None:
    user.is_active = False
    user.save()
    user.is_active = True
    user.save()


def by_switching_off_alone(user: User) -> None:
    for is_active in (False, True):
        user.is_active = is_active
        user.save(update_fields=["is_active"])


def by_updating_off(user: User) -> None:
    User.objects.all().update(is_active=False)
    User.objects.all().update(is_active=True)


def by_bulk_updating_off(user: User) -> None:
    for is_active in (False, True):
        user.is_active = is_active
        User.objects.bulk_update([user], ["is_active"])


@pytest.fixture
def user() -> User:
    user: User = User.objects.create_user("ann", password=OLD)
    ApiToken.issue(user, "laptop", None)
    return user


@pytest.mark.parametrize(
    "way",
    [
        *(by_save, by_its_hash, by_having_none, by_update, by_bulk_update, by_command),
        *(by_switching_off, by_switching_off_alone, by_updating_off, by_bulk_updating_off),
    ],
)
def test_tokens_and_sessions_end(
    user: User, way: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    session = user.get_session_auth_hash()
    way(user, monkeypatch) if way is by_command else way(user)
    now = User.objects.get()
    assert now.is_active
    assert now.get_session_auth_hash() != session
    assert not ApiToken.objects.exists()
    assert AuditEvent.objects.filter(action="token.revoked").count() == 1


def nothing(user: User) -> None:
    user.save()


def another_field(user: User) -> None:
    user.email = "ann@example.org"
    user.save()


def updating_another_field(user: User) -> None:
    User.objects.update(last_name="A")
    User.objects.update(is_active=True)


def a_better_hash(user: User) -> None:
    with override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.PBKDF2PasswordHasher"]):
        user.password = make_password(OLD)
    User.objects.bulk_update([user], ["password"])
    ApiToken.issue(user, "laptop", None)
    hashers = ["MD5PasswordHasher", "PBKDF2PasswordHasher"]
    with override_settings(PASSWORD_HASHERS=[f"django.contrib.auth.hashers.{each}" for each in hashers]):
        assert user.check_password(OLD)
    assert User.objects.get().password.startswith("md5")


@pytest.mark.parametrize("way", [nothing, another_field, updating_another_field, a_better_hash])
def test_what_ends_none(user: User, way: Callable[[User], Any]) -> None:
    way(user)
    assert ApiToken.objects.count() == 1


def test_sessions_of_others_and_of_before_go_on(user: User) -> None:
    other = User.objects.create_user("bob", password=OLD)
    ApiToken.issue(other, "laptop", None)
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert User.objects.get(pk=other.pk).get_session_auth_hash() == other.get_session_auth_hash()
    assert list(ApiToken.objects.values_list("user", flat=True)) == [other.pk]
    # As Django itself computes it, so that an upgrade ends no session.
    of_django = getattr(AbstractBaseUser, "_get_session_auth_hash")(other)  # noqa: B009 - not in its types
    assert of_django == other.get_session_auth_hash()
    assert not other.session_salt
