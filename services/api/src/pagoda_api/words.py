"""Words of the host's code that its pages show: each is translated where it is shown."""

from __future__ import annotations

from django.utils.translation import gettext_noop

_NOOP = gettext_noop
WORDS = (
    *(_NOOP("preparing"), _NOOP("waiting"), _NOOP("scheduled"), _NOOP("queued"), _NOOP("running")),
    *(_NOOP("canceling"), _NOOP("finished"), _NOOP("processing"), _NOOP("done"), _NOOP("error")),
    *(_NOOP("timeout"), _NOOP("canceled"), _NOOP("warning")),
    *(_NOOP("discovered"), _NOOP("loaded"), _NOOP("active"), _NOOP("skipped")),
    *(_NOOP("ok"), _NOOP("idle"), _NOOP("degraded"), _NOOP("failing")),
    *(_NOOP("closed"), _NOOP("open"), _NOOP("half_open")),
    *(_NOOP("load"), _NOOP("endpoint"), _NOOP("hook"), _NOOP("task"), _NOOP("page")),
    *(_NOOP("read-write"), _NOOP("read-only")),
    *(_NOOP("nothing"), _NOOP("readable"), _NOOP("writable"), _NOOP("full")),
    *(_NOOP("entity"), _NOOP("attr"), _NOOP("entry")),
    *(_NOOP("created"), _NOOP("changed"), _NOOP("restored"), _NOOP("attribute_added")),
    *(_NOOP("attribute_changed"), _NOOP("attribute_removed"), _NOOP("attribute_restored"), _NOOP("deleted")),
    *(_NOOP("auto"), _NOOP("light"), _NOOP("dark")),
    *(_NOOP("entity.created"), _NOOP("entity.updated"), _NOOP("entity.deleted"), _NOOP("entity.restored")),
    *(_NOOP("entry.created"), _NOOP("entry.updated"), _NOOP("entry.deleted"), _NOOP("entry.restored")),
    *(_NOOP("entry.overridden"), _NOOP("breaker.changed"), _NOOP("breaker.retried")),
    *(_NOOP("plugin.switched_on"), _NOOP("plugin.switched_off"), _NOOP("dry_run"), _NOOP("silence")),
    *(_NOOP("Bad Request"), _NOOP("Forbidden"), _NOOP("Not Found"), _NOOP("Method Not Allowed")),
    *(_NOOP("Internal Server Error"), _NOOP("Service Unavailable"), _NOOP("Too Many Requests")),
    *(_NOOP("login.succeeded"), _NOOP("login.failed"), _NOOP("logout"), _NOOP("token.made")),
    *(_NOOP("token.revoked"), _NOOP("token.refused"), _NOOP("user.created"), _NOOP("user.updated")),
    *(_NOOP("user.deleted"), _NOOP("user.rights_changed"), _NOOP("group.created"), _NOOP("group.updated")),
    *(_NOOP("group.deleted"), _NOOP("group.rights_changed"), _NOOP("role.created"), _NOOP("role.updated")),
    *(
        _NOOP("role.deleted"),
        _NOOP("role.members_changed"),
        _NOOP("permission.granted"),
        _NOOP("permission.changed"),
    ),
    *(_NOOP("permission.revoked"), _NOOP("search.saved"), _NOOP("search.deleted"), _NOOP("job.submitted")),
    *(_NOOP("job.canceled"), _NOOP("job.retried"), _NOOP("job.requeued"), _NOOP("audit.pruned")),
    *(_NOOP("plugin.skipped"), _NOOP("plugin.refused")),
    *(_NOOP("string"), _NOOP("text"), _NOOP("boolean"), _NOOP("number")),
    *(_NOOP("date"), _NOOP("datetime"), _NOOP("object"), _NOOP("named_object")),
    *(_NOOP("group"), _NOOP("role"), _NOOP("select"), _NOOP("array_string")),
    *(_NOOP("array_text"), _NOOP("array_boolean"), _NOOP("array_number"), _NOOP("array_date")),
    *(_NOOP("array_datetime"), _NOOP("array_object"), _NOOP("array_named_object"), _NOOP("array_group")),
    *(_NOOP("array_role"), _NOOP("array_select")),
    *(_NOOP("null"), _NOOP("protect"), _NOOP("chain"), _NOOP("debug")),
    *(_NOOP("info"), _NOOP("critical"), _NOOP("user"), _NOOP("job")),
    *(_NOOP("plugin"), _NOOP("token"), _NOOP("breaker"), _NOOP("audit")),
    *(_NOOP("search"),),
)
"""States, kinds, levels, actions of the audit log, types of attributes."""
