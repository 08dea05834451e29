"""All statements that make the accounts, in their order: roles, what is shared, then each plugin's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from django.apps import apps

from pagoda.config import accounts
from pagoda.config.accounts import fitted
from pagoda.database_accounts import doors
from pagoda.database_accounts.domain_tables import ENTITIES, ENTRIES, domain_statements
from pagoda.database_accounts.doors import GROUP, SCHEMA
from pagoda.database_accounts.shared_tables import READ_BY_ALL, SHARED, switch_grant
from pagoda.database_accounts.sql import Statement, ident, literal, policy, role_exists, rows_confined

HOST_GROUP = "pagoda_host"
"""The role of the API's, the dispatcher's and the core worker's accounts; it can't log in."""

HOST_ACCOUNTS = (accounts.API, accounts.DISPATCHER, accounts.CORE)

WRITTEN_ONCE = ("audit_auditevent", "audit_auditseal")


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginAccount:
    """The account of one plugin's workers."""

    plugin_id: str
    permissions: frozenset[str]  # asked for and granted: entry:read, entry:write:Switch, ...
    tables: tuple[str, ...] = ()  # of its own Django apps

    @property
    def role(self) -> str:
        """Return its name."""
        return accounts.plugin_account(self.plugin_id)


def roles(names: Iterable[str]) -> Iterator[Statement]:
    """Yield what needs the right to make roles: groups, and accounts that may log in as members of one."""
    for group in (HOST_GROUP, GROUP):
        yield role_exists(group)
    for name in names:
        yield role_exists(name)
        yield Statement(f"ALTER ROLE {ident(name)} LOGIN")
        group = GROUP if accounts.is_plugins(name) else HOST_GROUP
        yield Statement(f"GRANT {group} TO {ident(name)}")
        if group == GROUP:
            yield Statement(f"ALTER ROLE {ident(name)} SET search_path = {SCHEMA}, public")


def shared() -> Iterator[Statement]:
    """Yield the rights of both groups, the functions, and that rows are confined."""
    yield Statement(_on_database())
    for group in (HOST_GROUP, GROUP):
        yield Statement(f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {group}")
        yield Statement(f"GRANT USAGE ON SCHEMA public TO {group}")
    yield Statement(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {HOST_GROUP}")
    yield Statement(f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {HOST_GROUP}")
    yield Statement(f"REVOKE UPDATE, DELETE ON {', '.join(WRITTEN_ONCE)} FROM {HOST_GROUP}")
    yield from doors.doors()
    yield Statement(f"GRANT SELECT ON {', '.join(READ_BY_ALL)} TO {GROUP}")
    yield doors.user_grant()
    yield switch_grant(GROUP)
    for table in SHARED:
        yield from table.rights(GROUP)
    for name in confined_tables():
        yield policy(name, HOST_GROUP, HOST_GROUP, "ALL", using="true", check="true")
        yield rows_confined(name)


def plugin_statements(account: PluginAccount) -> Iterator[Statement]:
    """Yield the rights of one plugin's account."""
    role = account.role
    yield Statement(f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {ident(role)}")
    yield doors.account_row(role, account.plugin_id, account.permissions)
    for table in SHARED:
        yield from table.policies(account.plugin_id, role)
    seen = "true" if "user:read" in account.permissions else doors.user_rights(account.plugin_id)
    yield policy("user_user", fitted("pagoda_select_", account.plugin_id), role, "SELECT", using=seen)
    yield from domain_statements(account.plugin_id, role, account.permissions)
    if account.tables:
        yield Statement(_own_tables(role, account.tables))


def revoked(role: str) -> Iterator[Statement]:
    """Yield what leaves an account without rights; its policies are dropped beside."""
    yield Statement(f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {ident(role)}")
    yield Statement(f"REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM {ident(role)}")
    yield Statement(f"DELETE FROM {SCHEMA}.account WHERE role = {literal(role)}")


def logged_out(role: str) -> Iterator[Statement]:
    """Yield what leaves an account without login and group; it needs the right to make roles."""
    yield Statement(f"ALTER ROLE {ident(role)} NOLOGIN")
    yield Statement(f"REVOKE {GROUP} FROM {ident(role)}")


def confined_tables() -> tuple[str, ...]:
    """Return the tables in which rows are told apart."""
    domain = [str(apps.get_model(model)._meta.db_table) for model in (*ENTITIES, *ENTRIES)]
    return (*(table.name for table in SHARED), "user_user", *domain)


def own_tables(models: Mapping[str, Sequence[str]], hosts: frozenset[str]) -> dict[str, tuple[str, ...]]:
    """Return ``{plugin: its tables}`` out of those that the models of plugins name, in load order.

    What is the host's, or an earlier plugin's, is nobody else's.
    """
    taken, found = set(hosts), {}
    for plugin_id, tables in models.items():
        found[plugin_id] = tuple(dict.fromkeys(name for name in tables if name not in taken))
        taken |= set(tables)
    return found


def _on_database() -> str:
    """Return what takes from everybody what PostgreSQL before 15, or a careless hand, gave them."""
    return f"""DO $$ BEGIN
    IF has_schema_privilege('{GROUP}', 'public', 'CREATE') THEN
        REVOKE CREATE ON SCHEMA public FROM PUBLIC;
    END IF;
    IF has_database_privilege('{GROUP}', current_database(), 'TEMPORARY') THEN
        EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
    END IF;
EXCEPTION WHEN insufficient_privilege THEN RAISE WARNING
    'everybody may make temporary tables, or tables in public: have the owner of the database revoke that';
END $$"""


def _own_tables(role: str, tables: Sequence[str]) -> str:
    """Return the rights on a plugin's tables, as far as they exist, and on their sequences."""
    listed = ", ".join(map(literal, tables))
    return f"""DO $$ DECLARE item record; BEGIN
    FOR item IN SELECT c.oid::regclass AS name FROM pg_class c WHERE c.relname IN ({listed})
        AND c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') LOOP
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO %I', item.name, {literal(role)});
    END LOOP;
    FOR item IN SELECT d.objid::regclass AS name FROM pg_depend d JOIN pg_class s ON s.oid = d.objid
        JOIN pg_class c ON c.oid = d.refobjid WHERE s.relkind = 'S' AND c.relname IN ({listed})
        AND c.relnamespace = 'public'::regnamespace LOOP
        EXECUTE format('GRANT ALL ON SEQUENCE %s TO %I', item.name, {literal(role)});
    END LOOP;
END $$"""
