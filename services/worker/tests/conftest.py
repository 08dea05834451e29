"""What all tests of the worker share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pagoda.hooks.testing import fresh_breaker


@pytest.fixture(autouse=True)
def no_failures_of_other_tests() -> Iterator[None]:
    with fresh_breaker():
        yield
