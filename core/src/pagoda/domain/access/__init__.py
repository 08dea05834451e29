"""Who may see and change what: the host's permissions as querysets and checks."""

from pagoda.domain.access.checks import require
from pagoda.domain.access.querysets import (
    attrinfo_after_write,
    attrinfo_for,
    entity_attrinfo,
    entity_attrinfo_for,
    readable,
)

__all__ = [
    "attrinfo_after_write",
    "attrinfo_for",
    "entity_attrinfo",
    "entity_attrinfo_for",
    "readable",
    "require",
]
