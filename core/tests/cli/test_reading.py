"""Commands that read leave nothing behind in the folder they run in."""

from __future__ import annotations

from typing import Any

import pytest

COMMANDS = [
    ("--help",),
    ("plugins", "--help"),
    ("plugins", "list"),
    ("plugins", "list", "--json"),
    ("plugins", "check"),
    ("plugins", "digest"),
    ("plugins", "explain", "entry.validate"),
    ("plugins", "doctor", "good"),
    ("health",),
    ("health", "--json"),
    ("jobs", "list"),
    ("alerts", "list"),
    ("audit", "verify"),
]


def test_reading_commands_make_nothing(pagoda: Any) -> None:
    pagoda.install("good")
    before = sorted(pagoda.folder.iterdir())
    pagoda.set(PYTHONDONTWRITEBYTECODE="1")

    for command in COMMANDS:
        pagoda.run(*command)
        assert sorted(pagoda.folder.iterdir()) == before, command


@pytest.mark.parametrize("command", [("plugins", "list"), ("plugins", "check")])
def test_they_work_without_a_data_folder(command: tuple[str, ...], pagoda: Any) -> None:
    pagoda.install("good")

    assert "good" in pagoda(*command) or "ok: 1 plugin" in pagoda(*command)


WITH_DATABASE = [("jobs", "list"), ("jobs", "show", "1"), ("jobs", "cancel", "1"), ("alerts", "list")]


@pytest.mark.parametrize("command", [*WITH_DATABASE, ("audit", "verify")])
def test_a_database_that_is_not_there_is_told_in_words(command: tuple[str, ...], pagoda: Any) -> None:
    status, printed = pagoda.run(*command)

    assert status == 1
    assert "The database can't be used: " in printed
    assert "`pagoda migrate` makes what is missing" in printed
    assert "Traceback" not in printed
