"""A row of numbers as a small line, drawn by the server: what a template needs for its SVG and its text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

WIDTH, HEIGHT, EDGE = 240, 48, 4
"""Of the picture, and what stays empty around the line, in units of its view box."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sparkline:
    """Lines without the places where nothing is known; all of them below one scale."""

    lines: Sequence[str]  # the points of each, as a polyline has them
    most: float | None  # None where nothing is known at all
    last: float | None  # the newest, None where it is not known
    known: int  # how many are

    width = WIDTH
    height = HEIGHT


def sparkline(numbers: Sequence[float | None]) -> Sparkline:
    """Return the line of numbers that are not negative, the oldest first."""
    known = [each for each in numbers if each is not None]
    most = max(known, default=None)
    return Sparkline(
        lines=tuple(_lines(numbers, most or 1.0)),
        most=most,
        last=numbers[-1] if numbers else None,
        known=len(known),
    )


def _lines(numbers: Sequence[float | None], most: float) -> Iterator[str]:
    step = (WIDTH - 2 * EDGE) / max(len(numbers) - 1, 1)
    for is_known, group in groupby(enumerate(numbers), lambda pair: pair[1] is not None):
        if not is_known:
            continue
        points = [
            (EDGE + place * step, HEIGHT - EDGE - (number or 0) / most * (HEIGHT - 2 * EDGE))
            for place, number in group
        ]
        if len(points) == 1:  # a line of one point is not drawn
            points.append((points[0][0] + 1, points[0][1]))
        yield " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
