"""Characters that nobody sees, which would make two names of one look."""

from __future__ import annotations

import unicodedata
from typing import Final

# What Unicode has as Default_Ignorable_Code_Point beside its format characters (category Cf), and the blanks
# that it counts as letters and symbols: a filler of Hangul is a letter, Braille without a dot a symbol.
_BLANKS: Final = frozenset(
    map(
        chr,
        (
            0x034F,
            *(0x115F, 0x1160, 0x3164, 0xFFA0),  # fillers of Hangul
            *(0x17B4, 0x17B5),  # vowels of Khmer
            0x2800,  # Braille
            *range(0xFFF0, 0xFFF9),
        ),
    )
)
_SIGNS: Final = frozenset(  # of category Cf, and yet seen: they stand around numbers
    map(chr, (*range(0x0600, 0x0606), 0x06DD, 0x070F, 0x0890, 0x0891, 0x08E2, 0x110BD, 0x110CD))
)
_JOINERS: Final = frozenset("\u200c\u200d")  # Persian, scripts of India and emoji are written with them
_SELECTORS: Final = frozenset(  # say which form the character before them has
    map(chr, (*range(0x180B, 0x180E), 0x180F, *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)))
)


def unseen_in(text: str) -> str | None:
    """Return the first character of `text` that nobody sees, None when there is none.

    Spaces between others are no such character. A joiner is none between two that are seen, and a variation
    selector behind one, unless that is a letter of ASCII, on which neither has an effect.
    """
    if text.isascii():
        return None
    for place, character in enumerate(text):
        if character in _JOINERS:
            is_fit = _joins(text[:place].rstrip("".join(_SELECTORS))[-1:]) and _is_seen(text[place + 1 :][:1])
        elif character in _SELECTORS:
            is_fit = _joins(text[:place][-1:])
        else:
            is_fit = not _is_blank(character)
        if not is_fit:
            return character
    return None


def has_seen(text: str) -> bool:
    """Return whether `text` has a character that is seen by itself: no space, and no mark on another."""
    return any(_is_seen(character) and unicodedata.category(character)[0] != "M" for character in text)


def _joins(before: str) -> bool:
    return _is_seen(before) and not (before.isascii() and before.isalpha())


def _is_seen(character: str) -> bool:
    is_space = not character or character.isspace()
    return not (is_space or _is_blank(character) or character in _JOINERS or character in _SELECTORS)


def _is_blank(character: str) -> bool:
    if character in _BLANKS:
        return True
    return unicodedata.category(character) in ("Cf", "Zl", "Zp") and character not in _SIGNS
