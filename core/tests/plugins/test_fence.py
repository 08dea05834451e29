from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from pagoda.fencing.interrupts import HostInterrupt, OperatorInterrupt, tell_interrupts_apart
from pagoda.plugins.fence import plugin_fence
from pagoda.plugins.records import PluginRefused, ReasonCode
from pagoda_plugin_sdk.exceptions import PluginValidationError, UnknownHook


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Take Ctrl-C as a command line does that has started the plugins."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    tell_interrupts_apart()
    yield
    signal.signal(signal.SIGINT, before)


def fenced(error: BaseException) -> PluginRefused:
    with (
        pytest.raises(PluginRefused) as caught,
        plugin_fence(ReasonCode.IMPORT_FAILED, "It fails", "Mend it."),
    ):
        raise error
    return caught.value


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("no"),
        SystemExit(3),
        GeneratorExit(),
        StopIteration(),
        BaseException("odd"),
        KeyboardInterrupt(),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.usefixtures("ctrl_c")
def test_everything_a_plugin_raises_becomes_a_refusal(error: BaseException) -> None:
    refused = fenced(error)

    assert refused.reason_code is ReasonCode.IMPORT_FAILED
    assert refused.__cause__ is error
    assert str(refused).startswith(f"It fails: {type(error).__name__}")
    assert str(refused).endswith(". Mend it.")


@pytest.mark.usefixtures("ctrl_c")
def test_the_interrupt_of_an_operator_passes() -> None:
    with pytest.raises(OperatorInterrupt), plugin_fence(ReasonCode.IMPORT_FAILED, "It fails", "Mend it."):
        signal.raise_signal(signal.SIGINT)


def test_before_they_are_told_apart_an_interrupt_is_the_operators(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("signal.getsignal", lambda _signal: signal.default_int_handler)
    with pytest.raises(KeyboardInterrupt), plugin_fence(ReasonCode.IMPORT_FAILED, "It fails", "Mend it."):
        raise KeyboardInterrupt


def test_the_end_of_a_process_passes() -> None:
    with pytest.raises(HostInterrupt), plugin_fence(ReasonCode.IMPORT_FAILED, "It fails", "Mend it."):
        raise HostInterrupt


def test_a_handler_of_somebody_else_stays(ctrl_c: None) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    tell_interrupts_apart()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


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
