"""The README's pictures of the console are there, are what `make screenshots` takes, and are small."""

from __future__ import annotations

import re
import struct
from pathlib import Path

from tools.screenshots import PICTURES, SIZE

ROOT = Path(__file__).resolve().parents[2]
MOST_BYTES = 150_000


def test_four_pictures_are_shown_and_no_other_is_kept() -> None:
    shown = re.findall(r"!\[([^]]+)\]\((docs/screenshots/\w+\.png)\)", (ROOT / "README.md").read_text())
    assert len(shown) == 4
    assert all(len(text) > 20 for text, _ in shown)
    assert {ROOT / path for _, path in shown} == set(PICTURES.iterdir())
    for path in PICTURES.iterdir():
        picture = path.read_bytes()
        assert picture.startswith(b"\x89PNG\r\n\x1a\n"), path
        assert struct.unpack(">II", picture[16:24]) == (SIZE["width"], SIZE["height"]), path
        assert len(picture) < MOST_BYTES, path
