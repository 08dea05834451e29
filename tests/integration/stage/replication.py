"""A PostgreSQL whose commits wait for a standby, which takes over when the first is gone."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, Self

import psycopg
from testcontainers.core.network import Network

from tests.integration.stage.engine import LABELS
from tests.integration.stage.servers import PASSWORD, USER, Postgres
from tests.integration.stage.waiting import wait_until

PRIMARY, STANDBY = "primary", "standby"
ALLOW = 'echo "host replication all all scram-sha-256" >> "$PGDATA/pg_hba.conf"; pg_ctl reload'
CLONE = f"""
chmod 700 "$PGDATA"
until pg_basebackup -h {PRIMARY} -U {USER} -D "$PGDATA" -R -X stream; do sleep 0.2; done
exec postgres -c max_connections=300 -c fsync=off
"""
SYNCHRONOUS = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"


class _Standby(Postgres):
    def __init__(self, network: Network) -> None:
        super().__init__(network, STANDBY)
        self.with_command(["bash", "-c", CLONE])
        self.with_env("PGPASSWORD", PASSWORD)
        self.with_kwargs(labels=LABELS, entrypoint=[], user="postgres")


class Replicated(Postgres):
    """Both servers; what is asked for is the one that takes writes."""

    def __init__(self, network: Network) -> None:
        super().__init__(network, PRIMARY)
        self._standby, self._is_lost = _Standby(network), False

    def start(self) -> Self:
        """Start both; from then on no commit is acknowledged that the standby has not."""
        super().start()
        done = self.exec(["su", "postgres", "-c", ALLOW])
        assert done.exit_code == 0, done.output
        self._standby.start()
        with self.connection("postgres") as connection:
            connection.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
            connection.execute("SELECT pg_reload_conf()")
        wait_until(lambda: self.rows("postgres", SYNCHRONOUS) == [(1,)], 60, lambda: "no standby follows")
        return self

    def stop(self, *arguments: Any, **options: Any) -> None:
        """Remove both."""
        self._standby.stop()
        super().stop(*arguments, **options)

    def url(self, database: str) -> str:
        """Return DATABASE_URL; the standby comes first, so that who does not ask what a server is gets it."""
        return f"postgres://{USER}:{PASSWORD}@{STANDBY}:5432,{PRIMARY}:5432/{database}"

    @contextlib.contextmanager
    def connection(self, database: str) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        """Open a connection of the test's own to whichever takes writes."""
        if not self._is_lost:
            with super().connection(database) as connection:
                yield connection
        else:
            with self._standby.connection(database) as connection:
                yield connection

    def lose_primary(self) -> None:
        """Kill the primary for good."""
        self.get_wrapped_container().kill()
        self._is_lost = True

    def promote(self) -> None:
        """Have the standby take over."""
        assert self.rows("postgres", "SELECT pg_promote()") == [(True,)]
