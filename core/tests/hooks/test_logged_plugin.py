"""What a plugin logs names that plugin, whosever request, job or handler it runs in."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from django.conf import settings

from pagoda.config.logging import configure_logging
from pagoda.hooks.manager import HookManager


@pytest.fixture
def lines(logs: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What the process writes as its log."""
    written = io.StringIO()
    monkeypatch.setattr("sys.stderr", written)
    configuration, root = structlog.get_config(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    configure_logging(
        settings.PAGODA.model_copy(update={"pagoda_log_format": "json", "pagoda_log_level": "INFO"}),
        service="test",
    )
    yield written
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**configuration)


def logged(lines: io.StringIO) -> list[tuple[str, str | None]]:
    records = [json.loads(line) for line in lines.getvalue().splitlines()]
    return [(record["event"], record.get("plugin")) for record in records]


def say(text: str, **values: Any) -> None:
    structlog.get_logger("a.plugin").info(text, **values)


def test_a_line_names_the_plugin_whose_handler_wrote_it(bridged: HookManager, lines: io.StringIO) -> None:
    def outer(*_args: Any) -> None:
        say("outer before")
        bridged.execute_hook("entity.after_create", None, None)
        logging.getLogger("a.library").warning("outer after")

    bridged.register_hook("entry.after_create", outer, plugin_id="outer")
    bridged.register_hook("entry.after_create", lambda *_: say("next"), plugin_id="next")
    bridged.register_hook("entity.after_create", lambda *_: say("inner"), plugin_id="inner")
    with structlog.contextvars.bound_contextvars(plugin="whose request it is"):
        bridged.execute_hook("entry.after_create", "customer", None, None)
        say("afterwards")
    say("outside")
    assert logged(lines) == [
        ("outer before", "outer"),
        ("inner", "inner"),
        ("outer after", "outer"),
        ("next", "next"),
        ("afterwards", "whose request it is"),
        ("outside", None),
    ]


def test_after_a_failure_nothing_of_it_is_left(bridged: HookManager, lines: io.StringIO) -> None:
    def fail(*_args: Any) -> None:
        raise SystemExit(1)

    bridged.register_hook("entry.after_create", fail, plugin_id="bad")
    bridged.execute_hook("entry.after_create", "customer", None, None)
    say("outside")
    assert logged(lines) == [("hook_failed", "bad"), ("outside", None)]


def test_a_line_that_names_a_plugin_itself_is_left_alone(bridged: HookManager, lines: io.StringIO) -> None:
    bridged.register_hook("entry.after_create", lambda *_: say("of another", plugin="other"), plugin_id="p")
    bridged.execute_hook("entry.after_create", "customer", None, None)
    assert logged(lines) == [("of another", "other")]


def test_a_view_and_the_handlers_it_starts(bridged: HookManager, lines: io.StringIO) -> None:
    def view() -> None:
        say("view")
        bridged.execute_hook("entry.after_create", "customer", None, None)
        say("view again")

    bridged.register_hook("entry.after_create", lambda *_: say("handler"), plugin_id="p")
    bridged.budget.run_within(5, "viewing", view)
    assert logged(lines) == [("view", "viewing"), ("handler", "p"), ("view again", "viewing")]
