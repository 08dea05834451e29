"""What a check finds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckFinding:
    """Something wrong with a plugin, or, as a warning, something that its author may not mean."""

    code: str  # stable: the reason code under which a host skips or reports the plugin
    text: str
    is_warning: bool = False
