"""Small lines: where they run, and what is said of them to who does not see them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pagoda.watching.queue_minutes import note
from pagoda_api.console.sparkline import EDGE, HEIGHT, WIDTH, sparkline
from pagoda_api.testing.host import browser_of
from pagoda_plugin_sdk import Plugin


def points_of(line: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, _, y in (pair.partition(",") for pair in line.split())]


def test_a_line_goes_from_edge_to_edge_and_ends_where_nothing_is_known() -> None:
    drawn = sparkline([0, 10, None, None, 5])
    assert [drawn.most, drawn.last, drawn.known] == [10, 5, 3]
    first, second = [points_of(line) for line in drawn.lines]
    assert first == [(EDGE, HEIGHT - EDGE), (EDGE + (WIDTH - 2 * EDGE) / 4, EDGE)]
    assert len(second) == 2
    assert second[0] == (WIDTH - EDGE, HEIGHT / 2)


@pytest.mark.parametrize(("numbers", "lines"), [([], 0), ([None, None], 0), ([0], 1), ([0, 0, 0], 1)])
def test_nothing_and_zeros_stay_within_the_picture(numbers: list[float | None], lines: int) -> None:
    drawn = sparkline(numbers)
    assert len(drawn.lines) == lines
    assert all(0 <= x <= WIDTH + 1 and 0 <= y <= HEIGHT for line in drawn.lines for x, y in points_of(line))


@pytest.mark.django_db
def test_the_page_of_a_plugin_draws_its_queue_and_says_the_same_in_words(
    register: Callable[[Any], Any], ann: Any
) -> None:
    class Shelf(Plugin):
        id = name = "shelf"
        version = "1.0.0"

    register(Shelf())
    browser = browser_of(ann)
    text = browser.get("/console/plugins/shelf/").content.decode()
    assert "nothing is known" in text
    assert "<polyline" not in text
    note()
    text = browser.get("/console/plugins/shelf/").content.decode()
    assert text.count("<polyline") == 2
    assert text.count("at most 0, known of 1 minutes, now 0") == 2
