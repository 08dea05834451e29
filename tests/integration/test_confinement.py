"""What a worker's container keeps its plugin from, and what it does not: THREAT_MODEL.md lists both."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from testcontainers.core.network import Network

from tests.integration.stage import engine
from tests.integration.stage.promises import Promises
from tests.integration.stage.servers import Postgres, Redis
from tests.integration.stage.stack import API_PORT, Stack
from tests.integration.stage.trouble import wire_of

TEMPLATE = "migrated"
COMPOSE = Path(__file__).resolve().parents[2] / "docker" / "compose.yaml"
MEMORY_MB = 384
PROCESSES = 64
CORES = 0.5
LIMITS: dict[str, Any] = {
    "mem_limit": f"{MEMORY_MB}m",
    "memswap_limit": f"{MEMORY_MB}m",
    "pids_limit": PROCESSES,
    "nano_cpus": int(CORES * 1e9),
    "restart_policy": {"Name": "always"},
}
"""As docker/compose.yaml and the chart set them, in other figures."""

READ_ONLY = ("/", "/etc", "/opt/pagoda", "/opt/pagoda/lib", "/usr/local/lib", "/var", "/home", "/root")
REFUSED = {"Read-only file system", "Permission denied"}
SETTINGS_WITH_PROBE = {
    "ENABLED_PLUGINS": "probe",
    "PLUGIN_OPERATION_ID_CONFIG": '{"probe": [700, 799]}',
}


@pytest.fixture(scope="module")
def cage(docker_engine: None) -> Iterator[Network]:
    """Make the network of the worker, without a way out."""
    with engine.network(is_internal=True) as made:
        yield made


@pytest.fixture(scope="module")
def caged(network: Network, cage: Network, postgres: Postgres, redis: Redis) -> Iterator[Stack]:
    """Run the probe's worker in the cage, where the database and the broker are, and nothing else."""
    with Stack(network, postgres, postgres.copy_of(TEMPLATE), redis, SETTINGS_WITH_PROBE) as stack:
        for server in (postgres, redis):
            wire_of(cage, server).connect(server.get_wrapped_container(), aliases=[server.alias])
        stack.start_api()
        stack.start_dispatcher()
        stack.network = cage
        stack.start_worker("probe", **LIMITS)
        stack.wait_ready()
        yield stack
        for server in (postgres, redis):
            wire_of(cage, server).disconnect(server.get_wrapped_container())


def attempt(stack: Stack, task: str, **params: Any) -> dict[str, Any]:
    """Have the probe try something; return the finished job."""
    return stack.client.finished(stack.client.post(f"plugins/probe/{task}/", **params)["job"])


def result(stack: Stack, task: str, **params: Any) -> Any:
    job = attempt(stack, task, **params)
    assert job["status_name"] == "DONE", job
    return job["result"]


def test_it_writes_to_its_two_temporary_folders_alone(caged: Stack, promise: Promises) -> None:
    found = result(caged, "write", folders=[*READ_ONLY, "/tmp", "/var/lib/pagoda"])

    assert {folder for folder, told in found.items() if told == "allowed"} == {"/tmp", "/var/lib/pagoda"}
    assert {found[folder] for folder in READ_ONLY} <= REFUSED
    promise("confined: writes outside its tmp", f"{len(READ_ONLY)} of {len(READ_ONLY)} folders refused")


def test_it_gains_no_privilege(caged: Stack, promise: Promises) -> None:
    found = result(caged, "privileges")

    assert found == {
        "user": 10001,
        "capabilities": {"CapPrm": 0, "CapEff": 0, "CapBnd": 0, "CapInh": 0},
        "no new privileges": 1,
        "become root": "Operation not permitted",
        "mount": "Operation not permitted",
        "change owner": "Operation not permitted",
        "set-user-id programs that work": [],
    }
    promise("confined: capabilities", "0 of 41, none to be gained")


def test_it_gets_no_more_memory_than_its_limit(caged: Stack, promise: Promises) -> None:
    job = attempt(caged, "memory", megabytes=4 * MEMORY_MB)

    assert job["status_name"] == "ERROR"
    assert result(caged, "write", folders=["/tmp"]) == {"/tmp": "allowed"}
    promise("confined: memory", f"limit {MEMORY_MB} MB: {job['error']}; the next job runs")


def test_it_starts_no_more_processes_than_its_limit(caged: Stack, promise: Promises) -> None:
    found = result(caged, "processes", count=4 * PROCESSES)

    assert found["started"] < PROCESSES
    assert found["stopped by"] == "Resource temporarily unavailable"
    promise(
        "confined: processes", f"limit {PROCESSES}: {found['started']} started, then {found['stopped by']}"
    )


def test_it_computes_on_no_more_than_its_share(caged: Stack, promise: Promises) -> None:
    cores = result(caged, "processor", processes=4)

    assert cores < 1.5 * CORES
    promise("confined: processor", f"limit {CORES} cores: 4 processes had {cores:.2f}")


def test_it_reaches_the_database_and_the_broker_alone(
    caged: Stack, network: Network, postgres: Postgres, redis: Redis, promise: Promises
) -> None:
    """The outside is a container of another network, which the API can reach."""
    api = caged.containers["api"].get_wrapped_container()
    api.reload()
    address = next(iter(api.attrs["NetworkSettings"]["Networks"].values()))["IPAddress"]
    gateway = next(iter(api.attrs["NetworkSettings"]["Networks"].values()))["Gateway"]
    places = {
        "database": [postgres.alias, 5432],
        "broker": [redis.alias, 6379],
        "API by name": ["api", API_PORT],
        "API by address": [address, API_PORT],
        "dispatcher by name": ["dispatcher", 80],
        "other network's gateway": [gateway, API_PORT],
    }
    found = result(caged, "connect", places=places)

    reached = {name for name, told in found.items() if told == "allowed"}
    assert reached == {"database", "broker"}
    promise("confined: network", f"{len(places) - 2} of {len(places) - 2} other places out of reach")


def test_what_it_is_not_kept_from(caged: Stack, promise: Promises) -> None:
    """A plugin's worker is trusted with the database: the table in THREAT_MODEL.md says so."""
    found = result(caged, "look_around")

    assert found["password hashes"] == 1
    assert found["secrets in its environment"] == ["BROKER_URL", "DATABASE_URL", "PAGODA_SECRET_KEY"]
    promise("not confined: database", "reads every table, password hashes among them")


def test_the_settings_that_confine_are_those_of_the_compose_file() -> None:
    """What is tried here is what docker/compose.yaml sets for a worker."""
    services = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"]
    worker = services["worker-inventory"]

    assert worker["read_only"] is True
    assert worker["cap_drop"] == ["ALL"]
    assert worker["security_opt"] == ["no-new-privileges:true"]
    assert {"mem_limit", "pids_limit", "cpus"} <= worker.keys()
    assert worker["networks"] == ["worker-inventory"]
