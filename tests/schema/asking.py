"""A host with some of everything for requests that nobody thought of, and those who send them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from tools.stack import DEMO_PLUGINS
from tools.zoo import ZooHost, host

ROOT: Final = Path(__file__).parents[2]
PASSWORD: Final = "correct horse battery"  # of people who live as long as the host
ENVIRON: Final = {**DEMO_PLUGINS, "JOB_MAX_QUEUED_PER_USER": "1000000", "PAGODA_LOG_LEVEL": "ERROR"}

_ATTRS: Final = [
    {"name": "address", "type": "string", "is_indexed": True},
    {"name": "ram", "type": "number"},
    {"name": "tags", "type": "array_string"},
    {"name": "twin", "type": "object"},
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Somebody who sends requests; `id` and `token_id` are of their own rows, which end with them."""

    id: int
    token: str
    token_id: int


@contextmanager
def filled_host(folder: Path) -> Iterator[ZooHost]:
    """Start a host with two plugins and, of each resource, some rows."""
    with host(folder, ENVIRON, workers=False) as running:
        _fill(running)
        yield running
        running.client.close()


def _fill(running: ZooHost) -> None:
    def make(path: str, **body: Any) -> int:
        return int(running.checked("POST", f"/api/v2/{path}/", 201, json=body)["id"])

    entity = make("entities", name="Host", attrs=_ATTRS, default_permission=8)
    make("entities", name="Rack", attrs=[], default_permission=8)
    for number in range(3):
        attrs = {"address": f"10.0.0.{number}", "ram": number}
        make("entries", name=f"host {number}", schema=entity, attrs=attrs)
    group = make("groups", name="people")
    make("roles", name="makers", can_add_entities=True, groups=[group])
    make("search/saved", name="all", search={"entities": ["Host"]})
    running.checked("POST", "/api/v2/jobs/canary/", 202, json={"queue": "core"})


def asker(running: ZooHost, name: str, **fields: Any) -> Asker:
    """Make a user, after some that requests may end."""
    groups = [running.checked("GET", "/api/v2/groups/", 200)["results"][0]["id"]]
    for username in (f"{name}-before", name):
        body = {"username": username, "password": PASSWORD, "groups": groups, **fields}
        made = running.checked("POST", "/api/v2/users/", 201, json=body)
    login = {"username": name, "password": PASSWORD}
    with httpx.Client(base_url=running.client.base_url, timeout=60) as client:
        token = client.post("/api/v2/auth/token/", json=login).raise_for_status().json()["token"]
        client.headers["Authorization"] = f"Token {token}"
        own = client.get("/api/v2/me/tokens/").raise_for_status().json()
    return Asker(id=made["id"], token=token, token_id=own[0]["id"])


def run_all_checks(
    running: ZooHost, who: Asker, report: Path, *, examples: int
) -> subprocess.CompletedProcess[str]:
    """Run schemathesis with all checks over what the host says of itself; `report` tells each request."""
    command = (
        *(sys.executable, "-m", "schemathesis.cli", "run", f"http://{running.address}/api/v2/schema/"),
        *("--checks", "all", "--phases", "coverage,fuzzing,stateful", "--max-examples", str(examples)),
        *("--continue-on-failure", "--generation-deterministic"),
        *("--no-color", "--report", "ndjson", "--report-ndjson-path", str(report)),
    )
    own = {"SCHEMATHESIS_HOOKS": "tests.schema.hooks", "PYTHONPATH": str(ROOT), "ASKER_ID": str(who.id)}
    return subprocess.run(
        command,
        cwd=report.parent,  # whatever it leaves behind goes with the test's folder
        env={**os.environ, **own, "ASKER_TOKEN": who.token, "ASKER_TOKEN_ID": str(who.token_id)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def statuses_in(report: Path) -> dict[str, Counter[int]]:
    """Return how the requests of a report were answered, ``{"GET /api/v2/": {200: 3}}``."""
    asked: dict[str, Counter[int]] = defaultdict(Counter)
    with report.open(encoding="utf-8") as lines:
        for line in lines:
            told = json.loads(line).get("ScenarioFinished", {}).get("recorder", {})
            for each in told.get("interactions", {}).values():
                asked[told["label"]][(each.get("response") or {}).get("status_code", 0)] += 1
    return asked
