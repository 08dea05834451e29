"""Who may refuse a write, and what is said of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from pydantic import BaseModel
from rest_framework.exceptions import ValidationError as DRFValidationError
from structlog.testing import capture_logs

from pagoda.hooks.manager import HookManager
from pagoda.hooks.rejections import RejectedByPlugin
from pagoda_plugin_sdk.exceptions import HookRejected
from pagoda_plugin_sdk.hooks import HOOK_SPECS, HookKind

from .conftest import Calls

BEFORE = [name for name, spec in HOOK_SPECS.items() if spec.is_before]
OTHERS = [n for n, spec in HOOK_SPECS.items() if not spec.is_before and spec.kind is not HookKind.VETO]


def validate(hooks: HookManager) -> Any:
    return hooks.execute_hook("entry.validate", None, "customer", "n", [], None)


def raising(error: BaseException) -> Any:
    def handle(*_args: Any) -> None:
        raise error

    return handle


class Version(BaseModel):
    major: int


def pydantic_error() -> ValueError:
    with pytest.raises(ValueError) as raised:
        Version.model_validate({})
    return raised.value


def json_error() -> ValueError:
    with pytest.raises(ValueError) as raised:
        json.loads("{")
    return raised.value


@pytest.mark.parametrize(
    ("error", "messages", "fields"),
    [
        pytest.param(ValueError("no"), ["no"], {}, id="ValueError"),
        pytest.param(ValueError(), ["ValueError without a message"], {}, id="empty"),
        pytest.param(HookRejected("no"), ["no"], {}, id="HookRejected"),
        pytest.param(ValidationError("no"), ["no"], {}, id="django"),
        pytest.param(ValidationError(["a", "b"]), ["a", "b"], {}, id="django-list"),
        pytest.param(ValidationError({"ip": ["bad"]}), ["ip: bad"], {"ip": ["bad"]}, id="django-fields"),
        pytest.param(DRFValidationError("no"), ["no"], {}, id="drf"),
        pytest.param(DRFValidationError({"ip": ["bad"]}), ["ip: bad"], {"ip": ["bad"]}, id="drf-fields"),
        pytest.param(
            DRFValidationError({"disks": [{"size": ["too big"]}, {}]}),
            ["disks: size: too big"],
            {"disks": ["size: too big"]},
            id="drf-nested",
        ),
    ],
)
def test_a_validation_handler_refuses_the_write(
    hooks: HookManager, calls: Calls, error: Exception, messages: list[str], fields: dict[str, list[str]]
) -> None:
    refusing = hooks.register_hook("entry.validate", raising(error), plugin_id="inventory")
    after = hooks.register_hook("entry.validate", calls.handler("later"))
    with capture_logs() as logs, pytest.raises(HookRejected) as raised:
        validate(hooks)
    rejection = raised.value
    assert isinstance(rejection, RejectedByPlugin)
    assert (rejection.plugin_id, rejection.hook, rejection.entity) == (
        "inventory",
        "entry.validate",
        "customer",
    )
    assert rejection.messages == messages
    assert rejection.fields == fields
    assert rejection.code == "hook_rejected"
    assert rejection.__cause__ is error
    assert str(rejection) == f"Plugin 'inventory' refused entry.validate of 'customer': {' '.join(messages)}"
    assert calls.names == []
    assert [(log["event"], log["log_level"], log["plugin"]) for log in logs] == [
        ("hook_rejected", "info", "inventory")
    ]
    figures = hooks.statistics(refusing)
    assert (figures.calls, figures.rejected, figures.failures) == (1, 1, 0)
    assert hooks.statistics(after).calls == 0


@pytest.mark.parametrize("make", [pydantic_error, json_error])
def test_a_kind_of_value_error_refuses_too(hooks: HookManager, make: Any) -> None:
    error = make()
    hooks.register_hook("entry.validate", raising(error))
    with pytest.raises(RejectedByPlugin) as raised:
        validate(hooks)
    assert raised.value.messages == [str(error)]


@pytest.mark.parametrize(
    "error",
    [TypeError("oops"), KeyError("oops"), RuntimeError("oops"), SystemExit(3), GeneratorExit()],
    ids=repr,
)
def test_any_other_error_of_a_validation_is_contained(
    hooks: HookManager, calls: Calls, error: BaseException
) -> None:
    record = hooks.register_hook("entry.validate", raising(error))
    hooks.register_hook("entry.validate", calls.handler("later"))
    validate(hooks)
    assert calls.names == ["later"]
    assert hooks.statistics(record).failures == 1


@pytest.mark.parametrize("raised", [SystemExit, KeyboardInterrupt, GeneratorExit, ValueError])
@pytest.mark.parametrize("shape", [lambda text: text, lambda text: {"name": [text]}], ids=["text", "fields"])
def test_a_refusal_whose_messages_end_who_reads_them_refuses(
    hooks: HookManager, monkeypatch: pytest.MonkeyPatch, raised: type[BaseException], shape: Any
) -> None:
    class Mute(ValidationError):
        def __iter__(self) -> Any:
            raise raised

        messages = message_dict = property(__iter__)

    monkeypatch.setattr("signal.getsignal", lambda _signal: print)
    hooks.register_hook("entry.validate", raising(Mute(shape("no"))), plugin_id="p")
    with pytest.raises(RejectedByPlugin) as refused:
        validate(hooks)
    assert refused.value.messages == ["Mute with messages that can't be shown"]


@pytest.mark.parametrize("hook", BEFORE)
def test_a_before_hook_refuses_by_hook_rejected(hooks: HookManager, hook: str) -> None:
    hooks.register_hook(hook, raising(HookRejected("not on Sundays")), plugin_id="p")
    with pytest.raises(RejectedByPlugin) as raised:
        hooks.execute_hook(hook, *[{"name": "customer"} for _ in HOOK_SPECS[hook].arguments])
    assert raised.value.messages == ["not on Sundays"]
    assert raised.value.hook == hook


@pytest.mark.parametrize("error", [ValueError("oops"), ValidationError("oops")], ids=["ValueError", "django"])
@pytest.mark.parametrize("hook", BEFORE)
def test_a_before_hook_refuses_by_nothing_else(hooks: HookManager, hook: str, error: Exception) -> None:
    record = hooks.register_hook(hook, raising(error))
    hooks.execute_hook(hook, *[{} for _ in HOOK_SPECS[hook].arguments])
    assert hooks.statistics(record).failures == 1


@pytest.mark.parametrize("hook", OTHERS)
def test_other_hooks_can_not_refuse(hooks: HookManager, hook: str) -> None:
    record = hooks.register_hook(hook, raising(HookRejected("too late")))
    hooks.execute_hook(hook, *[[] for _ in HOOK_SPECS[hook].arguments])
    assert hooks.statistics(record).failures == 1
    assert hooks.statistics(record).rejected == 0


def test_a_nested_refusal_names_the_plugin_that_passed_it_on(hooks: HookManager) -> None:
    hooks.register_hook("entry.before_delete", raising(HookRejected("it is in use")), plugin_id="inner")

    def delete_something(*_args: Any) -> None:
        hooks.execute_hook("entry.before_delete", "product", None, None)

    hooks.register_hook("entry.validate", delete_something, plugin_id="outer")
    with pytest.raises(RejectedByPlugin) as raised:
        validate(hooks)
    assert raised.value.plugin_id == "outer"
    assert raised.value.messages == ["Plugin 'inner' refused entry.before_delete of 'product': it is in use"]
