"""Making the accounts at the database, or telling what an owner that may not make roles has to ask for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

import structlog
from django.apps import apps
from django.db import connection, transaction
from pydantic import SecretStr

from pagoda.config import accounts
from pagoda.database_accounts.doors import GROUP
from pagoda.database_accounts.sql import Made, Statement, ident, literal
from pagoda.database_accounts.statements import (
    HOST_ACCOUNTS,
    HOST_GROUP,
    PluginAccount,
    logged_out,
    own_tables,
    plugin_statements,
    revoked,
    roles,
    shared,
)
from pagoda.plugins.migrations import plugin_labels
from pagoda.plugins.records import PluginRecord
from pagoda.plugins.registry import PluginRegistry
from pagoda_plugin_sdk.exceptions import PagodaError

OLDEST_VERSION = 150000  # views that look with the rights of who asks
LOCK_KEY = 0x7061676F6461  # "pagoda"
LOCK_SECONDS = 30

log = structlog.get_logger(__name__)


class AccountsError(PagodaError):
    """The accounts can't be as they should; the message says what is missing."""

    code = "accounts_error"


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseAccountsMade:
    """What became of the accounts."""

    accounts: tuple[str, ...]
    revoked: tuple[str, ...]  # of plugins that are not enabled any more
    faults: tuple[str, ...] = field(default=())


def plugin_accounts(registry: PluginRegistry) -> tuple[PluginAccount, ...]:
    """Return the accounts of the active plugins, in load order."""
    labels = plugin_labels(registry)
    hosts = {m._meta.db_table for m in _models() if m._meta.app_label not in labels} | {"django_migrations"}
    models: dict[str, list[str]] = {record.id: [] for record in registry.active}
    for model in _models():
        if (record := labels.get(model._meta.app_label)) is not None:
            models[record.id].append(str(model._meta.db_table))
    tables = own_tables(models, frozenset(map(str, hosts)))
    return tuple(
        PluginAccount(
            plugin_id=record.id, permissions=_permissions(registry, record), tables=tables[record.id]
        )
        for record in registry.active
    )


def printed(account: PluginAccount) -> Iterator[str]:
    """Yield everything that gives a plugin its account, as psql takes it; no password is in it."""
    names = (*HOST_ACCOUNTS, account.role)
    yield "-- As a superuser, or as a role that may make roles:"
    yield from (f"{statement.full_text};" for statement in roles(names))
    yield from (f"\\password {ident(name)}" for name in names)
    yield "-- `pagoda migrate` does the rest, as the owner of the tables:"
    if owner := connection.settings_dict["USER"]:
        yield f"SET ROLE {ident(owner)};"
    yield from (f"{statement.full_text};" for statement in (*shared(), *plugin_statements(account)))


def apply(registry: PluginRegistry, passwords: Mapping[str, SecretStr]) -> DatabaseAccountsMade:
    """Bring the accounts of the host and of all active plugins up to date; run it as the tables' owner.

    An owner that may not make roles has the existing ones checked, and the rest made.

    Raises:
        AccountsError: the server is no PostgreSQL 15 or newer, or its accounts are another Pagoda's.
        DatabaseError: the server refuses; nothing is changed then.
    """
    return apply_accounts(plugin_accounts(registry), passwords, enabled=registry.enabled_accounts())


