"""Measure what reading and writing an entry costs beside a plain DRF view over a flat table.

Both APIs run on PostgreSQL and Redis of this machine, with one process each and a superuser's token; Pagoda
has the plugins of this repository enabled. They take turns, and the round that took the least counts. A cost
is the CPU time of the API's processes and of PostgreSQL's per request. With ``--entries`` reading one and
changing one are measured of few entries and of so many, of five attributes each, and how long 95 of 100
searches of those take until their answer is there, and how often they read the whole table. Prints the
figures, writes ``benchmarks/results/api.json``, exits 1 when a bound is missed.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # run as a script

from benchmarks.load_entries import load  # noqa: E402
from tools.servers import PostgresServer, RedisServer, missing_programs  # noqa: E402
from tools.stack import ADMIN, DEMO_PLUGINS, Stack, clean_environ, free_port, is_ready, prepare  # noqa: E402

BOUNDS = {"GET": 1.8, "list of 100": 2.0, "POST": 2.5, "PATCH": 2.5}
ENTITY = "Server"  # that no handler of the plugins is for: what a handler costs is `bench_hooks.py`'s
STORED = 1_000
GROWTH = {"GET": 1.2, "PATCH": 1.2}  # of the cost at `STORED` entries, at most
LARGE = "Machine"  # the entity that grows
LARGE_SCHEMA = [
    {"name": "address", "type": "string"},
    {"name": "os", "type": "string"},
    {"name": "ram", "type": "number", "is_indexed": True},
    {"name": "rack", "type": "object", "referral": ["Rack"]},
    {"name": "bought", "type": "date"},
]
RACKS = 1_000
SEARCH_MS = 50  # of a search among many entries, 95 of 100, at most
SEARCHES: dict[str, dict[str, Any]] = {
    "an indexed condition": {
        "where": {
            "and": [
                {"field": "attr.ram", "op": "gte", "value": 500},
                {"field": "attr.ram", "op": "lt", "value": 510},
            ]
        }
    },
    "an ordered page": {"ordering": "-attr.ram"},
    "a reference filter": {"where": {"field": "attr.rack", "value": "rack 77"}},
    "a full-text word": {"text": "release4242"},
}
RESULTS = ROOT / "benchmarks" / "results" / "api.json"
SCHEMA = [
    {"name": "address", "type": "string", "is_mandatory": True},
    {"name": "os", "type": "string"},
    {"name": "ram", "type": "number"},
    {"name": "is_virtual", "type": "boolean"},
    {"name": "bought", "type": "date"},
]


def values(number: int) -> dict[str, Any]:
    """Return the five values of a host; Any: of each type."""
    return {
        "address": f"192.0.2.{number % 250}",
        "os": "Debian 13",
        "ram": number % 512,
        "is_virtual": number % 2 == 0,
        "bought": "2026-01-31",
    }


@dataclass(slots=True)
class Api:
    """One of the two: how it is asked, and whose CPU time counts."""

    client: httpx.Client
    path: str
    flat: bool  # whether values are fields of the body
    process: psutil.Process
    database: psutil.Process
    ids: list[int]
    numbers: Iterator[int]

    def body(self, number: int) -> dict[str, Any]:
        """Return what makes a host."""
        if self.flat:
            return {"name": f"host {number}", **values(number)}
        return {"name": f"host {number}", "entity": ENTITY, "attrs": values(number)}

    def fill(self) -> None:
        """Store what is read and changed."""
        for number in range(STORED):
            self.ids.append(self._answered("POST", self.path, self.body(number))["id"])

    def ask(self, operation: str) -> None:
        """Send one request of a kind."""
        number = next(self.numbers)
        one = f"{self.path}{self.ids[number % STORED]}/"
        match operation:
            case "GET":
                self._answered("GET", one)
            case "list of 100":
                offset = number * 100 % (STORED - 100)
                page = self._answered("GET", f"{self.path}?limit=100&offset={offset}")
                if len(page["results"]) != 100:
                    raise SystemExit(f"{page['count']} entries, but no page of 100")
            case "POST":
                self._answered("POST", self.path, self.body(STORED + number))
            case "PATCH":
                change = {"ram": 1000 + number}
                shown = self._answered("PATCH", one, change if self.flat else {"attrs": change})
                if f"{1000 + number}" not in json.dumps(shown):
                    raise SystemExit(f"PATCH changed nothing: {shown}")

    def _answered(self, method: str, url: str, body: Mapping[str, Any] | None = None) -> Any:
        response = self.client.request(method, url, json=body)
        response.raise_for_status()
        return response.json()

    def costs(self, operation: str, requests: int) -> tuple[float, float]:
        """Return milliseconds of CPU per request, of the API's processes and of PostgreSQL's."""
        before = cpu_seconds(self.process), cpu_seconds(self.database)
        for _ in range(requests):
            self.ask(operation)
        after = cpu_seconds(self.process), cpu_seconds(self.database)
        return (after[0] - before[0]) / requests * 1000, (after[1] - before[1]) / requests * 1000


def cpu_seconds(parent: psutil.Process) -> float:
    """Return the CPU time of a process and what it started."""
    for _ in range(10):
        try:
            running = sum(sum(child.cpu_times()[:2]) for child in parent.children(recursive=True))
        except psutil.NoSuchProcess:  # one ended meanwhile: its time is among its parent's
            continue
        times = parent.cpu_times()
        return float(running + times.user + times.system + times.children_user + times.children_system)
    raise SystemExit(f"the processes of {parent.pid} end faster than they are counted")


def measured(apis: Mapping[str, Api], rounds: int, requests: int) -> dict[str, Any]:
    """Return ``{operation: {name: milliseconds by process, "ratio": ...}}``; Any: as JSON has it."""
    found: dict[str, Any] = {}
    for operation, bound in BOUNDS.items():
        for api in apis.values():
            api.costs(operation, 20)  # connections and caches
        best: dict[str, tuple[float, float]] = {}
        for _ in range(rounds):
            for name, api in apis.items():
                cost = api.costs(operation, requests)
                best[name] = min(best.get(name, cost), cost, key=sum)
        ratio = sum(best["pagoda"]) / sum(best["plain"])
        found[operation] = {
            name: {"api_ms": round(cost[0], 3), "postgresql_ms": round(cost[1], 3)}
            for name, cost in best.items()
        } | {"ratio": round(ratio, 2), "bound": bound}
        costs = "; ".join(f"{name} {cost[0]:.2f} + {cost[1]:.2f} ms" for name, cost in best.items())
        print(
            f"{operation:<12} {costs} (API + PostgreSQL): x {ratio:.2f}, at most {bound}",
            flush=True,
        )
    return found


def grown(api: Api, url: str, entries: int, rounds: int, requests: int) -> dict[str, Any]:
    """Return ``{operation: {"few_ms", "many_ms", "ratio", "bound"}}`` of few entries and of so many.

    Of searches among many it is ``{"p95_ms", "api_ms", "postgresql_ms", "table_reads", "ratio", "bound"}``.
    Any: as JSON has it.
    """

    def best(operation: str) -> float:
        api.costs(operation, 100)  # connections, caches, and prepared statements
        return min(sum(api.costs(operation, requests)) for _ in range(rounds))

    given = large_values(api)
    ids = load(url, LARGE, STORED, given)
    api.ids[:] = ids
    few = {operation: best(operation) for operation in GROWTH}
    started = time.perf_counter()
    ids = load(url, LARGE, entries - STORED, given, after=STORED)
    print(f"{entries:,} entries: loaded in {time.perf_counter() - started:.0f} s", flush=True)
    make_indexes(url)
    api.ids[:] = ids[:: max(1, len(ids) // STORED)][:STORED]
    found: dict[str, Any] = {}
    for operation, bound in GROWTH.items():
        many = best(operation)
        ratio = round(many / few[operation], 2)
        found[operation] = {"few_ms": few[operation], "many_ms": many, "ratio": ratio, "bound": bound}
        print(
            f"{operation:<12} {few[operation]:.2f} ms of {STORED:,}, {many:.2f} ms of {entries:,}: "
            f"x {ratio}, at most {bound}",
            flush=True,
        )
    return found | {name: searched(api, url, name, rounds, max(requests, 100)) for name in SEARCHES}


def large_values(api: Api) -> dict[str, str]:
    """Make the entity that grows, and what it refers to; return the SQL of its values."""
    for name, attrs in (("Rack", []), (LARGE, LARGE_SCHEMA)):
        api.client.post("/api/v2/entities/", json={"name": name, "attrs": attrs}).raise_for_status()
    items = [{"op": "create", "entity": "Rack", "name": f"rack {n}"} for n in range(RACKS)]
    made = api.client.post(f"{api.path}bulk/", json={"items": items}).raise_for_status().json()
    ids = [item["id"] for item in made["results"]]
    return {
        "address": "to_jsonb(format('10.%s.%s.%s', n / 65536, n / 256 % 256, n % 256))",
        "os": "to_jsonb('release' || n % 5000)",
        "ram": "to_jsonb(n % 100000)",
        "rack": f"to_jsonb((ARRAY{ids})[1 + n % {RACKS}])",
        "bought": "to_jsonb(date '2020-01-01' + n % 2000)",
    }


def make_indexes(url: str) -> None:
    """Make the indexes of attributes, as a job does within minutes."""
    program = str(Path(sys.executable).with_name("pagoda"))
    environ = clean_environ() | {"DATABASE_URL": url}
    with tempfile.TemporaryDirectory(prefix="pagoda-api-") as folder:
        command = [program, "entries", "index"]
        subprocess.run(
            command, env=environ | {"PAGODA_DATA_DIR": folder}, check=True, stdout=subprocess.DEVNULL
        )


def searched(api: Api, url: str, name: str, rounds: int, requests: int) -> dict[str, Any]:
    """Return how long a search takes, and how often such ones read the whole table; Any: as JSON has it."""
    earlier = table_reads(url)
    p95, own, stored, found = min(_round_of_searches(api, name, requests) for _ in range(rounds))
    reads = table_reads(url) - earlier
    print(
        f"{name:<21} p95 {p95:.1f} ms, at most {SEARCH_MS}; "
        f"CPU {own:.1f} + {stored:.1f} ms (API + PostgreSQL); "
        f"{found:,} found, {reads} sequential scans",
        flush=True,
    )
    figures = {"p95_ms": round(p95, 1), "api_ms": round(own, 2), "postgresql_ms": round(stored, 2)}
    return figures | {"table_reads": reads, "ratio": round(p95 / SEARCH_MS, 2), "bound": 1}


def _round_of_searches(api: Api, name: str, requests: int) -> tuple[float, float, float, int]:
    """Return the p95 of a search's time, its CPU of API and PostgreSQL, in ms each, and what it counts."""
    asked = {"entities": [LARGE], **SEARCHES[name]}
    times: list[float] = []
    before = cpu_seconds(api.process), cpu_seconds(api.database)
    for _ in range(requests):
        started = time.perf_counter()
        answer = api.client.post("/api/v2/search/", json=asked)
        times.append((time.perf_counter() - started) * 1000)
        shown = answer.raise_for_status().json()
        if not shown["results"]:
            raise SystemExit(f"{name}: nothing was found")
    own, stored = (
        (cpu_seconds(each) - earlier) / requests * 1000
        for each, earlier in zip((api.process, api.database), before, strict=True)
    )
    return sorted(times)[len(times) * 95 // 100], own, stored, shown["count"]


def table_reads(url: str) -> int:
    """Return how often PostgreSQL read all entries one by one; processes tell it within a second."""
    time.sleep(1.5)
    with psycopg.connect(url) as connection:
        found = connection.execute(
            "SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'entry_entry'"
        ).fetchone()
    return int(found[0]) if found else 0


@contextmanager
def plain(folder: Path, database: PostgresServer) -> Iterator[Api]:
    """Serve the peer."""
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE plain")
    url = database.url.removesuffix("postgres") + "plain"
    environ = clean_environ() | {"DATABASE_URL": url, "PYTHONPATH": str(ROOT / "benchmarks")}
    made = subprocess.run(
        [sys.executable, "-m", "plain_api"], env=environ, check=True, capture_output=True, text=True
    )
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "gunicorn",
        "-b",
        f"127.0.0.1:{port}",
        "-w",
        "1",
        "plain_api:application",
    ]
    log = (folder / "plain.log").open("wb")
    with log, subprocess.Popen(command, env=environ, stdout=log, stderr=log) as server:
        try:
            with _client(port, made.stdout.strip()) as client:
                _wait(lambda: client.get("/hosts/").is_success)
                yield _api(client, "/hosts/", server.pid, database, flat=True)
        finally:
            server.terminate()


