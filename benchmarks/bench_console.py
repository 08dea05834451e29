"""Measure what a page of the console costs beside the requests of the API that give the same data.

On PostgreSQL and Redis of this machine, with one process of the API and the plugins of this repository; page
and requests take turns, as the same user, and the round that took the least counts. A cost is the CPU time of
the API's process per page. The bytes are those of the first visit: the page as it is sent, and each file
that it loads, images left out. Prints the figures, writes ``benchmarks/results/console.json``, exits 1 when a
bound is missed.
"""

from __future__ import annotations

import argparse
import json
import re
import secrets
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import psutil

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # run as a script

from benchmarks.bench_api import cpu_seconds, pagoda  # noqa: E402
from benchmarks.load_entries import VALUES, load  # noqa: E402
from tools.servers import PostgresServer, RedisServer, missing_programs  # noqa: E402

CPU_RATIO = 2.0
FIRST_VISIT_BYTES = 60_000
P95_MS = 150.0
ROWS, COLUMNS = 100, 12
ENTITY = "Wide"
WIDE: Mapping[str, str] = VALUES | {
    f"extra{n}": "to_jsonb(format('value %s', n % 1000))" for n in range(6, 13)
}
TYPES = {"ram": "number", "is_virtual": "boolean", "bought": "date"}
RESULTS = ROOT / "benchmarks" / "results" / "console.json"
FILE = re.compile(r'(?:href|src)="(/static/[^"]+\.(?:css|js))"')


def pages_of(entity: int, entry: int) -> dict[str, tuple[str, Sequence[str]]]:
    """Return ``{name: (page, requests of the API that give its data)}``."""
    api, one = "/api/v2", f"/api/v2/entries/{entry}"
    columns = "".join(f"&columns={name}" for name in WIDE)
    around = (
        f"{one}/",
        f"{one}/history/?limit=20",
        f"{one}/references/?limit=20",
        f"{one}/graph/?depth=1&limit=40",
    )
    return {
        f"table of {ROWS} x {COLUMNS}": (
            f"/console/entities/{entity}/?limit={ROWS}{columns}",
            (f"{api}/entities/{entity}/", f"{api}/entries/?entity={entity}&limit={ROWS}"),
        ),
        "entities": ("/console/entities/", (f"{api}/entities/?limit=50",)),
        "entry": (f"/console/entries/{entry}/", around),
        "history": (f"/console/entries/{entry}/history/", (f"{one}/", f"{one}/history/?limit=50")),
        "completion": (
            f"/console/suggestions/?type=object&of=x&x=loaded+12&entity={entity}",
            (f"{api}/entries/?entity={entity}&search=loaded+12&limit=20",),
        ),
        "completion, rare": (
            f"/console/suggestions/?type=object&of=x&x=qz&entity={entity}",
            tuple(
                f"{api}/entries/?entity={entity}&{each}&limit={limit}"
                for each, limit in (("name__startswith=qz", 20), ("name__contains=+qz", 20), ("", 1))
            ),
        ),
        "jobs": ("/console/jobs/", (f"{api}/jobs/?limit=50",)),
        "plugins": ("/console/plugins/", (f"{api}/plugins/", f"{api}/plugins/health/")),
    }


def costs(
    client: httpx.Client, process: psutil.Process, paths: Sequence[str], times: int
) -> tuple[float, list[float]]:
    """Return milliseconds of CPU of one turn through the paths, and the milliseconds that each turn took."""
    before, took = cpu_seconds(process), list[float]()
    for _ in range(times):
        began = time.perf_counter()
        for path in paths:
            client.get(path).raise_for_status()
        took.append((time.perf_counter() - began) * 1000)
    return (cpu_seconds(process) - before) / times * 1000, took


