"""Static files: compressed where that helps, whole where somebody asks for a part."""

from __future__ import annotations

import gzip
from typing import Any

import pytest

pytestmark = pytest.mark.django_db

CSS, SCRIPT = "/static/console/console.css", "/static/django_htmx/htmx-2.min.js"
ASKS = {"Accept-Encoding": "gzip"}


def content(response: Any) -> bytes:
    return b"".join(response.streaming_content) if response.streaming else response.content


@pytest.mark.parametrize("path", [CSS, SCRIPT])
def test_they_are_compressed_for_whoever_can_read_it(client: Any, path: str) -> None:
    plain, small = client.get(path), client.get(path, headers=ASKS)
    whole, sent = content(plain), content(small)

    assert (plain.status_code, small.status_code) == (200, 200)
    assert (small["Content-Encoding"], small["Vary"]) == ("gzip", "Accept-Encoding")
    assert len(sent) < len(whole) / 2
    assert gzip.decompress(sent) == whole
    assert "Content-Encoding" not in plain


def test_a_part_of_one_is_sent_as_it_is(client: Any) -> None:
    part = client.get(SCRIPT, headers=ASKS | {"Range": "bytes=0-999"})

    assert (part.status_code, "Content-Encoding" in part) == (206, False)
    assert len(content(part)) == 1_000


@pytest.mark.parametrize("path", ["/console/login/", "/api/v2/schema/"])
def test_pages_and_answers_are_not_compressed(client: Any, path: str) -> None:
    response = client.get(path, headers=ASKS)

    assert (response.status_code, "Content-Encoding" in response) == (200, False)
