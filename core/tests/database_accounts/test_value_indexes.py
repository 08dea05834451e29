"""Indexes of attributes where the core worker's account does not own the tables, on a real PostgreSQL."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pagoda.config.accounts import API, CORE, DISPATCHER
from tools.migrated_host import running_postgres
from tools.servers import missing_programs

Pagoda = Callable[..., str]

MARK = """
from pagoda.domain.entity.models import Entity
attrs = [{"name": "ram", "type": "number", "is_indexed": True}]
Entity.objects.create_entity(user=None, name="Host", attrs=attrs)
"""
RUN_JOB = """
import json
from pagoda.domain.entity.models import EntityAttr
from pagoda.domain.value_indexes import has_index
from pagoda.jobs import operations, store
from pagoda_plugin_sdk.operations import JobOperation
job = store.create(store.JobRequest(operation=operations.resolve(JobOperation.INDEX_VALUES)))
job.run(will_delay=False)
attr = EntityAttr.objects.get()
told = {"status": job.get_status_display(), "result": job.result, "error": job.error}
name = f"pagoda_value_{attr.pk}_{attr.attr_type.type_name}"
print(json.dumps({**told, "has_index": has_index(attr), "name": name}))
"""


@pytest.fixture
def pagoda(tmp_path: Path) -> Iterator[Pagoda]:
    """Run `pagoda` as the account of a process, 'pagoda' owns the tables; returns what it prints."""
    if "postgresql" in missing_programs():
        pytest.skip("PostgreSQL is not installed")
    passwords = tmp_path / "passwords"
    passwords.mkdir()
    for account in (API, CORE, DISPATCHER):
        (passwords / account).write_text(f"the password of {account}")
    with running_postgres() as server:

        def run(account: str, *arguments: str, status: int = 0) -> str:
            environ = os.environ | {"PAGODA_DATA_DIR": str(tmp_path), "PAGODA_ENV_FILE": ""}
            environ["DATABASE_URL"] = server.url.replace("pagoda@", f"{account}@")
            if account == "pagoda":
                environ["PAGODA_ACCOUNT_PASSWORDS_DIR"] = str(passwords)
            command = (sys.executable, "-m", "pagoda.cli", *arguments)
            done = subprocess.run(
                command, env=environ, capture_output=True, text=True, timeout=300, check=False
            )
            assert done.returncode == status, done.stdout + done.stderr
            return done.stdout + done.stderr

        yield run


def ended(printed: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(
        next(line for line in printed.splitlines() if line.startswith('{"status"'))
    )
    return answer


def test_a_worker_that_may_not_make_them_says_so_once_and_the_owner_makes_them(pagoda: Pagoda) -> None:
    shell = ("manage", "shell", "-v", "0", "--no-imports", "-c")
    pagoda("pagoda", "migrate", "--no-input")
    pagoda(API, *shell, MARK)

    printed = [pagoda(CORE, *shell, RUN_JOB) for _ in range(2)]

    first, second = map(ended, printed)
    name = first["name"]
    assert first == second
    assert (first["status"], first["error"], first["has_index"]) == ("done", "", False)
    assert first["result"]["left"] == [name]
    assert "`pagoda entries index` with the owner's DATABASE_URL" in first["result"]["remedy"]
    assert ["value_indexes_left" in each for each in printed] == [True, False]
    assert f"{name}: left, as the account" in pagoda(CORE, "entries", "index", status=1)

    pagoda("pagoda", "migrate", "--no-input")

    third = ended(pagoda(CORE, *shell, RUN_JOB))
    assert (third["result"], third["has_index"]) == ({"made": [], "dropped": []}, True)
    assert "0 made, 0 dropped, 0 failed" in pagoda("pagoda", "entries", "index")
