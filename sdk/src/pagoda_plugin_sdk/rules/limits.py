"""How much one write may hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from django.conf import settings


class Limits(Protocol):
    """What the host's settings say."""

    @property
    def domain_max_attributes(self) -> int: ...  # of an entity
    @property
    def domain_max_array_items(self) -> int: ...  # of an array attribute's value
    @property
    def domain_max_choices(self) -> int: ...  # of a select; entities in a referral
    @property
    def domain_max_faults(self) -> int: ...  # that are told of one write


@dataclass(frozen=True, slots=True)
class DefaultLimits:
    """The limits of a host whose settings leave them as they are."""

    domain_max_attributes: int = 1_000
    domain_max_array_items: int = 10_000
    domain_max_choices: int = 1_000
    domain_max_faults: int = 20


_DEFAULTS = DefaultLimits()


def limits() -> Limits:
    """Return the limits of the host in this process; where there is none, the default ones."""
    found: Limits = getattr(settings, "PAGODA", _DEFAULTS) if settings.configured else _DEFAULTS
    return found
