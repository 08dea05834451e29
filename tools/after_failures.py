"""Let go of what a failed test holds, so that one failure stays one.

pytest, and the interpreter for debuggers, keep the last traceback, and with it each local variable: a cursor
that is in the middle of a write keeps SQLite's connection, which all tests of a process share, from opening
savepoints, and so every test after it would fail, too.
"""

from __future__ import annotations

import gc
from collections.abc import Generator

import pytest

from pagoda.errors import let_go

_failed: list[BaseException] = []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    call: pytest.CallInfo[None],
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note what a test raised."""
    report = yield
    if call.excinfo is not None:
        _failed.append(call.excinfo.value)
    return report


def pytest_runtest_logfinish() -> None:
    """Empty the frames of what the test raised: it was shown, and debuggers are done with it."""
    while _failed:
        let_go(_failed.pop())
        if not _failed:
            gc.collect()
