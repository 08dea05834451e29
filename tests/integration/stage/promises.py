"""The table at the end of a run: what was promised, and what was measured."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Promises:
    """Call it with a promise and its figure; the table shows them in the order of the tests."""

    figures: list[tuple[str, str]] = field(default_factory=list)

    def __call__(self, promise: str, figure: str) -> None:
        """Note the figure of a promise that was kept."""
        self.figures.append((promise, figure))

    def lines(self) -> list[str]:
        """Return the table."""
        width = max((len(promise) for promise, _ in self.figures), default=0)
        return [f"{promise:<{width}}  {figure}" for promise, figure in self.figures]
