"""What the audit log records: a closed set, listed for operators in docs/observability.md."""

from __future__ import annotations

import enum


@enum.unique
class Action(enum.StrEnum):
    """What was done. The values are stable."""

    ENTITY_CREATED = "entity.created"
    ENTITY_UPDATED = "entity.updated"
    ENTITY_DELETED = "entity.deleted"
    ENTITY_RESTORED = "entity.restored"
    ENTRY_CREATED = "entry.created"
    ENTRY_UPDATED = "entry.updated"
    ENTRY_DELETED = "entry.deleted"
    ENTRY_RESTORED = "entry.restored"
    ENTRY_OVERRIDDEN = "entry.overridden"  # a plugin has answered in the host's place

    LOGIN_SUCCEEDED = "login.succeeded"
    LOGIN_FAILED = "login.failed"  # the name that was tried, never the password; see `failed_logins`
    LOGOUT = "logout"
    TOKEN_MADE = "token.made"  # noqa: S105 - the name of an event
    TOKEN_REVOKED = "token.revoked"  # noqa: S105 - as above
    TOKEN_REFUSED = "token.refused"  # noqa: S105 - unknown or expired; see `failed_logins`

    USER_CREATED = "user.created"
    USER_UPDATED = "user.updated"
    USER_DELETED = "user.deleted"
    USER_RIGHTS_CHANGED = "user.rights_changed"  # groups and Django permissions of a user
    GROUP_CREATED = "group.created"
    GROUP_UPDATED = "group.updated"
    GROUP_DELETED = "group.deleted"
    GROUP_RIGHTS_CHANGED = "group.rights_changed"  # Django permissions of a group
    ROLE_CREATED = "role.created"
    ROLE_UPDATED = "role.updated"
    ROLE_DELETED = "role.deleted"
    ROLE_MEMBERS_CHANGED = "role.members_changed"  # its users and groups
    PERMISSION_GRANTED = "permission.granted"
    PERMISSION_CHANGED = "permission.changed"
    PERMISSION_REVOKED = "permission.revoked"

    SEARCH_SAVED = "search.saved"  # anew, or in place of what it was
    SEARCH_DELETED = "search.deleted"

    JOB_SUBMITTED = "job.submitted"
    JOB_CANCELED = "job.canceled"
    JOB_RETRIED = "job.retried"
    JOB_REQUEUED = "job.requeued"

    AUDIT_PRUNED = "audit.pruned"  # old events were removed; what they were, by numbers

    PLUGIN_SKIPPED = "plugin.skipped"
    PLUGIN_REFUSED = "plugin.refused"  # beyond its user's rights and its own; with how many since the last
    BREAKER_CHANGED = "breaker.changed"
    BREAKER_RETRIED = "breaker.retried"  # an administrator let the next call probe
    SWITCHED_ON = "plugin.switched_on"  # `details.kind`: dry_run or silence; until when and why
    SWITCHED_OFF = "plugin.switched_off"  # by hand, or as its time was over
