"""What a plugin's account reaches through functions and a view of the host's, and what fences its changes.

The functions work with the rights of the tables' owner and a search path of their own. They know who calls by
``session_user``, which nobody but a superuser can change, and look up in a table what that account may.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pagoda.config.accounts import PLUGIN_PREFIX
from pagoda.database_accounts.shared_tables import USER_SECRETS, columns, user_columns
from pagoda.database_accounts.sql import Statement, ident, literal
from pagoda_plugin_sdk.operations import JobOperation

SCHEMA = "pagoda_worker"
"""First in the search path of plugins' accounts."""

GROUP = "pagoda_plugin"
"""The role of all plugins' accounts; it can't log in."""

_ACCOUNTS = f"""CREATE TABLE IF NOT EXISTS {SCHEMA}.account (
    role name PRIMARY KEY, plugin text NOT NULL, submits text[] NOT NULL, defers boolean NOT NULL)"""

_ACTS_FOR = f"""CREATE OR REPLACE FUNCTION {SCHEMA}.acts_for(whom bigint) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT whom IS NULL OR EXISTS (SELECT FROM public.job_job j JOIN {SCHEMA}.account a ON a.plugin = j.plugin
        WHERE a.role = session_user AND j.user_id = whom AND j.lease_expires_at IS NOT NULL
        AND j.finished_at IS NULL) $$"""

_SUBMIT = f"""CREATE OR REPLACE FUNCTION {SCHEMA}.submit_job(
    asked jsonb, OUT id bigint, OUT created_at timestamptz, OUT is_new boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE job public.job_job := jsonb_populate_record(NULL::public.job_job, asked);
BEGIN
    IF job.queue IS DISTINCT FROM 'plugin.' || job.plugin OR NOT EXISTS (
        SELECT FROM {SCHEMA}.account a WHERE a.role = session_user AND (job.plugin = ANY (a.submits)
            OR a.defers AND job.operation = {int(JobOperation.RUN_DEFERRED_HOOK)}
            AND EXISTS (SELECT FROM {SCHEMA}.account b WHERE b.plugin = job.plugin)))
    THEN RAISE insufficient_privilege USING MESSAGE =
        format('permission denied for jobs of plugin "%s"', job.plugin);
    END IF;
    IF NOT {SCHEMA}.acts_for(job.user_id) THEN RAISE insufficient_privilege USING MESSAGE =
        'permission denied for jobs of a user that no running job of the plugin has';
    END IF;
    SELECT j.id, j.created_at, false INTO id, created_at, is_new FROM public.job_job j
        WHERE job.idempotency_key > '' AND (j.plugin, j.operation, j.idempotency_key)
            = (job.plugin, job.operation, job.idempotency_key)
        OR job.singleton_key > '' AND j.singleton_key = job.singleton_key AND j.finished_at IS NULL LIMIT 1;
    IF FOUND THEN RETURN; END IF;
    INSERT INTO public.job_job ({{columns}}) SELECT {{values}} RETURNING job_job.id, job_job.created_at, true
        INTO id, created_at, is_new;
END $$"""

_FENCE = f"""CREATE OR REPLACE FUNCTION {SCHEMA}.fence_job() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE is_claimed boolean := OLD.lease_expires_at IS NULL AND NEW.lease_expires_at IS NOT NULL;
    is_given_back boolean := OLD.lease_expires_at IS NOT NULL AND NEW.lease_expires_at IS NULL
        AND NEW.finished_at IS NULL;
BEGIN
    IF OLD.finished_at IS NOT NULL OR NEW.attempt <> OLD.attempt + is_claimed::int
        OR NEW.attempt_base NOT IN (OLD.attempt_base, OLD.attempt_base + is_given_back::int)
        OR NEW.lost_count < OLD.lost_count
        OR NOT is_claimed AND NEW.started_at IS DISTINCT FROM OLD.started_at
    THEN RAISE insufficient_privilege USING MESSAGE =
        format('permission denied for table job_job: job %s has ended, or its tries and times are not its '
            'worker''s to set', OLD.id);
    END IF;
    IF is_claimed THEN NEW.started_at := statement_timestamp(); END IF;
    RETURN NEW;
END $$"""

