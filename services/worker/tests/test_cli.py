from __future__ import annotations

import pytest

from pagoda_worker.cli import main
from pagoda_worker.commands import EX_CONFIG


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "Usage: pagoda-worker [OPTIONS] COMMAND"),
        (["run"], "Give either --plugin NAME or --core."),
        (["run", "--plugin", "a", "--core"], "Give either --plugin NAME or --core."),
        (["run", "--core", "--concurrency", "0"], "0 is not in the range x>=1"),
        (["run", "--core", "--concurrency", "x"], "'x' is not a valid integer range"),
        (["fly"], "No such command 'fly'"),
    ],
)
def test_wrong_arguments_are_named(argv: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv) == EX_CONFIG
    assert message in capsys.readouterr().err
