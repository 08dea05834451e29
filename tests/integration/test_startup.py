"""Start-up of both images: what is wrong stops it, in words and with an exit code; what is right starts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import uuid4

import pytest
from testcontainers.core.network import Network

from tests.integration.conftest import TEMPLATE, MakeStack
from tests.integration.stage.containers import PagodaContainer
from tests.integration.stage.promises import Promises
from tests.integration.stage.servers import Postgres, Redis
from tests.integration.stage.stack import SETTINGS, Stack
from tests.integration.stage.starting import PROCESSES, ends
from tests.integration.stage.waiting import wait_until

CONFIGURATION_FAULT, NOT_READY = 2, 1
OFFSET_TASKS = {
    10: "tick",
    11: "write_entry",
    12: "break_off",
    13: "eat_memory",
    14: "walk",
    15: "delete_entry",
}

NOWHERE = {
    **SETTINGS,
    "ENABLED_PLUGINS": "hello-world,trial",
    "DATABASE_URL": "postgres://pagoda:hidden-password@127.0.0.1:1/pagoda",
    "BROKER_URL": "redis://127.0.0.1:1/0",
    "PAGODA_WAIT_SECONDS": "1",
}
"""Right settings, but no server."""

HELLO, TRIAL = [200, 299], [400, 499]
UNMIGRATED = "of plugins are not applied: pagoda_trial.0001_initial. Run `pagoda migrate`."
RANGES = {"PLUGIN_OPERATION_ID_CONFIG": json.dumps({"hello-world": HELLO, "trial": TRIAL})}
OUTSIDE = "outside 200-9999 (1-99 are the host's, 100-199 custom operations). Choose ids from 200 to 9999."
TRIAL_TASKS = (
    "succeed, fail, nap, hang, overrun, overstay, progress, write_file, flaky, effect, tick, write_entry, "
    "break_off, eat_memory, walk, delete_entry"
)

RANGE_FAULTS: Mapping[str, tuple[dict[str, Any], list[str]]] = {
    "no range": (
        {"hello-world": HELLO, "trial": [400]},
        ["The range of plugin 'trial' is [400], expected [first id, last id], such as [200, 299]."],
    ),
    "no numbers": (
        {"hello-world": HELLO, "trial": ["400", 499]},
        ["The range of plugin 'trial' is ['400', 499], expected [first id, last id], such as [200, 299]."],
    ),
    "first above last": (
        {"hello-world": HELLO, "trial": [499, 400]},
        ["The range of plugin 'trial' is [499, 400], first id above the last. Swap them."],
    ),
    "the host's ids": (
        {"hello-world": HELLO, "trial": [1, 99]},
        [f"The range of plugin 'trial' is [1, 99], {OUTSIDE}"],
    ),
    "custom ids": (
        {"hello-world": HELLO, "trial": [150, 250]},
        [f"The range of plugin 'trial' is [150, 250], {OUTSIDE}"],
    ),
    "ids too high": (
        {"hello-world": HELLO, "trial": [9900, 10000]},
        [f"The range of plugin 'trial' is [9900, 10000], {OUTSIDE}"],
    ),
    "overlap": (
        {"hello-world": HELLO, "trial": [299, 399]},
        ["The ranges of plugins 'hello-world' [200, 299] and 'trial' [299, 399] overlap. Move one of them."],
    ),
    "one plugin under two names": (
        {"hello-world": HELLO, "hello-world-plugin": [300, 399], "trial": TRIAL},
        ["'hello-world' and 'hello-world-plugin' are the same plugin. Keep one of the two ranges."],
    ),
    "offsets outside": (
        {"hello-world": HELLO, "trial": [400, 409]},
        [
            f"Task {name!r} of plugin 'trial' has offset {offset}, but the range [400, 409] holds offsets "
            f"0 to 9. Widen the range to at least [400, {400 + offset}]."
            for offset, name in OFFSET_TASKS.items()
        ],
    ),
    "missing": (
        {"hello-world": HELLO},
        [
            (
                f"Plugin 'trial' has tasks ({TRIAL_TASKS}) but no range of operation ids. "
                'Add "trial": [first, last] to PLUGIN_OPERATION_ID_CONFIG.'
            )
        ],
    ),
    "unknown plugin": (
        {"hello-world": HELLO, "trial": TRIAL, "trail": [500, 599]},
        [
            (
                "'trail' has a range of operation ids, but no such plugin is enabled. Did you mean 'trial'? "
                "Enable it in ENABLED_PLUGINS or remove its range."
            )
        ],
    ),
}


@pytest.mark.parametrize("fault", RANGE_FAULTS)
def test_a_fault_of_operation_ids_stops_both_images(
    docker_engine: None, promise: Promises, fault: str
) -> None:
    ranges, faults = RANGE_FAULTS[fault]
    for end in ends({**NOWHERE, "PLUGIN_OPERATION_ID_CONFIG": json.dumps(ranges)}):
        listed = "".join(f"  - {text}\n" for text in faults)
        told = f"{end.process}: PLUGIN_OPERATION_ID_CONFIG has {len(faults)} fault(s):\n{listed}"
        assert (end.exit_code, end.log[-len(told) :]) == (CONFIGURATION_FAULT, told)
    promise(f"operation ids: {fault}", "both images end with 2 and the full message")


@pytest.mark.smoke
def test_all_faults_of_operation_ids_are_told_at_once(docker_engine: None) -> None:
    ranges = {"hello-world": [299, 200], "trial": [150, 250], "trail": [500]}
    for end in ends({**NOWHERE, "PLUGIN_OPERATION_ID_CONFIG": json.dumps(ranges)}):
        assert end.exit_code == CONFIGURATION_FAULT
        assert f"{end.process}: PLUGIN_OPERATION_ID_CONFIG has 4 fault(s):\n" in end.log


def test_faults_of_custom_operation_ids_stop_both_images(docker_engine: None, promise: Promises) -> None:
    custom = {"99": "pagoda_trial.traces.leave", "100": "pagoda_trial.nowhere.task"}
    for end in ends({**NOWHERE, **RANGES, "CUSTOM_TASKS": json.dumps(custom)}):
        told = (
            f"{end.process}: CUSTOM_TASKS has 2 fault(s):\n"
            "  - 99: 'pagoda_trial.traces.leave': the operation id is 99, expected a number from 100 to 199\n"
            "  - 100: 'pagoda_trial.nowhere.task': No module named 'pagoda_trial.nowhere'\n"
        )
        assert (end.exit_code, end.log[-len(told) :]) == (CONFIGURATION_FAULT, told)
    promise("operation ids of the installation's own", "both images end with 2 and the full message")


@pytest.mark.smoke
def test_bad_settings_stop_both_images_with_all_faults(docker_engine: None, promise: Promises) -> None:
    settings = {
        **NOWHERE,
        "API_WORKERS": "0",
        "JOB_LEASE_SECOND": "5",
        "DATABASE_URL": "hidden-password@nowhere",
        "PLUGIN_OPERATION_ID_CONFIG": "[200",
    }
    for end in ends(settings):
        told = end.log[end.log.index(f"{end.process}: The settings have 4 fault(s):\n") :]
        assert end.exit_code == CONFIGURATION_FAULT
        assert "JOB_LEASE_SECOND is not a setting. Did you mean 'JOB_LEASE_SECONDS'" in told
        assert "API_WORKERS is '0': input should be greater than or equal to 1." in told
        assert "PLUGIN_OPERATION_ID_CONFIG is '[200': is no JSON object" in told
        assert "DATABASE_URL: " in told
        assert "hidden-password" not in end.log
    promise("bad settings", "both images end with 2 and all faults")


def test_production_names_the_settings_it_needs(docker_engine: None) -> None:
    needed = ("PAGODA_SECRET_KEY", "DATABASE_URL", "BROKER_URL")
    for end in ends({name: value for name, value in NOWHERE.items() if name not in needed}):
        assert end.exit_code == CONFIGURATION_FAULT
        assert all(f"{name} is not set: PAGODA_ENV=production needs " in end.log for name in needed)


@pytest.mark.smoke
def test_in_strict_mode_a_broken_plugin_stops_both_images(docker_engine: None, promise: Promises) -> None:
    settings = {**NOWHERE, "ENABLED_PLUGINS": "hello-world,trial,broken,unready"}
    for end in ends({**settings, **RANGES, "PAGODA_PLUGIN_STRICT": "true"}):
        assert end.exit_code == CONFIGURATION_FAULT
        assert (
            f"{end.process}: The plugins have 2 fault(s), and PAGODA_PLUGIN_STRICT lets none pass:" in end.log
        )
        assert "RuntimeError: the trial's broken plugin breaks here" in end.log
        assert "Task function pagoda_broken.without_task.later does not exist." in end.log
    promise("broken plugins in strict mode", "both images end with 2 and both reasons")


@pytest.fixture(scope="module")
def tolerant(network: Network, postgres: Postgres, redis: Redis) -> Iterator[Stack]:
    """Run both images as they are, with two broken plugins among those that are enabled."""
    settings = {"ENABLED_PLUGINS": "hello-world,broken,trial,unready", **RANGES}
    with Stack(network, postgres, postgres.copy_of(TEMPLATE), redis, settings) as stack:
        stack.start_api()
        stack.start_fleet()
        stack.wait_ready()
        yield stack


def test_a_good_configuration_starts_and_a_broken_plugin_is_skipped(
    tolerant: Stack, promise: Promises
) -> None:
    listed = tolerant.client.get("plugins/")
    plugins = {plugin["id"]: (plugin["status"], plugin["reason_code"]) for plugin in listed["results"]}
    job = tolerant.client.finished(tolerant.client.submit("succeed"), limit_seconds=120)

    assert plugins == {
        "hello-world-plugin": ("active", None),
        "broken": ("skipped", "import_failed"),
        "trial": ("active", None),
        "unready": ("skipped", "task_not_found"),
    }
    assert job["result"]["host"] == tolerant.host_of("fleet")
    promise("good configuration, two broken plugins", "2 active, 2 skipped with reason, jobs run")


def test_api_and_workers_tell_one_registry_digest(tolerant: Stack) -> None:
    digests = {
        record["digest"]
        for name in ("api", "fleet")
        for record in records(tolerant.containers[name].log())
        if record.get("event") == "plugins_started"
    }
    assert digests == {tolerant.client.get("plugins/")["digest"]}


@pytest.mark.smoke
def test_every_process_gives_up_on_a_database_that_is_not_there(
    docker_engine: None, promise: Promises
) -> None:
    for end in ends({**NOWHERE, **RANGES}, PROCESSES):
        waits = [record["reason"] for record in records(end.log) if record.get("waits_for") == "database"]
        assert len(waits) == 1, end.log  # told once, not at each look
        assert "127.0.0.1" in waits[0]
        assert (end.exit_code, "waited 1 s for database, given up: " in end.log) == (NOT_READY, True), end
        assert "hidden-password" not in end.log
    promise("unreachable database", f"{len(PROCESSES)} processes wait, say so, end with 1")


def test_every_process_gives_up_on_a_database_that_is_not_migrated(
    network: Network, postgres: Postgres, redis: Redis, promise: Promises
) -> None:
    settings = {**NOWHERE, **RANGES, "DATABASE_URL": postgres.url(empty_database(postgres))}
    for end in ends({**settings, "BROKER_URL": redis.place()}, PROCESSES, network):
        assert end.exit_code == NOT_READY, end.log
        assert "waited 1 s for migrations, given up: " in end.log
        assert "migration(s) are not applied: " in end.log
        assert "Run `pagoda migrate`." in end.log
    promise("empty database", f"{len(PROCESSES)} processes wait, say so, migrate nothing, end with 1")


def test_processes_wait_for_a_plugin_s_migration_too(
    make_stack: MakeStack, postgres: Postgres, redis: Redis, promise: Promises
) -> None:
    """Else new Pods would serve before the plugin's tables are there."""
    database = postgres.copy_of(TEMPLATE)
    with postgres.connection(database) as connection:
        connection.execute("DELETE FROM django_migrations WHERE app = 'pagoda_trial'")
        connection.execute("DROP TABLE pagoda_trial_trace")
    stack = make_stack(redis, database=database, PAGODA_WAIT_SECONDS="120")
    started = stack.start_api(), stack.start_worker("neighbour")
    wait_until(lambda: all(map(waits, started)), 60, lambda: "".join(each.log() for each in started))
    assert [UNMIGRATED in each.log() for each in started] == [True, True]
    assert postgres.rows(database, "SELECT to_regclass('pagoda_trial_trace')") == [(None,)]

    stack.run_to_end("pagoda", "migrate")
    stack.wait_ready()
    assert postgres.rows(database, "SELECT count(*) FROM pagoda_trial_trace") == [(0,)]
    assert all('"event": "waited"' in each.log() for each in started)
    promise("a plugin's missing migration", "both images name it and wait, then go on")


def test_processes_that_wait_go_on_when_the_database_is_migrated(
    make_stack: MakeStack, network: Network, postgres: Postgres, redis: Redis, promise: Promises
) -> None:
    stack = make_stack(redis, database=empty_database(postgres), PAGODA_WAIT_SECONDS="120")
    api, worker = stack.start_api(), stack.start_worker("trial")
    wait_until(lambda: all(waits(held) for held in (api, worker)), 60, lambda: api.log() + worker.log())
    stack.migrate()
    stack.wait_ready()

    assert stack.client.finished(stack.client.submit("succeed"))["status_name"] == "DONE"
    assert all('"event": "waited"' in container.log() for container in (api, worker))
    promise("migrated while they wait", "both go on, jobs run")


def empty_database(postgres: Postgres) -> str:
    name = f"empty_{uuid4().hex[:8]}"
    with postgres.connection("postgres") as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return name


def waits(container: PagodaContainer) -> bool:
    return any(record.get("waits_for") == "migrations" for record in records(container.log()))


def records(log: str) -> list[dict[str, Any]]:
    """Return the structured records of a log."""
    return [json.loads(line) for line in log.splitlines() if line.startswith("{")]
