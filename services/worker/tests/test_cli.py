from __future__ import annotations

import pytest

from pagoda_worker.cli import EX_CONFIG, main


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["run"], "one of the arguments --plugin --core is required"),
        (["run", "--plugin", "a", "--core"], "argument --core: not allowed with argument --plugin"),
        (["run", "--core", "--concurrency", "0"], "0 is no number of processes; give 1 or more"),
        (["run", "--core", "--concurrency", "x"], "invalid"),
        (["fly"], "invalid choice: 'fly'"),
    ],
)
def test_wrong_arguments_are_named(argv: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(argv)
    assert caught.value.code == EX_CONFIG
    assert message in capsys.readouterr().err
