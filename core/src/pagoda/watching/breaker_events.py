"""What becomes of breakers, for the audit log."""

from __future__ import annotations

from pagoda.audit.actions import Action
from pagoda.audit.recording import record


def record_change(
    *, plugin: str, surface: str, old: str, new: str, reason: str, dry_run: bool, **_signal: object
) -> None:
    """Record one transition; `breaker_changed` is sent once for each."""
    record(
        Action.BREAKER_CHANGED,
        subject_type="breaker",
        subject_id=f"{plugin}/{surface}",
        subject=f"{plugin} {surface}",
        details={"old": old, "new": new, "reason": reason, "dry_run": dry_run},
        plugin=plugin,
    )
