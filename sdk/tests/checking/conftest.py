from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from importlib.util import find_spec

import pytest


@pytest.fixture(scope="module", autouse=True)
def _forks() -> Iterator[None]:
    with ExitStack() as stack:
        if find_spec("tools") is not None:  # else the SDK is alone, and starts interpreters
            from tools.checking_in_forks import checking_in_forks

            stack.enter_context(checking_in_forks())
        yield
