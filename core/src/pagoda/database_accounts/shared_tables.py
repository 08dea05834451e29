"""What a plugin's worker does with each of the host's tables: its own code sets the measure.

Rights on columns, never on a whole table that others write to: who may update a table may lock it for
everybody, and who may choose an id takes those that the host is about to give.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.apps import apps
from django.db.models import AutoField

from pagoda.config.accounts import fitted
from pagoda.database_accounts.sql import Statement, ident, literal, policy

JOB_UPDATED = (
    "status", "text", "error", "result", "progress_percent", "progress_text", "hold_reason", "file_name",
    "file_type", "file_size", "updated_at", "run_at", "started_at", "finished_at", "target_type",
    "target_entity_id", "target_entry_id", "is_waiting", "task_id", "published_at", "publish_at",
    "lease_owner", "lease_expires_at", "attempt", "attempt_base", "lost_count",
)  # fmt: skip
"""Not who it is for, whose it is, what it runs, and how often and how long it may."""

READ_BY_ALL = (
    "django_migrations", "django_content_type", "auth_permission", "auth_group", "auth_group_permissions",
    "user_user_groups", "user_user_user_permissions", "user_groupnesting", "user_role", "user_role_users",
    "user_role_groups", "user_rolepermission", "watching_migrationfault",
)  # fmt: skip
"""Who may do what: a worker decides by it, and changes nothing of it."""

SWITCH_COLUMNS = ("plugin", "kind", "until")
"""A worker asks which plugins' breakers run dry; who said so and why is not for plugins."""

USER_SECRETS = ("password", "session_salt")


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedTable:
    """A table in which each plugin's worker has rows of its own."""

    model: str
    select: tuple[str, ...] | None = None  # columns; None: all
    update: tuple[str, ...] | None = ()  # columns; None: all but the id that the database gives
    delete: bool = False
    own: str = ""  # the condition of its rows, with {plugin}, {queue}
    seen: str = ""  # of those that it reads, where they are more
    made: str = ""  # of those that it makes, where they are fewer

    @property
    def name(self) -> str:
        """Return the table."""
        return str(apps.get_model(self.model)._meta.db_table)

    def rights(self, role: str) -> Iterator[Statement]:
        """Yield what the group of all plugins' accounts may do at all."""
        given = columns(self.model, generated=False)
        updated = given if self.update is None else self.update
        rights = [_right("INSERT", given)]
        rights += [_right("SELECT", self.select)]
        rights += [_right("UPDATE", updated)] if updated else []
        rights += ["DELETE"] if self.delete else []
        yield Statement(f"GRANT {', '.join(rights)} ON public.{ident(self.name)} TO {ident(role)}")

    def policies(self, plugin_id: str, role: str) -> Iterator[Statement]:
        """Yield which rows the account of one plugin reaches."""
        words = {"plugin": literal(plugin_id), "queue": literal(f"plugin.{plugin_id}")}
        own, seen = self.own.format(**words), (self.seen or self.own).format(**words)
        made = f"{own} AND {self.made.format(**words)}" if self.made else own
        conditions = {"SELECT": (seen, ""), "INSERT": ("", made), "UPDATE": (own, own), "DELETE": (own, "")}
        for command, (using, check) in conditions.items():
            name = fitted(f"pagoda_{command.lower()}_", plugin_id)
            yield policy(self.name, name, role, command, using=using, check=check)


# As its jobs and its worker leave them: nobody's name but that of a user whom such a job has.
_EVENTS = (
    "actor_id IS NULL AND actor IN ('job', 'host') AND pagoda_worker.acts_for(on_behalf_of_id) "
    "AND (job_id IS NULL "
    "OR EXISTS (SELECT FROM public.job_job j WHERE j.id = job_id AND j.plugin = {plugin}))"
)

SHARED = (
    SharedTable(
        model="job.Job",
        update=JOB_UPDATED,
        own="plugin = {plugin}",
        made="queue = {queue} AND attempt = 0 AND attempt_base = 0 AND lost_count = 0 "
        "AND lease_expires_at IS NULL AND finished_at IS NULL AND pagoda_worker.acts_for(user_id)",
    ),
    SharedTable(
        model="job.JobLog",
        own="EXISTS (SELECT FROM public.job_job j WHERE j.id = job_id AND j.plugin = {plugin})",
    ),
    SharedTable(
        model="job.JobFile",
        update=("content",),
        own="EXISTS (SELECT FROM public.job_job j WHERE j.id = job_id AND j.plugin = {plugin})",
    ),
    # A worker calls handlers of other plugins, too, so it has to know which of them are out of service.
    SharedTable(model="fencing.Breaker", update=None, own="plugin = {plugin}", seen="true"),
    SharedTable(
        model="watching.Presence",
        update=None,
        delete=True,
        own="service = 'worker' AND queue = {queue} AND starts_with(node, {queue} || '@')",
    ),
    SharedTable(model="watching.TrafficMinute", update=None, own="plugin = {plugin}"),
    SharedTable(model="watching.PermissionUse", update=None, own="plugin = {plugin}"),
    # What Django and the store of jobs get back of a row that they insert
    SharedTable(
        model="audit.AuditEvent", select=("id", "happened_at"), own="plugin = {plugin}", made=_EVENTS
    ),
)


def columns(model: str, *, generated: bool = True) -> tuple[str, ...]:
    """Return the columns of a model's table, or those that the database does not fill itself."""
    fields = apps.get_model(model)._meta.concrete_fields
    return tuple(field.column for field in fields if generated or not isinstance(field, AutoField))


def user_columns() -> tuple[str, ...]:
    """Return the columns of users that are no secret."""
    return tuple(name for name in columns("user.User") if name not in USER_SECRETS)


def switch_grant(role: str) -> Statement:
    """Return the right to see which plugins' breakers run dry."""
    table = ident(str(apps.get_model("fencing.PluginSwitch")._meta.db_table))
    return Statement(f"GRANT {_right('SELECT', SWITCH_COLUMNS)} ON public.{table} TO {ident(role)}")


def _right(word: str, names: tuple[str, ...] | None) -> str:
    return word if names is None else f"{word} ({', '.join(map(ident, names))})"