def compared(
    client: httpx.Client, process: psutil.Process, pages: Any, rounds: int, times: int
) -> dict[str, Any]:
    """Return ``{name: {"page_ms", "api_ms", "p95_ms", "ratio"}}``; Any: as `pages_of` returns, and JSON."""
    found: dict[str, Any] = {}
    for name, (page, requests) in pages.items():
        best = {"page": float("inf"), "api": float("inf")}
        took: list[list[float]] = []
        for number in range(rounds + 1):
            for kind, paths in (("page", [page]), ("api", requests)):
                cost, each = costs(client, process, paths, times)
                if number:  # the first one fills caches
                    best[kind] = min(best[kind], cost)
                    took += [each] if kind == "page" else []
        p95 = min(statistics.quantiles(each, n=20)[-1] for each in took)
        ratio = round(best["page"] / best["api"], 2)
        found[name] = {f"{kind}_ms": round(cost, 2) for kind, cost in best.items()} | {
            "p95_ms": round(p95, 1)
        }
        found[name] |= {"ratio": ratio, "bound": CPU_RATIO}
        print(
            f"{name:<18} {best['page']:.1f} ms of CPU, the API {best['api']:.1f} ms: x {ratio}, "
            f"at most {CPU_RATIO}; p95 {p95:.0f} ms",
            flush=True,
        )
    return found


def first_visit(client: httpx.Client, path: str) -> int:
    """Return the bytes of a page and of the files that it loads, as they are sent."""
    page = client.get(path)
    answers = [page, *(client.get(file) for file in FILE.findall(page.text))]
    return sum(answer.raise_for_status().num_bytes_downloaded for answer in answers)


def wide_entity(api: httpx.Client) -> int:
    """Make the entity of the table and return its id."""
    attrs = [{"name": name, "type": TYPES.get(name, "string"), "is_summarized": True} for name in WIDE]
    made = api.post("/api/v2/entities/", json={"name": ENTITY, "attrs": attrs})
    return int(made.raise_for_status().json()["id"])


def logged_in(api: httpx.Client) -> httpx.Client:
    """Return a client with the session of a new superuser, by which both pages and API are asked."""
    login = {"username": "looker", "password": secrets.token_urlsafe()}
    api.post("/api/v2/users/", json=login | {"is_superuser": True}).raise_for_status()
    client = httpx.Client(base_url=api.base_url, timeout=30)
    client.post("/api/v2/auth/login/", json=login).raise_for_status()
    return client


def measured(
    folder: Path, database: PostgresServer, broker: RedisServer, arguments: argparse.Namespace
) -> dict[str, Any]:
    """Return all figures; Any: as JSON has it."""
    with pagoda(folder, database, broker) as ours:
        entity, client = wide_entity(ours.client), logged_in(ours.client)
        entries = load(database.url, ENTITY, arguments.entries, WIDE)
        found = compared(
            client, ours.process, pages_of(entity, entries[-1]), arguments.rounds, arguments.requests
        )
        size = first_visit(client, "/console/")
    print(f"first visit        {size:,} bytes, at most {FIRST_VISIT_BYTES:,}")
    return {"entries": arguments.entries, "pages": found, "first_visit_bytes": size}


def main() -> int:
    """Measure, print and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=40, help="of each kind in a round")
    parser.add_argument("--entries", type=int, default=1_000_000, help="in the table")
    arguments = parser.parse_args()
    if missing := missing_programs():
        print(f"bench-console needs Debian's packages: apt-get install {' '.join(missing)}")
        return 2
    folder = Path(tempfile.mkdtemp(prefix="pagoda-console-"))
    folder.chmod(0o755)  # PostgreSQL runs as a user of its own
    database, broker = PostgresServer(folder / "postgresql"), RedisServer(folder / "redis")
    try:
        database.start()
        broker.start()
        found = measured(folder, database, broker, arguments)
    finally:
        broker.stop()
        database.stop()
        shutil.rmtree(folder)
    RESULTS.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    is_ok = found["first_visit_bytes"] <= FIRST_VISIT_BYTES
    is_ok &= all(each["ratio"] <= each["bound"] for each in found["pages"].values())
    held = (f"table of {ROWS} x {COLUMNS}", "completion", "completion, rare")
    is_ok &= all(found["pages"][name]["p95_ms"] <= P95_MS for name in held)
    print(f"console: {'ok' if is_ok else 'MISSED'}")
    return 0 if is_ok else 1


if __name__ == "__main__":
    sys.exit(main())
