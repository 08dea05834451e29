"""What all tests of the worker share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tools import suite_settings

suite_settings.use("pagoda_worker.settings")

from pagoda.hooks.testing import fresh_breaker  # noqa: E402 - reads the settings


@pytest.fixture(autouse=True)
def no_failures_of_other_tests() -> Iterator[None]:
    with fresh_breaker():
        yield
