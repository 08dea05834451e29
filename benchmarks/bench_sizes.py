"""Measure what the chart's values are sized from: memory of each process, CPU of a request and of a job.

Everything runs on PostgreSQL and Redis of this machine, with the plugins of this repository. Memory is the
proportional set size (what a process has, shared pages divided by who shares them) of a workload's processes;
CPU is that of the API's or of the workers' processes, without the servers. Writes
``benchmarks/results/sizes.json``: ``{figure: number}``.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import psutil

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # run as a script

from tools.servers import PostgresServer, RedisServer, missing_programs  # noqa: E402
from tools.stack import ADMIN, DEMO_PLUGINS, Stack, clean_environ, free_port, is_ready, prepare  # noqa: E402

REQUESTS = 300
JOBS = 300
MEBI = 1024 * 1024
RESULTS = ROOT / "benchmarks" / "results" / "sizes.json"
WORKLOADS = {
    "api": ("pagoda_api.cli", "serve"),
    "dispatcher": ("pagoda_worker.cli", "dispatch"),
    "worker": ("pagoda_worker.cli", "run", "--plugin", "inventory"),
    "flower": ("pagoda_worker.cli", "flower"),
}


def main() -> int:
    """Measure, print and write the figures."""
    if missing := missing_programs():
        print(f"bench-sizes needs Debian's packages: apt-get install {' '.join(missing)}")
        return 2
    folder = Path(tempfile.mkdtemp(prefix="pagoda-sizes-"))
    folder.chmod(0o755)  # PostgreSQL runs as a user of its own
    database, broker = PostgresServer(folder / "postgresql"), RedisServer(folder / "redis")
    try:
        database.start()
        broker.start()
        found = _measured(folder, database.url, broker.url)
    finally:
        broker.stop()
        database.stop()
        shutil.rmtree(folder)
    for name, figure in found.items():
        print(f"{name:<44} {figure:>8.1f}")
    RESULTS.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return 0


def _measured(folder: Path, database_url: str, broker_url: str) -> dict[str, float]:
    port = free_port()
    environ = clean_environ() | DEMO_PLUGINS
    environ |= {"DATABASE_URL": database_url, "BROKER_URL": broker_url, "API_BIND": f"127.0.0.1:{port}"}
    environ |= {"FLOWER_BIND": f"127.0.0.1:{free_port()}", "PAGODA_LOG_FORMAT": "json"}
    with Stack(folder / "data", environ, lambda _: None) as stack:
        password = prepare(stack)
        for name, command in WORKLOADS.items():
            stack.start(name, *command)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            stack.wait_for("the API", lambda: is_ready(client), 90)
            answer = client.post("/api/v2/auth/token/", json={"username": ADMIN, "password": password})
            client.headers["Authorization"] = f"Token {answer.json()['token']}"
            _run_jobs(client, 2)  # the worker serves
            return _figures(stack, client)


def _figures(stack: Stack, client: httpx.Client) -> dict[str, float]:
    found = {f"{name}, MiB": _memory(stack, name) for name in WORKLOADS}
    found["one more process of the worker, MiB"] = _child_memory(stack, "worker")
    found["one more process of the API, MiB"] = _child_memory(stack, "api")
    reading = _cpu(stack, "api", lambda: [client.get("/api/v2/jobs/") for _ in range(REQUESTS)])
    found["request that reads a page, CPU ms"] = reading / REQUESTS * 1000
    body = {"name": "Probe", "attrs": [{"name": "note", "type": "string"}]}
    client.post("/api/v2/entities/", json=body).raise_for_status()
    writing = _cpu(stack, "api", lambda: _write(client))
    found["request that writes an entry, CPU ms"] = writing / REQUESTS * 1000
    running = _cpu(stack, "worker", lambda: _run_jobs(client, JOBS))
    found["job that does nothing, CPU ms of the worker"] = running / JOBS * 1000
    return found


def _write(client: httpx.Client) -> None:
    for number in range(REQUESTS):
        body = {"entity": "Probe", "name": f"entry {number}", "attrs": {"note": "x"}}
        client.post("/api/v2/entries/", json=body).raise_for_status()


def _run_jobs(client: httpx.Client, count: int) -> None:
    jobs = [client.post("/api/v2/jobs/canary/", json={"queue": "plugin.inventory"}) for _ in range(count)]
    for job in jobs:
        url = f"/api/v2/jobs/{job.raise_for_status().json()['id']}/"
        while client.get(url).json()["phase"] != "finished":
            time.sleep(0.05)


def _processes(stack: Stack, name: str) -> list[psutil.Process]:
    (started,) = [started for started in stack._started if started.name == name]
    parent = psutil.Process(started.process.pid)
    return [parent, *parent.children(recursive=True)]


def _memory(stack: Stack, name: str) -> float:
    return sum(process.memory_full_info().pss for process in _processes(stack, name)) / MEBI


def _child_memory(stack: Stack, name: str) -> float:
    return float(min(process.memory_full_info().uss for process in _processes(stack, name)[1:]) / MEBI)


def _cpu(stack: Stack, name: str, work: Callable[[], object]) -> float:
    """Return the seconds of CPU that a workload's processes take for `work`."""
    before = _seconds(stack, name)
    work()
    return _seconds(stack, name) - before


def _seconds(stack: Stack, name: str) -> float:
    times = [process.cpu_times() for process in _processes(stack, name)]
    return sum(t.user + t.system for t in times)


if __name__ == "__main__":
    sys.exit(main())
