"""Takes secrets out of events that leave the process, wherever in them they stand."""

from __future__ import annotations

from typing import Any

from pagoda_plugin_sdk.washing import without_secrets


def scrubbed(value: Any) -> Any:  # Any: JSON values, and what Sentry's client turns into them
    """Return `value` with the secrets in its texts replaced, at any depth."""
    match value:
        case str():
            return without_secrets(value)
        case dict():
            return {key: scrubbed(each) for key, each in value.items()}
        case list() | tuple():
            return [scrubbed(each) for each in value]
        case _:
            return value
