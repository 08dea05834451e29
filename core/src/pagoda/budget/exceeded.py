"""What code gets that runs past its time budget."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pagoda.budget.frames import Frame


class TimeBudgetExceeded(BaseException):
    """Raised inside code that ran past its time budget.

    No `Exception`, as ``except Exception`` is what plugins wrap their loops in. It never leaves the fence of
    the code it is meant for.
    """

    def __init__(self, frame: Frame, seconds: float) -> None:
        super().__init__(f"cut off: it ran longer than its time budget of {seconds:g} s")
        self.frame = frame  # of the code that is cut off, which may have started other code
