"""The quick look at a handler's code never says yes where a call would fail."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest

from pagoda_plugin_sdk.exceptions import PluginValidationError
from pagoda_plugin_sdk.hooks import HOOK_SPECS, check_signature, takes_plainly

SPEC = HOOK_SPECS["entry.after_create"]


def wrapped(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


class Handlers:
    def exact(self, entity_name: Any, user: Any, entry: Any) -> None: ...
    def with_context(self, entity_name: Any, user: Any, entry: Any, **kwargs: Any) -> None: ...
    def any_number(self, *args: Any) -> None: ...
    def with_default(self, entity_name: Any, user: Any, entry: Any, more: Any = None) -> None: ...
    def two(self, entity_name: Any, user: Any) -> None: ...
    def four(self, entity_name: Any, user: Any, entry: Any, more: Any) -> None: ...
    def needs_keyword(self, entity_name: Any, user: Any, entry: Any, *, more: Any) -> None: ...
    def has_keyword(self, entity_name: Any, user: Any, entry: Any, *, more: Any = 1) -> None: ...
    async def asynchronous(self, entity_name: Any, user: Any, entry: Any) -> None: ...

    @wrapped
    def wrapped_two(self, entity_name: Any, user: Any) -> None: ...

    @wrapped
    def wrapped_three(self, entity_name: Any, user: Any, entry: Any) -> None: ...

    @staticmethod
    def static(entity_name: Any, user: Any, entry: Any) -> None: ...

    @classmethod
    def of_class(cls, entity_name: Any, user: Any, entry: Any) -> None: ...


TAKEN = {
    "exact": True,
    "with_context": True,
    "any_number": True,
    "with_default": True,
    "static": True,
    "of_class": True,
    # The closer look has to settle these.
    "has_keyword": False,
    "wrapped_three": False,
}
REFUSED = ("two", "four", "needs_keyword", "asynchronous", "wrapped_two")


@pytest.mark.parametrize(("name", "is_plain"), TAKEN.items(), ids=TAKEN)
def test_a_handler_that_can_be_called_is_taken(name: str, is_plain: bool) -> None:
    handler = getattr(Handlers(), name)
    assert takes_plainly(handler, 3) is is_plain
    check_signature(SPEC, handler)


@pytest.mark.parametrize("name", REFUSED)
def test_a_handler_that_can_not_be_called_is_refused(name: str) -> None:
    handler = getattr(Handlers(), name)
    assert not takes_plainly(handler, 3)
    with pytest.raises(PluginValidationError, match=name):
        check_signature(SPEC, handler)


def test_a_callable_object_gets_the_closer_look() -> None:
    handler = functools.partial(Handlers().four, "given")
    assert not takes_plainly(handler, 3)
    check_signature(SPEC, handler)
