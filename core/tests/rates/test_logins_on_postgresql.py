"""Failed logins of many processes on a real PostgreSQL: none is lost, none waits crosswise for another."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.migrated_host import python_on, running_postgres
from tools.servers import missing_programs

SCRIPT = """
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
import django
django.setup()
from django.core.management import call_command
from django.db import connections
from django.test import RequestFactory
from django.utils import timezone
from pagoda.audit import failed_logins
from pagoda.audit.actions import Action
from pagoda.audit.models import AuditEvent, FailedLogins
from pagoda.rates import logins
from pagoda.rates.models import LoginCount

call_command("migrate", verbosity=0)
failed_logins.WINDOW = timedelta(milliseconds=100)  # so that windows end while others count
request = {n: RequestFactory().get("/", REMOTE_ADDR=f"10.0.{n}.1") for n in range(3)}

def fail(start):
    try:
        for n in range(start, start + 30):
            logins._count_failure(f"ann{n % 3}", f"10.0.{start % 3}.0/24")
            failed_logins.count_failure(Action.LOGIN_FAILED, request[n % 3], f"ann{n}")
    finally:
        connections.close_all()

with ThreadPoolExecutor(8) as pool:
    list(pool.map(fail, range(8)))
assert sum(LoginCount.objects.values_list("failures", flat=True)) == 8 * 30 * 3  # pair, name and network
FailedLogins.objects.update(ends_at=timezone.now())
failed_logins.close_ended()
assert sum(event.details["count"] for event in AuditEvent.objects.all()) == 8 * 30
print("ok")
"""


def test_no_failure_is_lost(tmp_path: Path) -> None:
    if "postgresql" in missing_programs():
        pytest.skip("PostgreSQL is not installed")
    with running_postgres() as server:
        ended = python_on(server, tmp_path, "-c", SCRIPT, timeout=120)
    assert ended.stdout.strip().endswith("ok"), ended.stderr[-3000:]