def apply_accounts(
    plugins: Sequence[PluginAccount], passwords: Mapping[str, SecretStr], *, enabled: Set[str] | None
) -> DatabaseAccountsMade:
    """As `apply`; `enabled` are all accounts that keep what they have, None: whatever there is."""
    if connection.vendor != "postgresql" or _scalar("SHOW server_version_num", int) < OLDEST_VERSION:
        raise AccountsError(
            f"Accounts need PostgreSQL {OLDEST_VERSION // 10000} or newer, this is {connection.vendor}. "
            "Unset PAGODA_ACCOUNT_PASSWORDS_DIR, or set DATABASE_URL."
        )
    names = (*HOST_ACCOUNTS, *(account.role for account in plugins))
    with transaction.atomic():
        _run([Statement(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'")])
        _run([Statement(f"SELECT pg_advisory_xact_lock({LOCK_KEY})")])
        may_make_roles = _scalar(
            "SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user", bool
        )
        faults = [*_excess(names)]
        if may_make_roles:
            _make_roles(names, passwords)
        else:
            faults += _missing(names)
        if not (_has_role(HOST_GROUP) and _has_role(GROUP)):
            return DatabaseAccountsMade(accounts=(), revoked=(), faults=tuple(faults))
        gone = [name for name in _members() if enabled is not None and name not in enabled]
        made = [account for account in plugins if _has_role(account.role)]
        statements = [*shared()]
        statements += [each for account in made for each in plugin_statements(account)]
        statements += [each for name in gone for each in revoked(name)]
        kept = ({*_members()} if enabled is None else enabled) - {account.role for account in made}
        _bring_up_to_date(statements, kept=kept)
        if may_make_roles:
            _run(each for name in gone for each in logged_out(name))
        else:
            faults += [
                f"Account {name!r} may still log in: have a superuser run `{_logout(name)}`." for name in gone
            ]
    return DatabaseAccountsMade(
        accounts=tuple(filter(_has_role, names)), revoked=tuple(gone), faults=tuple(faults)
    )


def _logout(name: str) -> str:
    return "; ".join(each.text for each in logged_out(name))


def without_password(names: Iterable[str], passwords: Mapping[str, SecretStr]) -> Iterator[str]:
    """Yield a sentence for each account that nobody can log in with, unless it has an earlier password."""
    for name in names:
        if name not in passwords:
            yield (
                f"Account {name!r} is given no password: put one of {accounts.SHORTEST_PASSWORD} characters "
                f"or more into a file {name!r} in PAGODA_ACCOUNT_PASSWORDS_DIR."
            )


def _make_roles(names: Sequence[str], passwords: Mapping[str, SecretStr]) -> None:
    """Make the roles and set their passwords."""
    _refuse_others()
    _run(roles(names))
    _run([Statement(f"COMMENT ON ROLE {GROUP} IS {literal(_mark())}")])
    for name in names:
        if name in passwords:
            _set_password(name, passwords[name].get_secret_value())


def _missing(names: Iterable[str]) -> Iterator[str]:
    for name in names:
        group = GROUP if accounts.is_plugins(name) else HOST_GROUP
        if not (_has_role(name) and _has_role(group) and _is_member(name, group)):
            yield (
                f"Account {name!r} does not exist, or is no member of {group!r}, and this owner may not make "
                "roles. Have a superuser run what `pagoda plugins sql-grants` prints."
            )


def _excess(names: Iterable[str]) -> Iterator[str]:
    """Yield a sentence for each account that may more than this module gives."""
    sql = """SELECT r.rolname,
            r.rolsuper OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication OR r.rolbypassrls,
        ARRAY(SELECT g.rolname::text FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid
            WHERE m.member = r.oid AND g.rolname NOT IN (%s, %s) ORDER BY 1)
        FROM pg_roles r WHERE r.rolname = ANY (%s)"""
    for name, is_powerful, others in _rows(sql, [GROUP, HOST_GROUP, [*names, GROUP, HOST_GROUP]]):
        if is_powerful or others:
            what = [*(["attributes such as SUPERUSER or BYPASSRLS"] if is_powerful else []), *others]
            yield f"Account {name!r} has {', '.join(what)}, which nothing here takes away. Revoke that."


def _refuse_others() -> None:
    """Refuse to change accounts that another Pagoda on this server uses.

    Raises:
        AccountsError: they are those of another database that exists.
    """
    found = _rows("SELECT shobj_description(oid, 'pg_authid') FROM pg_roles WHERE rolname = %s", [GROUP])
    mark = found[0][0] if found else None
    other = mark.removeprefix("Pagoda in ") if mark else ""
    if mark not in (None, _mark()) and _rows("SELECT 1 FROM pg_database WHERE datname = %s", [other]):
        raise AccountsError(
            f"The accounts of this server are those of the Pagoda in database {other!r}, and accounts are "
            "the whole server's. Use a server for each, or unset PAGODA_ACCOUNT_PASSWORDS_DIR for one."
        )


def _mark() -> str:
    return f"Pagoda in {connection.settings_dict['NAME']}"


def _bring_up_to_date(statements: Iterable[Statement], *, kept: Iterable[str]) -> None:
    """Run statements, but those for policies and triggers that are as they say; drop our other policies.

    A policy takes a lock that waits for all who use its table, so that none is made anew without need.
    Those of the roles `kept` stay: of plugins that are enabled and could not be loaded just now.
    """
    statements = [*statements]
    known = _known()
    _run(each for each in statements if each.made is None or known.get(each.made) != each.digest)
    wanted = {each.made for each in statements if each.made is not None}
    sql = """SELECT c.relname, p.polname,
            ARRAY(SELECT rolname::text FROM pg_roles WHERE oid = ANY (p.polroles))
        FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid WHERE starts_with(p.polname, 'pagoda_')"""
    for table, name, owners in _rows(sql):
        if ("policy", table, name) not in wanted and not {*owners} & {*kept}:
            _run([Statement(f"DROP POLICY {ident(name)} ON public.{ident(table)}")])


def _known() -> dict[Made, str]:
    """Return the digests of the policies and triggers there are, and of tables whose rows are confined."""
    sql = """SELECT 'policy', c.relname, p.polname, obj_description(p.oid, 'pg_policy')
            FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid
        UNION ALL SELECT 'trigger', c.relname, t.tgname, obj_description(t.oid, 'pg_trigger')
            FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
        UNION ALL SELECT 'rows', relname, '', '' FROM pg_class
            WHERE relrowsecurity AND relnamespace = 'public'::regnamespace"""
    known = {(kind, table, name): digest for kind, table, name, digest in _rows(sql)}
    confined = {key for key in known if key[0] == "rows"}
    return {key: digest for key, digest in known.items() if key not in confined} | {
        key: Statement(f"ALTER TABLE public.{ident(key[1])} ENABLE ROW LEVEL SECURITY").digest
        for key in confined
    }


def _members() -> list[str]:
    sql = """SELECT r.rolname FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.member
        JOIN pg_roles g ON g.oid = m.roleid WHERE g.rolname = %s AND starts_with(r.rolname, %s)"""
    return [row[0] for row in _rows(sql, [GROUP, accounts.PLUGIN_PREFIX])]


def _is_member(name: str, group: str) -> bool:
    return bool(_rows("SELECT 1 WHERE pg_has_role(%s, %s, 'MEMBER')", [name, group]))


def _has_role(name: str) -> bool:
    return bool(_rows("SELECT 1 FROM pg_roles WHERE rolname = %s", [name]))


def _set_password(name: str, password: str) -> None:
    """Give the server a verifier in place of the password, which its log may repeat."""
    connection.ensure_connection()
    here: Any = connection.connection  # psycopg's
    verifier = here.pgconn.encrypt_password(password.encode(), name.encode(), b"scram-sha-256").decode()
    _run([Statement(f"ALTER ROLE {ident(name)} PASSWORD {literal(verifier)}")])


def _run(statements: Iterable[Statement]) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement.full_text)


def _rows(sql: str, parameters: Iterable[Any] = ()) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql, list(parameters) or None)
        return list(cursor.fetchall())


def _scalar[T](sql: str, kind: type[T]) -> T:
    return kind(_rows(sql)[0][0])  # type: ignore[call-arg]  # int and bool take what a column holds


def _permissions(registry: PluginRegistry, record: PluginRecord) -> frozenset[str]:
    """Return what the plugin asks for and was granted; other plugins by their id."""
    ids = {name: other.id for other in registry.records for name in other.names}
    return frozenset(
        f"{each.kind}:{ids.get(each.name, each.name)}" if each.kind == "job:submit" else str(each)
        for each in record.grants.effective
    )


def _models() -> list[Any]:
    return [
        model
        for model in apps.get_models(include_auto_created=True)
        if model._meta.managed and not model._meta.proxy
    ]
