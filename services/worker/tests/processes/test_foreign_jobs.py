"""Jobs of a real worker, on either back end, that say whatever text and JSON can be."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tools.servers import PostgresServer, RedisServer, missing_programs

if TYPE_CHECKING:
    from services.worker.tests.processes.conftest import Console, Deployment

CODES = st.lists(
    st.one_of(st.integers(0, 0x20), st.integers(0xD7FF, 0xE000), st.integers(0, 0x10FFFF)), max_size=12
)
PARAMS = st.fixed_dictionaries(
    {
        "how": st.sampled_from(["raise", "log", "progress", "text", "result"]),
        "codes": CODES,
        "times": st.sampled_from([1, 100, 100_000]),
        "number": st.sampled_from(["0", "1e308", "nan", "inf", "-inf"]),
        "depth": st.sampled_from([0, 3, 60, 900]),
    }
)


@pytest.fixture(params=["sqlite+files", "postgresql+redis"])
def worker(request: pytest.FixtureRequest, deployment: Deployment) -> Iterator[None]:
    """Run a core worker with one child on the back end."""
    with tempfile.TemporaryDirectory(prefix="pagoda-foreign-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # PostgreSQL runs as a user of its own
        postgres, redis = PostgresServer(folder / "data"), RedisServer(folder / "redis")
        process = None
        try:
            if request.param != "sqlite+files":
                if missing := missing_programs():
                    pytest.skip(f"Debian's packages {', '.join(missing)} are not installed")
                postgres.start()
                redis.start()
                deployment.environ |= {"DATABASE_URL": postgres.url, "BROKER_URL": redis.url}
                assert deployment.run("django", "migrate").returncode == 0
            process = deployment.start("worker", "pagoda_worker.cli", "run", "--core", "--concurrency", "1")
            deployment.wait_for_log("worker", " ready.")
            yield
        finally:
            if process is not None:
                process.kill()
                process.wait()
            redis.stop()
            postgres.stop()


def test_a_job_ends_by_its_own_cause_whatever_it_says(worker: None, console: Console) -> None:
    seen: list[str] = []

    @settings(max_examples=40, suppress_health_check=list(HealthCheck))
    @example({"how": "raise", "codes": [0xD800], "times": 1, "number": "0", "depth": 0})
    @example({"how": "raise", "codes": [97, 0, 98], "times": 1, "number": "0", "depth": 0})
    @example({"how": "result", "codes": [97], "times": 1, "number": "nan", "depth": 0})
    @example({"how": "log", "codes": [0xD800, 0], "times": 100_000, "number": "inf", "depth": 900})
    @given(params=PARAMS)
    def run(params: dict[str, Any]) -> None:
        job = console.run("echo", **params)
        seen.append(job["status"])
        assert job["attempt"] == 1
        if params["how"] == "raise":
            assert job["error"].startswith("ValueError")
        elif params["how"] == "result" and (job["error"] or not is_storable(params)):
            assert job["error"].startswith("InvalidParams: Result of the task can't be stored")
        else:
            assert (job["status"], job["error"]) == ("DONE", "")

    run()
    assert {"DONE", "ERROR"} <= set(seen)


def is_storable(params: dict[str, Any]) -> bool:
    """Return whether a column holds the result of the task, if it is not too large."""
    has_broken_text = any(code == 0 or 0xD800 <= code < 0xE000 for code in params["codes"])
    return not has_broken_text and math.isfinite(float(params["number"])) and params["depth"] < 900
