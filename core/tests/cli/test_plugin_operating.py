"""`pagoda plugins retry|dry-run|silence|switches|processes`."""

from __future__ import annotations

from typing import Any

import pytest

BREAK = """
from pagoda.fencing.breaker import breaker
for _ in range(5):
    breaker().fail("one", {surface!r}, "handler", "KeyError: shelf")
"""
PRESENT = """
from pagoda.watching.models import Presence
for number, digest in enumerate(["most", "most", "other"]):
    Presence.objects.create(
        node=f"w@h/{number}", service="worker", queue="plugin.one", host="h", pid=number + 1, digest=digest
    )
"""


@pytest.fixture
def shelf(pagoda: Any) -> Any:
    """The command, of a host with the plugin `one`."""
    pagoda.copy_tables()
    pagoda.install("one")
    return pagoda


def shell(pagoda: Any, code: str) -> None:
    pagoda("manage", "shell", "--no-imports", "-c", code)


def test_retry_lets_calls_of_all_that_is_out_of_service_through(shelf: Any) -> None:
    assert shelf("plugins", "retry", "one") == "Nothing of plugin 'one' is out of service.\n"
    for surface in ("endpoint", "task"):
        shell(shelf, BREAK.format(surface=surface))
    told = shelf("plugins", "retry", "one").splitlines()
    assert sorted(told) == [
        "one endpoint: the next call is let through",
        "one task: the next call is let through",
    ]
    assert "The next call is let through." in shelf("plugins", "doctor", "one", status=1)


def test_retry_of_one_surface_leaves_the_others(shelf: Any) -> None:
    for surface in ("endpoint", "task"):
        shell(shelf, BREAK.format(surface=surface))
    assert shelf("plugins", "retry", "one", "--surface", "task") == "one task: the next call is let through\n"
    assert "One call is let through at" in shelf("plugins", "doctor", "one", status=1)


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["retry", "one", "--surface", "hook"], 1, "The hooks of plugin 'one' are in service"),
        (["retry", "one", "--surface", "hooks"], 2, "'hooks' is not one of"),
        (["retry", "onee"], 1, "one"),
        (["silence", "one"], 2, "give a --reason, or --undo"),
        (["dry-run", "one", "--reason", " "], 1, "Give a reason of 1 to 300 characters"),
        (["silence", "one", "--reason", "x", "--for", "8"], 2, "'8' is no span: give minutes, hours or days"),
        (["silence", "one", "--reason", "x", "--for", "0h"], 1, "expected more than nothing"),
        (["silence", "one", "--undo", "--for", "8h"], 2, "--undo goes with neither --for nor --reason"),
        (["silence", "onee", "--reason", "x"], 1, "one"),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, list) else "",
)
def test_what_is_asked_wrongly_is_named_and_nothing_is_done(
    shelf: Any, arguments: list[str], status: int, told: str
) -> None:
    assert told in shelf("plugins", *arguments, status=status)
    assert shelf("plugins", "switches") == "Nothing is switched on.\n"


@pytest.mark.parametrize(("command", "kind"), [("dry-run", "dry_run"), ("silence", "silence")])
def test_a_switch_is_on_until_its_time_or_until_it_is_undone(shelf: Any, command: str, kind: str) -> None:
    until_undone = shelf("plugins", command, "one", "--reason", "a deployment")
    assert until_undone == f"one: {command} is on, until it is undone\n"
    for_a_while = shelf("plugins", command, "one", "--for", "30m", "--reason", "a deployment")
    assert for_a_while.startswith(f"one: {command} is on, until 2")
    header, row = shelf("plugins", "switches").splitlines()
    assert header.split() == ["PLUGIN", "SWITCH", "SINCE", "UNTIL", "BY", "REASON"]
    assert row.split()[:2] == ["one", kind]
    assert row.endswith("host  a deployment")
    assert shelf("plugins", command, "one", "--undo") == f"one: {command} is off\n"
    assert shelf("plugins", command, "one", "--undo") == f"one: {command} was not on\n"
    assert shelf("plugins", "switches") == "Nothing is switched on.\n"


def test_processes_are_listed_with_those_that_differ_first(shelf: Any) -> None:
    assert shelf("plugins", "processes") == "No process lives.\n"
    shell(shelf, PRESENT)
    printed = shelf("plugins", "processes")
    rows = [line.split() for line in printed.splitlines()[1:4]]
    assert [row[3] for row in rows] == ["3", "1", "2"]
    assert [row[-1] for row in rows] == ["differs", "most", "most"]
    assert "Give all the same plugins, versions and PLUGIN_OPERATION_ID_CONFIG" in printed