_TIMES = {"created_at": "statement_timestamp()", "updated_at": "statement_timestamp()"}
# The dispatcher publishes it: the account may not reach the other plugin's queue.
_TIMES |= {
    "publish_at": "CASE WHEN job.is_waiting THEN NULL ELSE coalesce(job.run_at, statement_timestamp()) END"
}
_KEPT = frozenset({
    "user_id", "plugin", "operation", "operation_name", "queue", "params", "text", "status", "task_id",
    "target_type", "target_entity_id", "target_entry_id", "request_id", "registry_digest", "idempotency_key",
    "singleton_key", "serial_key", "run_at", "depend_on_id", "is_waiting", "max_attempts",
    "retry_backoff_seconds", "soft_limit_seconds", "hard_limit_seconds",
})  # fmt: skip
"""What whoever submits a job decides."""

_TEXTS = ("error", "progress_text", "hold_reason", "file_name", "file_type", "lease_owner")
_COUNTS = ("progress_percent", "file_size", "publish_count", "attempt", "attempt_base", "lost_count")
_EMPTY = dict.fromkeys(_TEXTS, "''") | dict.fromkeys(_COUNTS, "0")


def doors() -> Iterator[Statement]:
    """Yield the schema with its functions, its view of users, and the trigger of jobs."""
    yield Statement(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
    yield Statement(_ACCOUNTS)
    yield Statement(_ACTS_FOR)
    values = {name: f"job.{name}" for name in columns("job.Job") if name in _KEPT} | _TIMES | _EMPTY
    yield Statement(_SUBMIT.format(columns=", ".join(values), values=", ".join(values.values())))
    yield Statement(_FENCE)
    name = "pagoda_fence"
    yield Statement(
        f"DROP TRIGGER IF EXISTS {name} ON public.job_job;\n"
        f"CREATE TRIGGER {name} BEFORE UPDATE ON public.job_job FOR EACH ROW "
        f"WHEN (starts_with(current_user::text, {literal(PLUGIN_PREFIX)})) "
        f"EXECUTE FUNCTION {SCHEMA}.fence_job()",
        made=("trigger", "job_job", name),
    )
    # Noting what wants a seal is part of the event, and no right of whoever records it.
    yield Statement(
        "ALTER FUNCTION public.audit_note_pending() SECURITY DEFINER SET search_path = public, pg_temp"
    )
    yield _users()
    for function in ("acts_for(bigint)", "submit_job(jsonb)"):
        yield Statement(f"REVOKE ALL ON FUNCTION {SCHEMA}.{function} FROM PUBLIC")
        yield Statement(f"GRANT EXECUTE ON FUNCTION {SCHEMA}.{function} TO {GROUP}")
    yield Statement(f"GRANT USAGE ON SCHEMA {SCHEMA} TO {GROUP}")
    yield Statement(f"GRANT SELECT ON {SCHEMA}.user_user TO {GROUP}")


def _users() -> Statement:
    """Return the view that stands in for the table of users, as Django asks for all of its columns."""
    picked = ", ".join(
        f"''::varchar AS {ident(name)}" if name in USER_SECRETS else ident(name)
        for name in columns("user.User")
    )
    return Statement(
        f"CREATE OR REPLACE VIEW {SCHEMA}.user_user WITH (security_invoker = true) AS "
        f"SELECT {picked} FROM public.user_user"
    )


def account_row(role: str, plugin_id: str, permissions: Iterable[str]) -> Statement:
    """Return the statement that says what the functions do for an account."""
    kept = tuple(permissions)
    submits = sorted(text.removeprefix("job:submit:") for text in kept if text.startswith("job:submit:"))
    defers = any(text.startswith(("entry:write", "entity:write")) for text in kept)
    values = (
        f"{literal(role)}, {literal(plugin_id)}, ARRAY[{', '.join(map(literal, submits))}]::text[], {defers}"
    )
    return Statement(
        f"INSERT INTO {SCHEMA}.account VALUES ({values}) ON CONFLICT (role) DO UPDATE "
        "SET (plugin, submits, defers) = (excluded.plugin, excluded.submits, excluded.defers)"
    )


def user_rights(plugin_id: str) -> str:
    """Return the condition of the users that a plugin without `user:read` sees: those of its jobs."""
    own = f"j.plugin = {literal(plugin_id)}"
    return f"EXISTS (SELECT FROM public.job_job j WHERE j.user_id = user_user.id AND {own})"


def user_grant() -> Statement:
    """Return the right to see of users what is no secret."""
    return Statement(f"GRANT SELECT ({', '.join(map(ident, user_columns()))}) ON public.user_user TO {GROUP}")
