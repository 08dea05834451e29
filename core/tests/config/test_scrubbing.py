from __future__ import annotations

import pytest

from pagoda.config.scrubbing import scrubbed

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
