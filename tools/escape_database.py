"""What a plugin's account tries at PostgreSQL, and what holds it: a list, for tests to run."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass

import psycopg

REFUSED = "42501"  # insufficient_privilege: of a right, a policy, or the fence of jobs


@dataclass(frozen=True, slots=True)
class EscapeAttempt:
    """One thing to try, on a connection that commits by itself; a statement that reaches no row is held, too."""

    name: str
    statement: str  # with {other_job}, {own_job}, {own_ended}, {other_user}, {own_user}, {secret_entity}
    held_by: str


COLUMNS, ROWS, RIGHT, FENCE = "rights on columns", "policy on rows", "no right", "fence of jobs"
SERVER = "rights of the server"

_JOB = (
    "INSERT INTO job_job (user_id, plugin, queue, operation, operation_name, params, status, target_type, text, "
    "error, progress_percent, progress_text, hold_reason, file_name, file_type, file_size, is_waiting, task_id, "
    "publish_count, lease_owner, attempt, attempt_base, max_attempts, lost_count, soft_limit_seconds, "
    "hard_limit_seconds, request_id, registry_digest, idempotency_key, singleton_key, serial_key) VALUES "
    "({user}, '{plugin}', '{queue}', 301, 'x', '{{}}', 5, 0, '', '', 0, '', '', '', '', 0, false, '', 0, '', "
    "0, {base}, 1, 0, 1, 2, '', '', '', '', '')"
)


def own_job_statement(
    *, user: str = "NULL", plugin: str = "{plugin}", queue: str | None = None, base: int = 0
) -> str:
    """Return what inserts a job as a worker does, of its own plugin unless told otherwise."""
    text = _JOB.replace("{user}", user).replace("{base}", str(base))
    return text.replace("{plugin}", plugin).replace("{queue}", queue or f"plugin.{plugin}")


ATTEMPTS = (
    # Secrets of users
    EscapeAttempt("read password hashes", "SELECT password FROM public.user_user", COLUMNS),
    EscapeAttempt("read hashes through the view", "SELECT 1 FROM user_user WHERE password <> ''", "a view without them"),
    EscapeAttempt("read salts of sessions", "SELECT session_salt FROM public.user_user", COLUMNS),
    EscapeAttempt("see users of other plugins' jobs", "SELECT 1 FROM user_user WHERE id = {other_user}", ROWS),
    EscapeAttempt("read tokens", "SELECT digest FROM user_apitoken", RIGHT),
    EscapeAttempt("read sessions", "SELECT session_data FROM django_session", RIGHT),
    EscapeAttempt("read counts of logins", "SELECT key FROM rates_logincount", RIGHT),
    EscapeAttempt("read what administrators did", "SELECT 1 FROM django_admin_log", RIGHT),
    # Power
    EscapeAttempt("make a superuser", "UPDATE public.user_user SET is_superuser = true", RIGHT),
    EscapeAttempt("make one through the view", "UPDATE user_user SET is_superuser = true", RIGHT),
    EscapeAttempt("add a user", "INSERT INTO public.user_user (username) VALUES ('x')", RIGHT),
    EscapeAttempt("make a token", "INSERT INTO user_apitoken (user_id, digest) VALUES ({own_user}, 'x')", RIGHT),
    EscapeAttempt("take a role", "INSERT INTO user_role_users (role_id, user_id) VALUES (1, {own_user})", RIGHT),
    EscapeAttempt("grant a level", "UPDATE user_rolepermission SET level = 8", RIGHT),
    EscapeAttempt("give a permission", "INSERT INTO user_user_user_permissions (user_id) VALUES ({own_user})", RIGHT),
    # Jobs
    EscapeAttempt("see other plugins' jobs", "SELECT 1 FROM job_job WHERE id = {other_job}", ROWS),
    EscapeAttempt("end another plugin's job", "UPDATE job_job SET status = 2 WHERE id = {other_job}", ROWS),
    EscapeAttempt("delete its own jobs", "DELETE FROM job_job", RIGHT),
    EscapeAttempt("lock all jobs", "LOCK TABLE job_job IN ACCESS EXCLUSIVE MODE", "rights on columns, not tables"),
    EscapeAttempt("give a job to another user", "UPDATE job_job SET user_id = {other_user} WHERE id = {own_job}", COLUMNS),
    EscapeAttempt("give a job to another plugin", "UPDATE job_job SET plugin = 'inventory' WHERE id = {own_job}", COLUMNS),
    EscapeAttempt("run another operation", "UPDATE job_job SET operation = 1 WHERE id = {own_job}", COLUMNS),
    EscapeAttempt("raise the tries", "UPDATE job_job SET max_attempts = 9 WHERE id = {own_job}", COLUMNS),
    EscapeAttempt("raise the time limit", "UPDATE job_job SET hard_limit_seconds = 9e9 WHERE id = {own_job}", COLUMNS),
    EscapeAttempt("forget tries", "UPDATE job_job SET attempt_base = attempt_base + 1 WHERE id = {own_job}", FENCE),
    EscapeAttempt("count tries down", "UPDATE job_job SET attempt = attempt - 1 WHERE id = {own_job}", FENCE),
    EscapeAttempt("begin later", "UPDATE job_job SET started_at = now() + interval '1 year' WHERE id = {own_job}", FENCE),
    EscapeAttempt("rewrite a job that ended", "UPDATE job_job SET result = '1' WHERE id = {own_ended}", FENCE),
    EscapeAttempt("submit another plugin's job", own_job_statement(plugin="inventory"), ROWS),
    EscapeAttempt("submit to another queue", own_job_statement(queue="plugin.inventory"), ROWS),
    EscapeAttempt("submit for a stranger", own_job_statement(user="{other_user}"), ROWS),
    EscapeAttempt("submit with tries to spare", own_job_statement(base=100), ROWS),
    EscapeAttempt("choose the id of a job", "INSERT INTO job_job (id) VALUES (99999999)", COLUMNS),
    EscapeAttempt(
        "submit another plugin's job by the door",
        "SELECT * FROM pagoda_worker.submit_job('{{\"plugin\": \"inventory\", \"queue\": \"plugin.inventory\", "
        "\"operation\": 300}}')",
        "what was granted",
    ),
    EscapeAttempt("change what it was granted", "UPDATE pagoda_worker.account SET submits = '{{inventory}}'", RIGHT),
    EscapeAttempt("read another job's log", "SELECT 1 FROM job_joblog WHERE job_id = {other_job}", ROWS),
    EscapeAttempt(
        "write into another job's log",
        "INSERT INTO job_joblog (job_id, attempt, level, message, extra, created_at) "
        "VALUES ({other_job}, 1, 'info', 'x', '{{}}', now())",
        ROWS,
    ),
    EscapeAttempt("rewrite its own log", "UPDATE job_joblog SET message = ''", RIGHT),
    EscapeAttempt("read another job's file", "SELECT 1 FROM job_jobfile WHERE job_id = {other_job}", ROWS),
    EscapeAttempt("replace another job's file", "UPDATE job_jobfile SET content = '' WHERE job_id = {other_job}", ROWS),
    EscapeAttempt("start a schedule", "INSERT INTO job_scheduletick (schedule, tick) VALUES ('x', now())", RIGHT),
    # Entities and entries beyond its grant
    EscapeAttempt("see other entities", "SELECT 1 FROM entity_entity WHERE id = {secret_entity}", ROWS),
    EscapeAttempt("see their attributes", "SELECT 1 FROM entity_entityattr WHERE parent_entity_id = {secret_entity}", ROWS),
    EscapeAttempt("see their entries", "SELECT 1 FROM entry_entry WHERE schema_id = {secret_entity}", ROWS),
    EscapeAttempt(
        "see their values",
        "SELECT 1 FROM entry_attributevalue v WHERE v.value::text LIKE '%top secret%'",
        ROWS,
    ),
    EscapeAttempt(
        "make an entry of theirs",
        "INSERT INTO entry_entry (schema_id, name, note, default_permission, is_active, created_time, updated_time) "
        "VALUES ({secret_entity}, 'x', '', 8, true, now(), now())",
        ROWS,
    ),
    EscapeAttempt("move an entry to them", "UPDATE entry_entry SET schema_id = {secret_entity}", ROWS),
    EscapeAttempt("rename an entity", "UPDATE entity_entity SET name = 'mine'", RIGHT),
    EscapeAttempt("remove entries for good", "DELETE FROM entry_entry", RIGHT),
    EscapeAttempt("remove values for good", "DELETE FROM entry_attributevalue", RIGHT),
    # What others know and tell
    EscapeAttempt("open another plugin's breaker", "UPDATE fencing_breaker SET status = 'open' WHERE plugin <> '{plugin}'", ROWS),
    EscapeAttempt(
        "make another plugin's breaker",
        "INSERT INTO fencing_breaker (plugin, surface, status, since, \"window\", calls, failures, streaks, "
        "last_error, reason, retry_at, holder, version) VALUES ('inventory', 'hook', 'open', 0, 0, 0, 0, '{{}}', '', "
        "'', 9e9, '', 1)",
        ROWS,
    ),
    EscapeAttempt("stay in service", "INSERT INTO fencing_pluginswitch (plugin, kind, since, reason, actor) VALUES ('{plugin}', 'dry_run', now(), '', '')", RIGHT),
    EscapeAttempt("read who switched what on", "SELECT count(actor) FROM fencing_pluginswitch", COLUMNS),
    EscapeAttempt("say that others live", "UPDATE watching_presence SET seen_at = now() WHERE queue <> 'plugin.{plugin}'", ROWS),
    EscapeAttempt(
        "take another process's name",
        "INSERT INTO watching_presence (node, service, queue, host, pid, digest, skipped) "
        "VALUES ('api@x/1', 'worker', 'plugin.{plugin}', 'x', 1, '', '{{}}')",
        ROWS,
    ),
    EscapeAttempt("read alerts", "SELECT 1 FROM watching_alertstate", RIGHT),
    EscapeAttempt("change other plugins' figures", "UPDATE watching_trafficminute SET raised = 1 WHERE plugin <> '{plugin}'", ROWS),
    EscapeAttempt("read another plugin's tables", "SELECT 1 FROM pagoda_trial_trace", RIGHT),
    # Audit
    EscapeAttempt("read the audit log", "SELECT details FROM audit_auditevent", COLUMNS),
    EscapeAttempt("count others' events", "SELECT id FROM audit_auditevent WHERE id = {other_event}", ROWS),
    EscapeAttempt("change the audit log", "UPDATE audit_auditevent SET actor = 'x'", RIGHT),
    EscapeAttempt("remove of the audit log", "DELETE FROM audit_auditevent", RIGHT),
    EscapeAttempt("empty the audit log", "TRUNCATE audit_auditevent", RIGHT),
    EscapeAttempt(
        "put words into a user's mouth",
        "INSERT INTO audit_auditevent (action, actor_id, actor, on_behalf_of, plugin, request_id, subject_type, "
        "subject_id, subject, details, happened_at) VALUES ('entry.deleted', {other_user}, 'boss', '', '{plugin}', "
        "'', '', '', '', '{{}}', now())",
        ROWS,
    ),
    EscapeAttempt("hide an event from its seal", "DELETE FROM audit_pendingevent", RIGHT),
    EscapeAttempt("note events that are none", "INSERT INTO audit_pendingevent VALUES (12345678)", RIGHT),
    EscapeAttempt("forge a seal", "INSERT INTO audit_auditseal (number) VALUES (1)", RIGHT),
    # The server
    EscapeAttempt("become the host", "SET ROLE pagoda_host", SERVER),
    EscapeAttempt("become the API", "SET ROLE pagoda_api", SERVER),
    EscapeAttempt("become another plugin", 'SET ROLE "pagoda_plugin_inventory"', SERVER),
    EscapeAttempt("become the owner", "SET SESSION AUTHORIZATION pagoda", SERVER),
    EscapeAttempt("make a role", "CREATE ROLE mine SUPERUSER", SERVER),
    EscapeAttempt("raise its own role", "ALTER ROLE CURRENT_USER BYPASSRLS", SERVER),
    EscapeAttempt("change the API's password", "ALTER ROLE pagoda_api PASSWORD 'x'", SERVER),
    EscapeAttempt("read the server's passwords", "SELECT rolpassword FROM pg_authid", SERVER),
    EscapeAttempt("switch policies off", "ALTER TABLE job_job DISABLE ROW LEVEL SECURITY", "no ownership"),
    EscapeAttempt("add a policy", "CREATE POLICY mine ON job_job USING (true)", "no ownership"),
    EscapeAttempt("drop the fence", "DROP TRIGGER pagoda_fence ON job_job", "no ownership"),
    EscapeAttempt("switch triggers off", "SET session_replication_role = replica", SERVER),
    EscapeAttempt("make a table", "CREATE TABLE public.mine (x int)", "no CREATE on schemas"),
    EscapeAttempt("shadow a table", "CREATE TABLE pagoda_worker.job_job (x int)", "no CREATE on schemas"),
    EscapeAttempt("shadow it for itself", "CREATE TEMPORARY TABLE job_job (x int)", "no TEMPORARY"),
    EscapeAttempt("make a function", "CREATE FUNCTION public.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'", "no CREATE"),
    EscapeAttempt("run a program", "COPY (SELECT 1) TO PROGRAM 'id'", SERVER),
    EscapeAttempt("write a file", "COPY (SELECT 1) TO '/tmp/escaped'", SERVER),
    EscapeAttempt("read a file", "SELECT pg_read_file('/etc/passwd')", SERVER),
    EscapeAttempt("take a file into the database", "SELECT lo_import('/etc/passwd')", SERVER),
    EscapeAttempt("change the server", "ALTER SYSTEM SET log_statement = 'none'", SERVER),
    EscapeAttempt("see others' statements", "SELECT 1 FROM pg_stat_activity WHERE usename <> current_user AND query <> '<insufficient privilege>'", SERVER),
    EscapeAttempt("end others' connections", "SELECT pg_terminate_backend({other_pid})", SERVER),
    EscapeAttempt("load a library", "LOAD '/tmp/mine.so'", SERVER),
    EscapeAttempt("install an extension", "CREATE EXTENSION dblink", SERVER),
    EscapeAttempt("bend the sequence of jobs", "SELECT setval('job_job_id_seq', 1)", RIGHT),
)  # fmt: skip
# As the owner: not to be done to this machine, or nothing that an owner does
_SKIPPED = (
    "LOAD", "COPY", "CREATE", "ALTER", "SET", "SELECT pg_", "SELECT lo_", "SELECT setval",
    "SELECT * FROM pagoda_worker",
)  # fmt: skip
HARMLESS = [each for each in ATTEMPTS if not each.statement.startswith(_SKIPPED)]


def outcome(connection: psycopg.Connection, attempt: EscapeAttempt, facts: Mapping[str, object]) -> str:
    """Return ``held`` or what became of an attempt; what it changed is undone.

    Anything but a refusal, and a statement that reached no row, is told: a statement that is wrong holds nothing.
    """
    statement = attempt.statement.format(**facts)
    try:
        # Refused for its own sake only where no transaction is open
        is_alone = statement.startswith("ALTER SYSTEM")
        with nullcontext() if is_alone else connection.transaction(force_rollback=True):
            cursor = connection.execute(statement.encode())
            reached = cursor.fetchall() if cursor.description else [()] * max(cursor.rowcount, 0)
            is_silent = cursor.description is None and cursor.rowcount < 0
    except psycopg.Error as error:
        return "held" if error.sqlstate == REFUSED else f"{error.sqlstate}: {error}"
    return f"reached {len(reached)} row(s)" if reached or is_silent else "held"
