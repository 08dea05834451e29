"""The query by which KEDA counts a queue's jobs, asked of a PostgreSQL with Pagoda's tables."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tools.servers import PostgresServer, missing_programs
from tools.stack import clean_environ

PLUGINS = {"ENABLED_PLUGINS": "inventory", "PLUGIN_OPERATION_ID_CONFIG": '{"inventory": [300, 399]}'}
JOBS = """
from datetime import timedelta
from django.utils import timezone
from pagoda.jobs import store
from pagoda.jobs.core_tasks import submit_canary
from pagoda.jobs.models import Job
waiting, running, done, other = (submit_canary(queue, None) for queue in ["plugin.inventory"] * 3 + ["core"])
store.claim(running.pk, "node/1", 30)
store.finish(store.claim(done.pk, "node/1", 30), 2, text="")
later = submit_canary("plugin.inventory", None)
Job.objects.filter(pk=later.pk).update(run_at=timezone.now() + timedelta(hours=1))
"""


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    if "postgresql" in missing_programs():
        if os.environ.get("CI"):
            pytest.fail("PostgreSQL is not installed: apt-get install postgresql")
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    folder = Path(tempfile.mkdtemp(prefix="pagoda-scaling-"))
    folder.chmod(0o755)  # PostgreSQL runs as a user of its own
    server = PostgresServer(folder / "postgresql")
    try:
        server.start()
        yield server.url
    finally:
        server.stop()
        shutil.rmtree(folder)


def manage(database: str, folder: Path, *arguments: str) -> None:
    environ = clean_environ() | PLUGINS | {"DATABASE_URL": database, "PAGODA_DATA_DIR": str(folder)}
    command = (sys.executable, "-m", "pagoda.cli", *arguments)
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_waiting_and_running_jobs_of_the_queue_count(
    database: str, tmp_path: Path, everything: list[dict[str, Any]]
) -> None:
    (scaler,) = [document for document in everything if document["kind"] == "ScaledObject"]
    query = scaler["spec"]["triggers"][0]["metadata"]["query"]
    manage(database, tmp_path, "migrate", "--no-input")
    manage(database, tmp_path, "manage", "shell", "--no-imports", "--command", JOBS)

    with psycopg.connect(database) as connection:
        (count,) = connection.execute(query).fetchone() or (None,)

    assert count == 2, "one waits and one runs; one is done, one is for later, one is another queue's"
