from __future__ import annotations

from threading import Thread

import pytest

from pagoda.domain.acting import acting_as, acting_user
from pagoda.domain.user.models import User


def test_nobody_acts_by_default() -> None:
    assert acting_user() is None


def test_blocks_nest_and_end_with_an_exception_too() -> None:
    outer, inner = User(username="outer"), User(username="inner")
    with acting_as(outer):
        with pytest.raises(RuntimeError, match="inner"), acting_as(inner):
            raise RuntimeError(str(acting_user()))
        assert acting_user() is outer
        with acting_as(None):
            assert acting_user() is None
    assert acting_user() is None


def test_another_thread_has_its_own_user() -> None:
    seen: list[User | None] = []
    with acting_as(User(username="alice")):
        thread = Thread(target=lambda: seen.append(acting_user()))
        thread.start()
        thread.join()
    assert seen == [None]
