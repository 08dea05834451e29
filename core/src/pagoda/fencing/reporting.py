"""Tell the error tracker what plugin code did wrong: one event each, grouped by plugin and error."""

from __future__ import annotations

import sentry_sdk

from pagoda.budget.frames import TimeBudgetExceeded
from pagoda.fencing.outcomes import Surface
from pagoda_plugin_sdk.washing import washed_error


def described(error: BaseException) -> str:
    """Return type and text of what plugin code raised, washed: one form wherever it is shown or kept."""
    if isinstance(error, TimeBudgetExceeded):
        return str(error)
    return washed_error(error)


def report_error(
    error: BaseException, *, plugin: str | None, surface: Surface, name: str, **tags: str | None
) -> None:
    """Send `error` as one event with its tags; nothing happens while error tracking is off.

    `name` is the hook's, the view's or the operation's; None stands for the host as `plugin`, and among
    `tags` for one that does not apply.
    """
    if not sentry_sdk.is_initialized():
        return
    with sentry_sdk.new_scope() as scope:
        given = {"plugin": plugin, "surface": surface, **tags}
        scope.set_tags({tag: value for tag, value in given.items() if value is not None})
        if plugin is not None:
            # The place in the code says little: a handler that hangs is cut off wherever it happens to be.
            scope.fingerprint = [plugin, surface, name, type(error).__qualname__]
        try:
            scope.capture_exception(error)
        except BaseException:  # noqa: BLE001 - it asks the foreign error for its text
            scope.capture_message(described(error), level="error")
