from __future__ import annotations

from collections.abc import Iterator

import pytest

from tools.checking_in_forks import checking_in_forks


@pytest.fixture(scope="module", autouse=True)
def _forks() -> Iterator[None]:
    with checking_in_forks():
        yield
