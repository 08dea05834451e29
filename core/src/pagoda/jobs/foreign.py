"""What plugins and clients give a job: checked where it means something, washed where people read it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pagoda.jobs import runtime
from pagoda.jobs.job_errors import InvalidParams
from pagoda_plugin_sdk.rules.saying import say
from pagoda_plugin_sdk.washing import NotJson, json_value, shown, storable_fault, washed

KEY_MAX = 200
FILE_NAME_MAX = 255
FILE_TYPE_MAX = 100
FILE_MAX_BYTES = 20 * 1024 * 1024

_ONE_LINE = str.maketrans("\n\t", "  ")


def job_text(text: object) -> str:
    """Return what people are told of a job, washed and as long as JOB_TEXT_MAX_CHARACTERS allows."""
    return "" if text is None else washed(text, runtime.host_settings().job_text_max_characters)


def params_text(params: Mapping[str, Any] | str) -> str:
    """Return params as the JSON text that is stored.

    Raises:
        InvalidParams: they hold something else than JSON values, or are larger than JOB_PARAMS_MAX_BYTES.
    """
    most = runtime.host_settings().job_params_max_bytes
    if isinstance(params, str):
        given: object = _parsed(params, most)  # tasks of the raw form may read any JSON text
    elif isinstance(params, Mapping):
        given = dict(params)
    else:
        raise InvalidParams(f"Params of a job are {shown(params)}, expected a dict or the JSON text of one.")
    try:
        value = json_value(given, "params", max_bytes=most, setting="JOB_PARAMS_MAX_BYTES")
    except NotJson as error:
        raise InvalidParams(f"Params of a job can't be stored: {error}.") from error
    return params if isinstance(params, str) else json.dumps(value)


def checked_result(result: Any) -> Any:
    """Return `result` when it can be stored. Any: JSON.

    Raises:
        InvalidParams: it is no JSON value, or larger than JOB_RESULT_MAX_BYTES.
    """
    most = runtime.host_settings().job_result_max_bytes
    try:
        return json_value(result, "result", max_bytes=most, setting="JOB_RESULT_MAX_BYTES")
    except NotJson as error:
        raise InvalidParams(
            f"Result of the task can't be stored: {error}. Attach a file for what is large or no JSON."
        ) from error


def checked_key(key: object, name: str, *, prefix: str = "") -> str:
    """Return a key of a job as it is stored: after `prefix`; "" stays "".

    Raises:
        InvalidParams: it is no text, too long, or no column can hold it.
    """
    if not isinstance(key, str):
        raise InvalidParams(f"The {name} is {shown(key)}, expected text.")
    most = KEY_MAX - len(prefix)
    fault = (
        f"has {len(key):,} characters, at most {most} are allowed" if len(key) > most else storable_fault(key)
    )
    if fault is not None:
        raise InvalidParams(f"The {name} {fault}.")
    return f"{prefix}{key}"


def file_facts(name: object, content_type: object) -> tuple[str, str]:
    """Return the name and the media type of a file as they are stored: one line each."""
    return (
        washed(name, FILE_NAME_MAX).translate(_ONE_LINE),
        washed(content_type, FILE_TYPE_MAX).translate(_ONE_LINE),
    )


def _parsed(text: str, max_bytes: int) -> object:
    if len(text) > max_bytes:
        raise InvalidParams(
            say(
                "Params of a job have {count:,} bytes, JOB_PARAMS_MAX_BYTES allows {max_bytes:,} at "
                "most; shorten them.",
                count=len(text),
                max_bytes=max_bytes,
            )
        )
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidParams(
            f"Params of a job are {shown(text)}, expected a dict or the JSON text of one: {washed(error)}."
        ) from error
