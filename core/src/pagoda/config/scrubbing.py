"""Takes secrets out of what leaves the process or is shown, wherever in it they stand."""

from __future__ import annotations

import re
from typing import Any

from sentry_sdk.scrubber import DEFAULT_DENYLIST

from pagoda_plugin_sdk.washing import without_secrets

DENYLIST = [
    *DEFAULT_DENYLIST,
    "token",
    "dsn",
    "database_url",
    "broker_url",
    "basic_auth",
    "params",
    "alert_urls",
    "cache_url",
]
"""Names of values that are replaced before an event leaves the process, at any depth."""


def _words(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+", "_", name).strip("_").lower()


_SECRET_NAME = re.compile(
    r"passw|passphrase|secret|token|apikey|credential"  # also inside of a word
    r"|(?:^|_)(?:pwd|pass|(?:access|signing|encryption)_key|"
    rf"{'|'.join(map(_words, DENYLIST))})s?(?:_|$)"
)


def is_secret_name(name: str) -> bool:
    """Return whether what is called so is taken for a secret, as ``smtp_password`` and ``apiKey`` are."""
    return _SECRET_NAME.search(_words(name)) is not None


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
