from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import pytest

from pagoda.plugins.loader import check_handlers
from pagoda.plugins.records import PluginRefused, ReasonCode
from pagoda_plugin_sdk import Plugin


def plugin(handler: Callable[..., Any], hook: str = "entity.after_create") -> Plugin:
    """Return a plugin with `handler` for a hook of two arguments."""
    made = type("Made", (Plugin,), {"id": "made", "name": "Made", "handle": handler})
    declared = {
        "hook_name": hook,
        "entity": None,
        "priority": 100,
        "method_name": "handle",
        "deferred": False,
    }
    made._hook_handlers = [{**declared, "handler": handler}]  # type: ignore[attr-defined]
    return made()  # type: ignore[no-any-return]


def exact(self: Any, user: Any, entity: Any) -> None: ...
def with_context(self: Any, user: Any, entity: Any, **kwargs: Any) -> None: ...
def with_default(self: Any, user: Any, entity: Any, more: Any = None) -> None: ...
def with_varargs(self: Any, *args: Any) -> None: ...
def with_keyword(self: Any, user: Any, entity: Any, *, more: Any = None) -> None: ...
def too_few(self: Any, user: Any) -> None: ...
def too_many(self: Any, user: Any, entity: Any, more: Any) -> None: ...
def needs_keyword(self: Any, user: Any, entity: Any, *, more: Any) -> None: ...
async def coroutine(self: Any, user: Any, entity: Any) -> None: ...


@wraps(exact)
def wrapped(*args: Any, **kwargs: Any) -> None: ...


@wraps(too_few)
def wrapped_too_few(*args: Any, **kwargs: Any) -> None: ...


FITTING = {
    "exact": exact,
    "with context": with_context,
    "with a default": with_default,
    "with *args": with_varargs,
    "with an optional keyword": with_keyword,
    "wrapped": wrapped,
}
UNFIT = {
    "too few": too_few,
    "too many": too_many,
    "needs a keyword": needs_keyword,
    "coroutine": coroutine,
    "wrapped, too few": wrapped_too_few,
}


@pytest.mark.parametrize("handler", FITTING.values(), ids=FITTING)
def test_a_handler_that_takes_the_arguments_passes(handler: Callable[..., Any]) -> None:
    check_handlers(plugin(handler), "Plugin 'made'")

    assert plugin(handler)._hook_handlers[0]["handler"] is handler


@pytest.mark.parametrize("handler", UNFIT.values(), ids=UNFIT)
def test_a_handler_that_can_not_is_refused(handler: Callable[..., Any]) -> None:
    with pytest.raises(PluginRefused, match=r"Plugin 'made' has 1 wrong handler\(s\)\. Handler ") as caught:
        check_handlers(plugin(handler), "Plugin 'made'")

    assert caught.value.reason_code is ReasonCode.BAD_SIGNATURE


def test_an_unknown_hook_is_refused() -> None:
    with pytest.raises(
        PluginRefused, match=r"handle: Unknown hook 'entity\.afer_create'\. Did you mean "
    ) as caught:
        check_handlers(plugin(exact, "entity.afer_create"), "Plugin 'made'")

    assert caught.value.reason_code is ReasonCode.UNKNOWN_HOOK
