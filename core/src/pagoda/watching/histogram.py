"""Durations in fixed buckets, as processes can add them up without knowing each other's."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from math import inf

BOUNDS = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, inf)
"""Upper bounds of the buckets, in seconds."""


def bucket_of(seconds: float) -> int:
    """Return the number of the bucket that a duration falls into."""
    return bisect_left(BOUNDS, seconds)


def percentile(counts: Sequence[int], share: float) -> float | None:
    """Return the duration that `share` of all stay within, interpolated inside its bucket; None without any.

    What is beyond the last bound counts as that bound.
    """
    total = sum(counts)
    if not total:
        return None
    wanted, seen, lower = share * total, 0, 0.0
    for count, bound in zip(counts, BOUNDS, strict=True):
        if count and seen + count >= wanted:
            return lower if bound == inf else lower + (bound - lower) * (wanted - seen) / count
        seen, lower = seen + count, bound
    return lower
