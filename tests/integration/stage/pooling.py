"""Debian's PgBouncer before a PostgreSQL, which lends a connection for one transaction."""

from __future__ import annotations

import io
from typing import Any, Self

import docker
from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

from tests.integration.stage.engine import LABELS, new_name
from tests.integration.stage.servers import PASSWORD, USER, Postgres

IMAGE = "pagoda-test-pgbouncer"
RECIPE = b"""
FROM debian:trixie-slim
RUN apt-get update && apt-get install -y --no-install-recommends pgbouncer && rm -rf /var/lib/apt/lists/*
USER postgres
"""
POOL = 4
"""Connections to the database; more processes than that share them."""

START = f"""
cd /tmp
echo '"{USER}" "{PASSWORD}"' > users
cat > pgbouncer.ini <<END
[databases]
* = host=behind port=5432
[pgbouncer]
listen_addr = *
listen_port = 5432
unix_socket_dir =
auth_type = scram-sha-256
auth_file = /tmp/users
pool_mode = transaction
default_pool_size = {POOL}
max_client_conn = 500
max_prepared_statements = 0
END
exec pgbouncer pgbouncer.ini
"""


class Pooled(Postgres):
    """A PostgreSQL that Pagoda reaches through PgBouncer, and a test directly."""

    def __init__(self, network: Network) -> None:
        super().__init__(network, "behind")
        self._pooler = DockerContainer(
            IMAGE, name=new_name("pgbouncer"), network=network, network_aliases=["pgbouncer"]
        )
        self._pooler.with_command(["sh", "-euc", START]).with_kwargs(labels=LABELS)
        self._pooler.waiting_for(LogMessageWaitStrategy("process up"))

    def start(self) -> Self:
        """Start both; the pooler's image is built when it is not there."""
        super().start()
        client = docker.from_env()
        try:
            client.images.build(fileobj=io.BytesIO(RECIPE), tag=IMAGE, rm=True)
        finally:
            client.close()
        self._pooler.start()
        return self

    def stop(self, *arguments: Any, **options: Any) -> None:
        """Remove both."""
        self._pooler.stop()
        super().stop(*arguments, **options)

    def url(self, database: str) -> str:
        """Return DATABASE_URL of the pooler."""
        return super().url(database).replace(f"@{self.alias}:", "@pgbouncer:")
