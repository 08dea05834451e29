from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest


@pytest.fixture(scope="module", autouse=True)
def _forks() -> Iterator[None]:
    with ExitStack() as stack:
        try:
            from tools.checking_in_forks import checking_in_forks
        except ModuleNotFoundError:  # the SDK alone: an interpreter for each project, as authors have it
            pass
        else:
            stack.enter_context(checking_in_forks())
        yield
