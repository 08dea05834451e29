from __future__ import annotations

import pytest

from pagoda.config.logging import scrub_line
from pagoda.config.scrubbing import scrubbed
from pagoda.fencing.reporting import described
from pagoda_plugin_sdk.washing import washed_error, washed_traceback, without_secrets

TOKEN = "pagoda_" + "x" * 43


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("no postgres://u:hunter2@h:5432/d there", "no postgres://u:[Filtered]@h:5432/d there"),
        ("redis://:hunter2@h/0", "redis://:[Filtered]@h/0"),
        (f"the token {TOKEN}.", "the token [Filtered]."),
        ("Authorization: Bearer abcdefghijklmnopqrstuvwxyz", "Authorization: Bearer [Filtered]"),
        ("https://example.org/a:b@c is a path", "https://example.org/a:b@c is a path"),
        ("Token expired at 12:00", "Token expired at 12:00"),
    ],
)
def test_secrets_in_texts_are_replaced(text: str, shown: str) -> None:
    assert scrubbed({"a": [text, (text,)], "n": 1}) == {"a": [shown, [shown]], "n": 1}


@pytest.mark.parametrize("piece", ["a", "://", "a://", "a:b@", "Token ", "a+", " ", "pagoda_", "a://a:"])
def test_a_long_text_is_read_to_its_end(piece: str) -> None:
    """A pattern that began anew at each of a million places would not come back here."""
    text = piece * (1_000_000 // len(piece))
    assert without_secrets(f"{text} x://u:p4ss@h").endswith("x://u:[Filtered]@h")


def test_secrets_in_errors_and_lines_are_replaced() -> None:
    error = ValueError("can't reach postgres://u:p4ss@h/db")
    assert washed_error(error) == "ValueError: can't reach postgres://u:[Filtered]@h/db"
    assert described(error) == "ValueError: can't reach postgres://u:[Filtered]@h/db"
    assert "p4ss" not in washed_traceback(error, 1_000)
    assert "p4ss" not in scrub_line(None, "", '{"event": "down", "url": "redis://:p4ss@h/0"}')
