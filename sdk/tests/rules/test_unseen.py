from __future__ import annotations

import pytest

from pagoda_plugin_sdk.rules.unseen import has_seen, unseen_in

ZWNJ, ZWJ, SELECTOR = "\u200c", "\u200d", "\ufe0f"


@pytest.mark.parametrize(
    "name",
    [
        "plain",
        "with\u00a0a space",
        "\u3000",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",  # Persian
        "\u0915\u094d\u200d\u0937",  # Devanagari: a half form behind its virama
        "\U0001f469\u200d\U0001f680",  # an astronaut
        "\u2764\ufe0f\u200d\U0001f525",  # a heart on fire
        "1\ufe0f\u20e3",  # a key cap
        "\u8fbb\U000e0100",  # a form of an ideograph
        "\u0600\u0661",  # a sign that stands before a number
        "e\u0301",
        "\u202fx",  # a narrow space
    ],
    ids=ascii,
)
def test_what_people_write_is_seen(name: str) -> None:
    assert unseen_in(name) is None


@pytest.mark.parametrize(
    ("name", "unseen"),
    [
        ("a\u200bb", "\u200b"),  # a space of no width
        ("\ufeffa", "\ufeff"),
        ("a\u00adb", "\u00ad"),  # a soft hyphen
        ("a\u202eb", "\u202e"),  # text turned around
        ("a\u2066b", "\u2066"),
        ("a\u200fb", "\u200f"),
        ("a\u061cb", "\u061c"),
        ("a\u2060b", "\u2060"),
        ("a\u2028b", "\u2028"),
        ("a\u034fb", "\u034f"),
        ("\u3164", "\u3164"),
        ("\u115f\u1160", "\u115f"),
        ("a\uffa0", "\uffa0"),
        ("\u2800", "\u2800"),
        ("a\u17b4", "\u17b4"),
        ("a\U000e0041", "\U000e0041"),  # a tag
        (f"{ZWNJ}\u0645", ZWNJ),
        (f"\u0645{ZWNJ}", ZWNJ),
        (f"\u0645{ZWNJ}{ZWNJ}\u0645", ZWNJ),
        (f"\u0645 {ZWJ}\u0645", ZWJ),
        (f"a{ZWJ}b", ZWJ),
        (f"admin{SELECTOR}", SELECTOR),
        (SELECTOR, SELECTOR),
        (f"\u2764{SELECTOR}{SELECTOR}", SELECTOR),
    ],
    ids=ascii,
)
def test_what_nobody_sees_is_found(name: str, unseen: str) -> None:
    assert unseen_in(name) == unseen


@pytest.mark.parametrize(
    ("name", "is_seen"), [("a", True), ("\u0301", False), ("\u0301 \u20dd", False), ("\u0301a", True)]
)
def test_a_mark_alone_is_not_seen_by_itself(name: str, is_seen: bool) -> None:
    assert has_seen(name) is is_seen
