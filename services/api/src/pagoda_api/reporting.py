"""Tell the error tracker what an endpoint or a URL module did wrong, one event each."""

from __future__ import annotations

import sentry_sdk


def report(error: Exception, *, plugin_id: str | None, surface: str, **tags: str) -> None:
    """Send `error` as one event with its tags; nothing happens when error tracking is off."""
    if not sentry_sdk.is_initialized():
        return
    with sentry_sdk.new_scope() as scope:
        scope.set_tags({"surface": surface, **tags})
        if plugin_id is not None:
            scope.set_tag("plugin", plugin_id)
        scope.capture_exception(error)
