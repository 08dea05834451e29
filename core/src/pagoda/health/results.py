"""What a readiness check says."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from pagoda_plugin_sdk.exceptions import PagodaError


class CheckFailed(PagodaError):
    """What a check looked at does not work; the message says what and how to mend it."""

    code: ClassVar[str] = "check_failed"


@enum.unique
class CheckStatus(enum.StrEnum):
    """How a check ended."""

    OK = "ok"  # it works
    FAILED = "failed"  # it does not, the text says why
    TIMEOUT = "timeout"  # no answer in time


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a check found when all is well."""

    text: str  # one line for people
    data: Mapping[str, Any] = field(default_factory=dict)  # JSON values for programs


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """The outcome of one check."""

    name: str
    status: CheckStatus
    text: str
    duration_seconds: float
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_ok(self) -> bool:
        """Return whether what was checked works."""
        return self.status is CheckStatus.OK

    def to_json(self) -> dict[str, Any]:
        """Return the result as JSON values."""
        return {
            "status": self.status.value,
            "text": self.text,
            "duration_ms": round(self.duration_seconds * 1000, 1),
            **({"data": dict(self.data)} if self.data else {}),
        }