@contextmanager
def pagoda(folder: Path, database: PostgresServer, broker: RedisServer) -> Iterator[Api]:
    """Serve Pagoda."""
    port = free_port()
    environ = clean_environ() | DEMO_PLUGINS
    environ |= {"DATABASE_URL": database.url, "BROKER_URL": broker.url, "CACHE_URL": broker.url}
    environ |= {"API_BIND": f"127.0.0.1:{port}", "API_WORKERS": "1", "PAGODA_LOG_FORMAT": "json"}
    with Stack(folder / "data", environ, lambda _: None) as stack:
        password = prepare(stack)
        stack.start("api", "pagoda_api.cli", "serve")
        with _client(port) as client:
            stack.wait_for("the API", lambda: is_ready(client), 90)
            answer = client.post("/api/v2/auth/token/", json={"username": ADMIN, "password": password})
            client.headers["Authorization"] = f"Token {answer.raise_for_status().json()['token']}"
            client.post("/api/v2/entities/", json={"name": ENTITY, "attrs": SCHEMA}).raise_for_status()
            yield _api(client, "/api/v2/entries/", stack.pid_of("api"), database, flat=False)


def _client(port: int, token: str = "") -> httpx.Client:
    headers = {"Authorization": f"Token {token}"} if token else {}
    return httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30, headers=headers)


