from __future__ import annotations

import pytest

from pagoda.plugins.fence import plugin_fence
from pagoda.plugins.records import PluginRefused, ReasonCode
from pagoda_plugin_sdk.exceptions import PluginValidationError, UnknownHook


def fenced(error: BaseException) -> PluginRefused:
    with (
        pytest.raises(PluginRefused) as caught,
        plugin_fence(ReasonCode.IMPORT_FAILED, "It fails", "Mend it."),
    ):
        raise error
    return caught.value


@pytest.mark.parametrize(
    "error",
    [RuntimeError("no"), SystemExit(3), GeneratorExit(), StopIteration(), BaseException("odd")],
    ids=lambda error: type(error).__name__,
)
def test_everything_a_plugin_raises_becomes_a_refusal(error: BaseException) -> None:
    refused = fenced(error)

    assert refused.reason_code is ReasonCode.IMPORT_FAILED
    assert refused.__cause__ is error
    assert str(refused).startswith(f"It fails: {type(error).__name__}")
    assert str(refused).endswith(". Mend it.")


def test_the_interrupt_of_an_operator_passes() -> None:
    with pytest.raises(KeyboardInterrupt), plugin_fence(ReasonCode.IMPORT_FAILED, "It fails", "Mend it."):
        raise KeyboardInterrupt


def test_a_refusal_passes_as_it_is() -> None:
    refused = PluginRefused(ReasonCode.BAD_TASKS, "already said")

    assert fenced(refused) is refused


@pytest.mark.parametrize(
    ("error", "code"),
    [(UnknownHook("x"), ReasonCode.UNKNOWN_HOOK), (PluginValidationError("x"), ReasonCode.INVALID_PLUGIN)],
)
def test_errors_of_the_contract_have_their_own_reason(error: Exception, code: ReasonCode) -> None:
    assert fenced(error).reason_code is code


def test_a_text_of_several_lines_becomes_one() -> None:
    assert "RuntimeError: one two (" in str(fenced(RuntimeError("one\n   two.")))
