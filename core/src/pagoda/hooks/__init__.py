"""Hooks: how plugins take part in the changes of entities and entries."""

from pagoda.hooks.errors import (
    HookArgumentsError,
    HookDepthExceeded,
    RejectedByPlugin,
    UnusableResult,
)
from pagoda.hooks.manager import HookManager
from pagoda.hooks.records import Explanation, HandlerRecord

__all__ = [
    "Explanation",
    "HandlerRecord",
    "HookArgumentsError",
    "HookDepthExceeded",
    "HookManager",
    "RejectedByPlugin",
    "UnusableResult",
]
