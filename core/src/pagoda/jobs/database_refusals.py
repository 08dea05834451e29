"""What the database refuses to the account of a plugin's worker, in words that say how to allow it."""

from __future__ import annotations

import json
import re

from django.db import Error, connection

from pagoda.config.accounts import is_plugins
from pagoda_plugin_sdk.exceptions import PluginSecurityError

REFUSED = "42501"  # PostgreSQL's insufficient_privilege: a right or a policy is missing

_PERMISSIONS = (
    (re.compile(r'policy for table "(entry_\w+)"'), "entry:write"),
    (re.compile(r'policy for table "(entity_\w+)"'), "entity:write"),
    (re.compile(r"permission denied for table (entry_\w+|entity_\w+)"), "entry:read"),
    (re.compile(r"permission denied for \w+ (user_user)"), "user:read"),
    (re.compile(r'permission denied for jobs of plugin "([^"]+)"'), "job:submit:{0}"),
)


def explained(error: BaseException, plugin_id: str) -> BaseException:
    """Return `error`, or where the database refused a plugin's account something, what would allow it."""
    cause = error.__cause__
    if (
        not isinstance(error, Error)
        or getattr(cause, "sqlstate", None) != REFUSED
        or not is_plugins(connection.settings_dict["USER"])
    ):
        return error
    text = str(error).partition("\n")[0]
    fact = f"The worker of plugin {plugin_id!r} may not do this at the database: {text}."
    refusal = PluginSecurityError(f"{fact} {_remedy(text, plugin_id)}")
    refusal.__cause__ = error
    return refusal.with_traceback(error.__traceback__)


def _remedy(text: str, plugin_id: str) -> str:
    for pattern, permission in _PERMISSIONS:
        if (found := pattern.search(text)) is not None:
            line = json.dumps({plugin_id: [permission.format(found[1])]})
            return (
                "If it may, have its class ask for that in `permissions` (or for entry:write, entity:write) "
                f"and add PLUGIN_PERMISSIONS={line}, then run `pagoda migrate`."
            )
    return "No permission allows it."
