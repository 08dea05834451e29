"""Users that ask the API classes."""

from __future__ import annotations

import pytest


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
