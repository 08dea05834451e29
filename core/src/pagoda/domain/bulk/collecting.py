"""When Python's garbage collector runs during a write of many entries: not in the middle."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Keep the garbage collector from running in the block, which is short: a thousand entries at most.

    What many entries are made of lives to the end of their write and is in no cycles. The collector would
    walk all of it again and again, and all of the process with it: a quarter of what an import took of CPU.
    Blocks may nest, in threads too: the collector is on again when the one ends that found it on.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
