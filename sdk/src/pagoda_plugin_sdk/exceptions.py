"""The error tree of the plugin contract.

Every error carries a stable ``code`` (snake case, for programs) beside its message (for people).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from itertools import islice
from typing import ClassVar

from pagoda_plugin_sdk.rules.saying import say


class PagodaError(Exception):
    """Root of every error that Pagoda raises on purpose."""

    code: ClassVar[str] = "pagoda_error"


class PluginError(PagodaError):
    """A plugin, or something said about a plugin, is at fault."""

    code: ClassVar[str] = "plugin_error"


class PluginLoadError(PluginError):
    """A plugin can't be found, imported or ordered."""

    code: ClassVar[str] = "plugin_load_error"


class PluginValidationError(PluginError, ValueError):
    """A plugin declares something that the contract does not allow."""

    code: ClassVar[str] = "plugin_validation_error"


class ParamsRefused(PluginValidationError):
    """What a job is given does not fit the `params_model` of its task; no job is made.

    The API answers 400 with the faults by field.
    """

    code: ClassVar[str] = "params_refused"

    def __init__(self, faults: Mapping[str, Sequence[str]], task: str = "") -> None:
        """Take faults by their fields, "" for those of no field, and ``plugin.operation`` if known."""
        self.faults = {field: list(messages) for field, messages in faults.items()}
        listed = [f"`{field or 'params'}`: {' '.join(told)}" for field, told in self.faults.items()]
        whose = f" of task {task}" if task else ""
        super().__init__(f"Params{whose} are wrong: {'; '.join(listed).rstrip('.')}.")


class PluginSecurityError(PluginError):
    """A plugin asks for more than it declared or than its user may do."""

    code: ClassVar[str] = "plugin_security_error"


class PluginNotNamed(PluginError, NotImplementedError):
    """A view neither names its plugin nor was reached through a plugin's URL."""

    code: ClassVar[str] = "plugin_not_named"


class UnknownHook(PluginValidationError):
    """No hook has this name."""

    code: ClassVar[str] = "unknown_hook"


class ModelsNotInjected(PluginError):
    """A host model was used before the host handed its models to the SDK."""

    code: ClassVar[str] = "models_not_injected"


class HookRejected(PluginError):
    """Raised by a validation or before-hook handler to refuse the write.

    The API answers 400 with the plugin and the message; nothing is stored.
    """

    code: ClassVar[str] = "hook_rejected"


class InterfaceError(PagodaError):
    """A plugin's own: something does not offer what its interface says."""

    code: ClassVar[str] = "interface_error"


class AuthenticationError(PagodaError):
    """A plugin's own: it can't tell who asks. REST framework's errors are those that answer 401 and 403."""

    code: ClassVar[str] = "authentication_error"


class AuthorizationError(PagodaError):
    """A plugin's own: whoever asks may not do this."""

    code: ClassVar[str] = "authorization_error"


class DataAccessError(PagodaError):
    """A plugin's own: data can't be read or stored."""

    code: ClassVar[str] = "data_access_error"


class HookExecutionError(PagodaError):
    """A plugin's own: a handler can't do its work. The host contains it, as whatever a handler raises."""

    code: ClassVar[str] = "hook_execution_error"


class JobCanceled(PagodaError):
    """Raised inside a task by ``job.checkpoint()`` once somebody cancelled the job."""

    code: ClassVar[str] = "job_canceled"


class JobTimeLimitExceeded(PagodaError):
    """Raised inside a task when it runs past its soft time limit."""

    code: ClassVar[str] = "job_time_limit_exceeded"


_COMPARED_CHARACTERS = 100
COMPARED_NAMES = 1_000


def near_misses(name: str, known: Iterable[str]) -> str:
    """Return ``" Did you mean 'a', 'b'?"`` for the known names closest to `name`, or ``""``.

    A name of more than 100 characters is nobody's slip, and no more than `COMPARED_NAMES` are read.
    """
    if len(name) > _COMPARED_CHARACTERS:
        return ""
    close = get_close_matches(name, sorted(islice(known, COMPARED_NAMES)), n=3, cutoff=0.6)
    return say(" Did you mean {names}?", names=", ".join(map(repr, close))) if close else ""
