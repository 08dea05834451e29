"""Errors of hooks."""

from __future__ import annotations

from typing import ClassVar

from pagoda.budget.frames import TimeBudgetExceeded
from pagoda_plugin_sdk.exceptions import HookRejected, PagodaError, PluginError
from pagoda_plugin_sdk.rules.saying import say

HookTimeout = TimeBudgetExceeded  # its old name; it goes with the next minor release

type Messages = list[str] | dict[str, list[str]]


class RejectedByPlugin(HookRejected):
    """A plugin's handler refused the write; nothing is stored."""

    def __init__(self, *, plugin_id: str, hook: str, entity: str | None, messages: Messages) -> None:
        self.plugin_id = plugin_id
        self.hook = hook
        self.entity = entity  # name of the entity whose entry, or which itself, was to be written
        self.fields = messages if isinstance(messages, dict) else {}  # {field or attribute name: messages}
        named = [f"{name}: {' '.join(texts)}" for name, texts in self.fields.items()]
        self.messages = named if isinstance(messages, dict) else messages
        subject = say(" of {entity!r}", entity=entity) if entity else ""
        super().__init__(
            say(
                "Plugin {plugin_id!r} refused {hook}{subject}: {messages}",
                plugin_id=plugin_id,
                hook=hook,
                subject=subject,
                messages=" ".join(self.messages),
            )
        )


class HookDepthExceeded(PagodaError):
    """Handlers whose writes start handlers are nested too deeply: most likely one of them starts itself."""

    code: ClassVar[str] = "hook_depth_exceeded"


class HookArgumentsError(PagodaError):
    """A hook was executed with other arguments than its spec names."""

    code: ClassVar[str] = "hook_arguments"


class UnusableResult(PluginError):
    """A handler returned something that its hook can't use."""

    code: ClassVar[str] = "unusable_hook_result"


class HooksNotStarted(PagodaError):
    """The process's hook manager was asked for before Django was set up."""

    code: ClassVar[str] = "hooks_not_started"
