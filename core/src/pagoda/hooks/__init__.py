"""Hooks: how plugins take part in the changes of entities and entries."""

from pagoda.hooks.arguments import HookArgumentsError
from pagoda.hooks.dispatch import HookDepthExceeded
from pagoda.hooks.manager import HookManager
from pagoda.hooks.records import Explanation, HandlerRecord
from pagoda.hooks.rejections import RejectedByPlugin
from pagoda.hooks.results import UnusableResult

__all__ = [
    "Explanation",
    "HandlerRecord",
    "HookArgumentsError",
    "HookDepthExceeded",
    "HookManager",
    "RejectedByPlugin",
    "UnusableResult",
]
