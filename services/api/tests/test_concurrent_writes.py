"""Many clients at once against a server on each database: nothing is overwritten, nothing made twice."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from tools.migrated_host import put_tables, running_postgres
from tools.servers import missing_programs

TOKEN = """
import django
django.setup()
from pagoda.domain.user.models import ApiToken, User
print(ApiToken.issue(User.objects.create_superuser("root"), "test", None)[1])
"""


@pytest.fixture(scope="module", params=["postgresql", "sqlite"])
def api(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Ask a server of two processes as a superuser."""
    on_postgresql = request.param == "postgresql"
    if on_postgresql and "postgresql" in missing_programs():
        pytest.skip("PostgreSQL is not installed")
    folder = tmp_path_factory.mktemp("writes")
    environment = os.environ | {"PAGODA_DATA_DIR": str(folder / "data")}
    command = [sys.executable, "-m", "pagoda_api.cli", "serve", "--bind", "127.0.0.1:0", "--workers", "2"]
    log = folder / "log"
    with ExitStack() as stack:
        if on_postgresql:
            environment |= {"DATABASE_URL": stack.enter_context(running_postgres()).url}
        else:
            put_tables(folder / "data")
        made = [sys.executable, "-c", TOKEN]
        ran = subprocess.run(made, env=environment, stdout=subprocess.PIPE, text=True, check=True)
        token = ran.stdout.split()[-1]
        with log.open("w") as out, subprocess.Popen(command, env=environment, stderr=out) as process:
            with httpx.Client(
                base_url=_wait(log), headers={"Authorization": f"Token {token}"}, timeout=120
            ) as client:
                yield client
            process.terminate()
            process.wait(60)


def _wait(log: Path) -> str:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        if found := re.search(r"Listening at: (http://127\.0\.0\.1:\d+)", log.read_text()):
            return found[1]
        time.sleep(0.1)
    pytest.fail(log.read_text())


@pytest.fixture(scope="module")
def counter(api: httpx.Client) -> str:
    """Return the URL of an entry with a number."""
    attrs = [{"name": "count", "type": "number"}]
    assert api.post("/api/v2/entities/", json={"name": "Host", "attrs": attrs}).status_code == 201
    made = api.post("/api/v2/entries/", json={"name": "web", "schema": "Host", "attrs": {"count": 0}})
    return f"/api/v2/entries/{made.json()['id']}/"


def at_once(number: int, work: Any) -> list[Any]:
    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(work, range(number)))


def count_of(shown: httpx.Response) -> int:
    return int(shown.json()["attrs"][0]["value"])


def test_of_20_clients_that_count_with_if_match_none_overwrites_another(
    api: httpx.Client, counter: str
) -> None:
    def count_up(_: int) -> list[int]:
        statuses = []
        for _ in range(3):
            shown = api.get(counter)
            body = {"attrs": {"count": count_of(shown) + 1}}
            changed = api.patch(counter, json=body, headers={"If-Match": shown.headers["ETag"]})
            assert changed.status_code == 412 or count_of(changed) == count_of(shown) + 1
            statuses.append(changed.status_code)
        return statuses

    statuses = Counter(status for each in at_once(20, count_up) for status in each)

    assert statuses[200] + statuses[412] == 60
    assert statuses[412] > 0, "they never met"
    assert count_of(api.get(counter)) == statuses[200]
    history = api.get(f"{counter}history/").json()["results"]
    values = [each["value"] for each in history if each["kind"] == "value"]
    assert sorted(values) == list(range(statuses[200] + 1))


def test_of_50_clients_that_create_one_name_one_does(api: httpx.Client, counter: str) -> None:
    body = {"name": "new", "schema": "Host"}
    statuses = Counter(at_once(50, lambda _: api.post("/api/v2/entries/", json=body).status_code))
    assert statuses == {201: 1, 409: 49}


def test_of_20_that_send_one_key_one_is_done_and_the_others_get_its_answer(
    api: httpx.Client, counter: str
) -> None:
    body = {"name": "keyed", "schema": "Host"}

    def create(_: int) -> tuple[int, Any]:
        while True:
            made = api.post("/api/v2/entries/", json=body, headers={"Idempotency-Key": "a key"})
            if made.status_code != 409:
                return made.status_code, made.json().get("id")
            assert made.json()["code"] == "idempotency_key_running"
            time.sleep(0.1)

    (answer,) = set(at_once(20, create))
    assert answer[0] == 201
    assert api.get("/api/v2/entries/", params={"search": "keyed"}).json()["count"] == 1
