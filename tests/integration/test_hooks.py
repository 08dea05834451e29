"""Hooks in every kind of process: API, shell, worker. Each handler runs once, where the change is made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from uuid import uuid4

import pytest

from tests.integration.stage.promises import Promises
from tests.integration.stage.stack import Stack
from tests.integration.stage.waiting import wait_until

pytestmark = pytest.mark.parametrize("broker", ["redis"], indirect=True)

TRACED, WATCHED = "Traced", "Watched"
CREATE = ("entry.before_create", "entry.validate", "entry.after_create")
CREATE_IN_A_SHELL = """
from pagoda_plugin_sdk.models import Entity, Entry
schema = Entity.objects.get(name={entity!r})
Entry.objects.create_entry(user=None, schema=schema, name={name!r}, attrs={{}})
"""
SAVE_IN_A_SHELL = """
from pagoda_plugin_sdk.models import Entry
entry = Entry.objects.get(name={name!r})
entry.note = "from a shell"
entry.save()
"""
DEFERRED = """
SELECT queue, plugin, status, attempt FROM job_job
WHERE operation_name = 'run_deferred_hook' AND params::json->>'object' = %s
"""
DONE = 2


@pytest.fixture(scope="module")
def traced(shared: Stack) -> int:
    """Have an entity on whose entries hooks leave traces."""
    entity = shared.client.post("entities/", name=TRACED, attrs=[{"name": "address", "type": "string"}])
    return int(entity["id"])


@pytest.fixture
def name() -> str:
    return f"entry-{uuid4().hex[:8]}"


def create(shared: Stack, name: str) -> int:
    return int(shared.client.post("entries/", schema=TRACED, name=name, attrs={"address": "a"})["id"])


def once(host: str, hooks: Iterable[str]) -> Counter[tuple[str, str]]:
    """Return the traces of these hooks, as `TrialTraces.hooks` does."""
    return Counter((hook, host) for hook in hooks)


def lifecycle(subject: str, *events: str) -> list[str]:
    return [f"{subject}.{when}_{event}" for event in events for when in ("before", "after")]


def ran_deferred(shared: Stack, name: str) -> list[tuple[str, int]]:
    """Wait until the deferred handler has run for the entry `name`; return where."""
    return wait_until(
        lambda: shared.trial.of("deferred", name), 30, lambda: "the deferred handler did not run"
    )


@pytest.mark.smoke
def test_each_hook_of_an_entry_runs_once_in_the_api(
    shared: Stack, traced: int, name: str, promise: Promises
) -> None:
    client = shared.client
    entry = create(shared, name)
    shown = client.get(f"entries/{entry}/")
    client.send("PATCH", f"entries/{entry}/", {"attrs": {"address": "b"}}).raise_for_status()
    client.send("DELETE", f"entries/{entry}/").raise_for_status()
    client.post(f"entries/{entry}/restore/")
    ran_deferred(shared, name)

    assert (shown["note"], shown["attrs"][-1]["name"]) == ("noted by trial", "of-the-entry")
    expected = once(shared.host_of("api"), lifecycle("entry", "create", "update", "delete", "restore"))
    validated = once(shared.host_of("api"), ["entry.validate"] * 2)  # of the creation and the update
    assert shared.trial.hooks(name) == expected + validated + once(
        shared.host_of("worker-trial"), ["deferred"]
    )
    promise("hooks of an entry through the API", f"{len(expected)} lifecycle hooks, once each, in the API")


def test_each_hook_of_an_entity_runs_once_in_the_api(shared: Stack, promise: Promises) -> None:
    client, before = shared.client, shared.trial.last()
    entity = client.post("entities/", name=WATCHED, attrs=[])["id"]
    shown = client.get(f"entities/{entity}/")
    client.send("PATCH", f"entities/{entity}/", {"note": "changed"}).raise_for_status()
    client.send("DELETE", f"entities/{entity}/").raise_for_status()

    assert shown["attrs"][-1]["name"] == "of-the-entity"
    expected = once(shared.host_of("api"), lifecycle("entity", "create", "update", "delete"))
    assert shared.trial.hooks(WATCHED, after=before) == expected
    promise("hooks of an entity through the API", f"{len(expected)} lifecycle hooks, once each, in the API")


@pytest.mark.smoke
def test_a_refusal_names_the_plugin_and_leaves_nothing_behind(shared: Stack, traced: int, name: str) -> None:
    answer = shared.client.send("POST", "entries/", {"schema": TRACED, "name": f"{name}-refused"})

    assert answer.status_code == 400
    assert "is refused by trial" in answer.text
    assert '"trial"' in answer.text
    assert shared.trial.hooks(f"{name}-refused") == {}


def test_hooks_run_in_a_shell_of_the_api_s_container(
    shared: Stack, traced: int, name: str, promise: Promises
) -> None:
    api = shared.containers["api"]
    api.run("pagoda", "manage", "shell", "-c", CREATE_IN_A_SHELL.format(entity=TRACED, name=name))
    ran_deferred(shared, name)
    api.run("pagoda", "manage", "shell", "-c", SAVE_IN_A_SHELL.format(name=name))

    here = shared.host_of("api")
    ran = once(shared.host_of("worker-trial"), ["deferred"])
    assert shared.trial.hooks(name) == once(here, CREATE) + ran + once(here, lifecycle("entry", "update"))
    promise("hooks in a shell of the API's container", "create and plain save, once each")


@pytest.mark.smoke
def test_hooks_run_in_the_worker_whose_job_makes_the_change(
    shared: Stack, traced: int, name: str, promise: Promises
) -> None:
    job = shared.client.finished(shared.client.submit("write_entry", {"entity": TRACED, "name": name}))
    ran_deferred(shared, name)

    assert job["status_name"] == "DONE"
    assert shared.trial.hooks(name) == once(shared.host_of("worker-trial"), [*CREATE, "deferred"])
    promise("hooks in a worker's job", f"{len(CREATE)} hooks, once each, in the worker")


@pytest.mark.smoke
def test_a_deferred_handler_is_a_job_on_its_plugin_s_queue(
    shared: Stack, traced: int, name: str, promise: Promises
) -> None:
    with shared.containers["worker-trial"].paused():
        entry = create(shared, name)
        queued = shared.rows(DEFERRED, str(entry))
        early = shared.trial.of("deferred", name)
    ran = ran_deferred(shared, name)
    wait_until(lambda: shared.rows(DEFERRED, str(entry))[0][2] == DONE, 30, lambda: "its job has no end")

    assert [row[:2] for row in queued] == [("plugin.trial", "trial")]
    assert early == []
    assert [host for host, _ in ran] == [shared.host_of("worker-trial")]
    assert shared.rows(DEFERRED, str(entry)) == [("plugin.trial", "trial", DONE, 1)]
    assert len(shared.trial.of("deferred", name)) == 1
    promise("deferred hook", "1 job on the plugin's queue, 1 run, on its worker")
