"""Hooks: how plugins take part in the changes of entities and entries."""

from pagoda.hooks.errors import (
    HookArgumentsError,
    HookDepthExceeded,
    HookTimeout,
    RejectedByPlugin,
    TransactionBroken,
    UnusableResult,
)
from pagoda.hooks.explanations import Explanation
from pagoda.hooks.manager import HookManager
from pagoda.hooks.records import HandlerRecord

__all__ = [
    "Explanation",
    "HandlerRecord",
    "HookArgumentsError",
    "HookDepthExceeded",
    "HookManager",
    "HookTimeout",
    "RejectedByPlugin",
    "TransactionBroken",
    "UnusableResult",
]
