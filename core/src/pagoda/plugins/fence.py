"""The fence around plugin code at start-up: whatever it raises becomes a reason to skip that plugin."""

from __future__ import annotations

import importlib
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import django

import pagoda
import pagoda_plugin_sdk
from pagoda.fencing.interrupts import is_host_interrupt
from pagoda.plugins.records import PluginRefused, ReasonCode
from pagoda_plugin_sdk.exceptions import PluginValidationError, UnknownHook
from pagoda_plugin_sdk.washing import washed

_OURS = tuple(Path(str(module.__file__)).parent for module in (pagoda, pagoda_plugin_sdk, importlib, django))


@contextmanager
def plugin_fence(code: ReasonCode, doing: str, remedy: str) -> Iterator[None]:
    """Turn what the block raises, SystemExit included, into `PluginRefused`; the host's own interrupt passes.

    `doing` is the beginning of the sentence that goes on with the error, `remedy` the sentence after it.
    """
    try:
        yield
    except PluginRefused:
        raise
    except BaseException as error:  # the fence: recorded as the plugin's reason
        if is_host_interrupt(error):
            raise
        raise PluginRefused(_code_of(error, code), f"{doing}: {describe(error)}. {remedy}") from error


def describe(error: BaseException) -> str:
    """Return the type, text and place of `error` in one line."""
    text = " ".join(washed(error).split()).rstrip(".")
    named = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return named if isinstance(error, SyntaxError) else f"{named}{_place(error)}"


def _place(error: BaseException) -> str:
    """Return the file and line in the plugin that led to the error: a library's line would not help."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not _is_ours(frame.filename)]
    if not frames:
        return ""
    folder = Path(frames[0].filename).parent
    frame = [frame for frame in frames if Path(frame.filename).is_relative_to(folder)][-1]
    path = Path(frame.filename)
    return f" ({path.parent.name}/{path.name}, line {frame.lineno})"


def _is_ours(filename: str) -> bool:
    """Return whether the frame belongs to the host, the SDK, Django or the import machinery."""
    return filename.startswith("<") or any(Path(filename).is_relative_to(folder) for folder in _OURS)


def _code_of(error: BaseException, default: ReasonCode) -> ReasonCode:
    if isinstance(error, UnknownHook):
        return ReasonCode.UNKNOWN_HOOK
    return ReasonCode.INVALID_PLUGIN if isinstance(error, PluginValidationError) else default
