"""Tell a handler's refusal of a write from its failure, and put it into words."""

from __future__ import annotations

import sys
from typing import Any

from django.core.exceptions import ValidationError

from pagoda.fencing.interrupts import is_host_interrupt
from pagoda.hooks.records import HandlerRecord
from pagoda_plugin_sdk.exceptions import HookRejected
from pagoda_plugin_sdk.hooks import HookKind, HookSpec
from pagoda_plugin_sdk.rules.saying import say
from pagoda_plugin_sdk.washing import washed

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


def is_rejection(spec: HookSpec, error: BaseException) -> bool:
    """Return whether `error`, raised by a handler of this hook, refuses the write."""
    if isinstance(error, HookRejected):
        return spec.is_before or spec.kind is HookKind.VETO
    return spec.kind is HookKind.VETO and isinstance(error, (ValueError, ValidationError, *_drf_errors()))


def messages_of(error: BaseException) -> Messages:
    """Return what a refusing handler says: texts, or texts by field where it named fields."""
    try:
        if isinstance(error, ValidationError):
            return _texts(error.message_dict if hasattr(error, "error_dict") else error.messages)
        if isinstance(error, _drf_errors()):
            return _texts(getattr(error, "detail", None))
    except BaseException as unreadable:  # a plugin's messages: reading them runs its code
        if is_host_interrupt(unreadable):
            raise
        return [f"{type(error).__name__} with messages that can't be shown"]
    return [washed(error) or f"{type(error).__name__} without a message"]


def _drf_errors() -> tuple[type[BaseException], ...]:
    # Not imported here: DRF needs configured Django, and who raises its error has imported it.
    module = sys.modules.get("rest_framework.exceptions")
    return (module.ValidationError,) if module else ()


def _texts(detail: Any) -> Messages:
    """Flatten error messages, dicts and lists of texts at any depth, and wash them; Any: DRF types it so."""
    if isinstance(detail, dict):
        return {washed(field): _flat(value) for field, value in detail.items()}
    return _flat(detail)


def _flat(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [f"{washed(field)}: {text}" for field, item in value.items() for text in _flat(item)]
    if isinstance(value, list | tuple):
        return [text for item in value for text in _flat(item)]
    return [washed(value)]


def refuse_unseen(record: HandlerRecord, *_args: Any, **_context: Any) -> None:
    """Refuse a write in place of a validation that can't give its verdict and must not be left out.

    Any: a hook's arguments and context are data of every type.

    Raises:
        HookRejected: always.
    """
    raise refusal_of(record)


def refusal_of(record: HandlerRecord) -> HookRejected:
    """Return what a validation says that fails closed and could not give its verdict."""
    return HookRejected(
        say(
            "plugin {record!r} can't check it at the moment, and nothing is stored unchecked. "
            "Try again later, or ask the operators of this host.",
            record=record.plugin_id,
        )
    )
