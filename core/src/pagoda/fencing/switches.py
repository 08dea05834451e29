"""What operators switched on for single plugins, as those who decide by it read it."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from django.apps import apps
from django.db import DatabaseError, connection
from django.db.models import Q
from django.db.models.functions import Now

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from pagoda.fencing.models import PluginSwitch


@enum.unique
class SwitchKind(enum.StrEnum):
    """What can be switched on for a plugin. The values are stable."""

    DRY_RUN = "dry_run"  # its breakers decide and tell, and take nothing of it out of service
    SILENCE = "silence"  # its alerts are logged, and nobody is sent a notice


def switched_on() -> QuerySet[PluginSwitch]:
    """Return the switches that hold now, by the database's clock."""
    rows: QuerySet[PluginSwitch] = apps.get_model("fencing", "PluginSwitch")._default_manager.all()
    return rows.filter(Q(until=None) | Q(until__gt=Now()))


def plugins_with(kind: SwitchKind) -> frozenset[str]:
    """Return the plugins for which this is switched on; one query."""
    return frozenset(switched_on().filter(kind=kind).values_list("plugin", flat=True))


def plugins_in_dry_run() -> frozenset[str] | None:
    """Return the plugins whose breakers run dry; None when that can't be asked now.

    Inside of a transaction it is not asked: a fault there would undo what the transaction is of.
    """
    if connection.in_atomic_block:
        return None
    try:
        return plugins_with(SwitchKind.DRY_RUN)
    except DatabaseError:
        return None
