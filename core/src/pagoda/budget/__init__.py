"""The time budget of plugin code: what runs too long is cut off, and what fails is undone."""

from pagoda.budget.frames import TimeBudgetExceeded
from pagoda.budget.savepoints import TransactionBroken
from pagoda.budget.time_budget import TimeBudget

__all__ = ["TimeBudget", "TimeBudgetExceeded", "TransactionBroken"]
