"""The admin: the tables of the host as operators see them, read-only where services do the writing."""

from pagoda_api.admin.accounts import ApiTokenAdmin, RefusingGroupAdmin, RefusingUserAdmin, RoleAdmin
from pagoda_api.admin.operating import AlertStateAdmin, AuditEventAdmin, BreakerAdmin, JobAdmin, PresenceAdmin
from pagoda_api.admin.records import EntityAdmin, EntryAdmin

__all__ = [
    "AlertStateAdmin",
    "ApiTokenAdmin",
    "AuditEventAdmin",
    "BreakerAdmin",
    "EntityAdmin",
    "EntryAdmin",
    "JobAdmin",
    "PresenceAdmin",
    "RefusingGroupAdmin",
    "RefusingUserAdmin",
    "RoleAdmin",
]
