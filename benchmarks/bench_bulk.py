"""Measure many entries at once, on PostgreSQL and Redis of this machine, with the demo's plugins enabled.

A thousand creates in one request beside creates one by one, in CPU time of the API's processes and
PostgreSQL's; and what `pagoda import` takes of CPU and memory for a CSV of few rows and of many: the rate is
that of the rows that are more, so that starting does not count. The round that took the least counts. Prints
the figures, writes ``benchmarks/results/bulk.json``, exits 1 when a bound is missed.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import sys
import tempfile
from itertools import count
from pathlib import Path
from typing import Any, Final

import psutil

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # run as a script

from benchmarks.bench_api import ENTITY, Api, cpu_seconds, pagoda, values  # noqa: E402
from tools.servers import PostgresServer, RedisServer, missing_programs  # noqa: E402
from tools.stack import DEMO_PLUGINS, clean_environ  # noqa: E402

BULK: Final = 1_000
IMPORTS: Final = 2  # of either size
FASTER: Final = 15  # than one by one, at least
ROWS_PER_SECOND: Final = 2_000  # of CPU time of the importing process and PostgreSQL together, at least
GROWTH_MIB: Final = 64  # of memory from few rows to many, at most
RESULTS = ROOT / "benchmarks" / "results" / "bulk.json"


def bulk(api: Api, rounds: int) -> dict[str, Any]:
    """Return the cost of an entry in one request of many, and alone; Any: as JSON has it."""
    numbers = count(1)

    def many() -> None:
        items = [{"op": "create", **api.body(next(numbers))} for _ in range(BULK)]
        answer = api.client.post(f"{api.path}bulk/", json={"items": items})
        answer.raise_for_status()

    def alone() -> None:
        for _ in range(BULK // 5):
            api.client.post(api.path, json=api.body(next(numbers))).raise_for_status()

    def cost(act: Any, entries: int) -> float:
        before = cpu_seconds(api.process) + cpu_seconds(api.database)
        act()
        return (cpu_seconds(api.process) + cpu_seconds(api.database) - before) / entries * 1000

    many()  # connections and caches
    costs = [(cost(alone, BULK // 5), cost(many, BULK)) for _ in range(rounds)]
    one, together = (min(each) for each in zip(*costs, strict=True))
    found = {"alone_ms": round(one, 3), "together_ms": round(together, 3), "faster": round(one / together, 1)}
    print(
        f"create       {one:.2f} ms alone, {together:.2f} ms of {BULK:,}: {found['faster']} times faster",
        flush=True,
    )
    return found | {"bound": FASTER}


def imported(
    folder: Path, environ: dict[str, str], database: psutil.Process, rows: int, number: int
) -> tuple[float, float, float]:
    """Import so many new rows; return seconds of CPU, the process's and PostgreSQL's, and the peak in MiB."""
    path, stem = folder / f"{rows}.csv", f"{number} of {rows}"
    with path.open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["name", *values(0)])
        for row in range(rows):
            table.writerow([f"{stem} {row}", *(json.dumps(x).strip('"') for x in values(row).values())])
    program = str(Path(sys.executable).with_name("pagoda"))
    before = cpu_seconds(database)
    pid = os.posix_spawn(program, [program, "import", str(path), "--entity", ENTITY], environ)
    _, status, usage = os.wait4(pid, 0)
    if status:
        raise SystemExit(f"pagoda import ended with {status}")
    return usage.ru_utime + usage.ru_stime, cpu_seconds(database) - before, usage.ru_maxrss / 1024


def imports(
    folder: Path, environ: dict[str, str], database: psutil.Process, few: int, many: int
) -> dict[str, Any]:
    """Return what rows cost, and how memory grows with them; Any: as JSON has it."""
    found: dict[str, Any] = {"rows": [few, many], "rows_per_second": 0}
    for number in range(IMPORTS):
        own, stored, low = imported(folder, environ, database, few, number)
        own_of_many, stored_of_many, high = imported(folder, environ, database, many, number)
        more, own, stored = many - few, own_of_many - own, stored_of_many - stored
        rate = round(more / (own + stored))
        if rate > found["rows_per_second"]:
            found |= {"rows_per_second": rate, "peak_mib": [round(low), round(high)]}
            found |= {"own_ms": round(own / more * 1000, 3), "postgresql_ms": round(stored / more * 1000, 3)}
    low, high = found["peak_mib"]
    print(
        f"import       {found['rows_per_second']:,} rows/s on one core, at least {ROWS_PER_SECOND:,}; "
        f"{found['own_ms']} ms a row and PostgreSQL {found['postgresql_ms']}; "
        f"{low} MiB of {few:,} rows, {high} of {many:,}",
        flush=True,
    )
    return found | {"bound": ROWS_PER_SECOND, "bound_growth_mib": GROWTH_MIB}


def main() -> int:
    """Measure, print and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--rows", type=int, nargs=2, default=[10_000, 200_000], help="few and many, to import"
    )
    arguments = parser.parse_args()
    if missing := missing_programs():
        print(f"bench-bulk needs Debian's packages: apt-get install {' '.join(missing)}")
        return 2
    folder = Path(tempfile.mkdtemp(prefix="pagoda-bulk-"))
    folder.chmod(0o755)  # PostgreSQL runs as a user of its own
    database, broker = PostgresServer(folder / "postgresql"), RedisServer(folder / "redis")
    try:
        database.start()
        broker.start()
        with pagoda(folder, database, broker) as api:
            found = {"create": bulk(api, arguments.rounds)}
            environ = clean_environ() | DEMO_PLUGINS | {"PAGODA_DATA_DIR": str(folder / "data")}
            environ |= {"DATABASE_URL": database.url, "BROKER_URL": broker.url, "CACHE_URL": broker.url}
            found["import"] = imports(folder, environ, api.database, *arguments.rows)
    finally:
        broker.stop()
        database.stop()
        shutil.rmtree(folder)
    RESULTS.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    low, high = found["import"]["peak_mib"]
    is_ok = (
        found["create"]["faster"] >= FASTER
        and found["import"]["rows_per_second"] >= ROWS_PER_SECOND
        and high - low <= GROWTH_MIB
    )
    print(f"bulk: {'ok' if is_ok else 'MISSED'}")
    return 0 if is_ok else 1


if __name__ == "__main__":
    sys.exit(main())
