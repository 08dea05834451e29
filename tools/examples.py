"""How many examples hypothesis makes: few in a developer's loop, all where `THOROUGH` is set, as CI does."""

from __future__ import annotations

import os

THOROUGH = "THOROUGH"
"""The variable of the environment; any text in it means all examples."""


def is_thorough() -> bool:
    """Tell whether all examples are wanted."""
    return bool(os.environ.get(THOROUGH))


def examples(all_of_them: int, *, quick: int) -> int:
    """Return how many examples to make now."""
    return all_of_them if is_thorough() else quick
