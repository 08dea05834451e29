"""Configure what Django and REST framework need for the API classes, and no more."""

from __future__ import annotations

import django
import pytest
from django.conf import settings

if not settings.configured:
    settings.configure(
        ALLOWED_HOSTS=["testserver"],
        REST_FRAMEWORK={
            "DEFAULT_AUTHENTICATION_CLASSES": [],
            "UNAUTHENTICATED_USER": None,
            "TEST_REQUEST_DEFAULT_FORMAT": "json",
        },
        ROOT_URLCONF=[],
        SECRET_KEY="tests",
        TIME_ZONE="UTC",
        USE_TZ=True,
    )
    django.setup()


class FakeUser:
    """A user that is logged in."""

    is_authenticated = True

    def __init__(self, *, is_active: bool = True) -> None:
        self.is_active = is_active
        self.username = "ann"


@pytest.fixture
def user() -> FakeUser:
    return FakeUser()


@pytest.fixture
def locked_user() -> FakeUser:
    return FakeUser(is_active=False)