def _api(client: httpx.Client, path: str, pid: int, database: PostgresServer, *, flat: bool) -> Api:
    server = psutil.Process(database.process.pid if database.process else None)
    return Api(client, path, flat, psutil.Process(pid), server, [], count())


def _wait(is_there: Callable[[], bool]) -> None:
    for attempt in count():
        try:
            if is_there():
                return
        except httpx.TransportError:
            if attempt > 300:
                raise
        time.sleep(0.1)


def main() -> int:
    """Measure, print and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=200, help="of each kind in a round")
    parser.add_argument("--entries", type=int, default=0, help="measure again when there are so many")
    arguments = parser.parse_args()
    if missing := missing_programs():
        print(f"bench-api needs Debian's packages: apt-get install {' '.join(missing)}")
        return 2
    folder = Path(tempfile.mkdtemp(prefix="pagoda-api-"))
    folder.chmod(0o755)  # PostgreSQL runs as a user of its own
    database, broker = PostgresServer(folder / "postgresql"), RedisServer(folder / "redis")
    try:
        database.start()
        broker.start()
        with plain(folder, database) as peer, pagoda(folder, database, broker) as ours:
            apis = {"plain": peer, "pagoda": ours}
            for api in apis.values():
                api.fill()
            found = measured(apis, arguments.rounds, arguments.requests)
            checked = list(found.values())
            if arguments.entries > STORED:
                growth = grown(ours, database.url, arguments.entries, arguments.rounds, arguments.requests)
                found[f"{arguments.entries} entries"] = growth
                checked += growth.values()
    finally:
        broker.stop()
        database.stop()
        shutil.rmtree(folder)
    RESULTS.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    is_ok = all(each["ratio"] <= each["bound"] and not each.get("table_reads") for each in checked)
    print(f"api: {'ok' if is_ok else 'MISSED'}")
    return 0 if is_ok else 1


if __name__ == "__main__":
    sys.exit(main())
