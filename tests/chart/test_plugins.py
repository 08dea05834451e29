"""The `plugins` map: which objects each plugin gets, and from which values."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tools.chart import environment_of
from tools.chart.workloads import names_of, pod_spec

Document = dict[str, Any]


def plugins(*names: str, **values: Any) -> dict[str, Any]:
    ranges = {name: [200 + 100 * i, 299 + 100 * i] for i, name in enumerate(names)}
    off = {"hello-world-plugin": {"enabled": False}, "inventory": {"enabled": False}}
    return {"plugins": off | {name: {"operationIds": ids} | values for name, ids in ranges.items()}}


def worker_of(documents: list[Document], plugin: str) -> Document:
    names = ("Deployment", f"pagoda-worker-{plugin}")
    (found,) = [d for d in documents if (d["kind"], d["metadata"]["name"]) == names]
    return found


def of_plugins(documents: list[Document]) -> set[tuple[str, str]]:
    labelled = [d for d in documents if "pagoda/plugin" in d["metadata"]["labels"]]
    return {(d["kind"], d["metadata"]["name"]) for d in labelled}


@pytest.mark.parametrize("count", [0, 1, 3])
def test_n_plugins_get_exactly_these_objects(count: int, rendered: Any) -> None:
    names = [f"plugin{number}" for number in range(count)]

    documents = rendered(plugins(*names))

    kinds = ("Deployment", "NetworkPolicy", "PodDisruptionBudget", "Secret", "ServiceAccount")
    assert of_plugins(documents) == {(kind, f"pagoda-worker-{name}") for name in names for kind in kinds}
    rest = [d for d in documents if "pagoda/plugin" not in d["metadata"]["labels"]]
    assert len(rest) == len(rendered(plugins()))


def test_disabled_plugin_leaves_nothing(rendered: Any) -> None:
    documents = rendered({"plugins": {"inventory": {"enabled": False}}})

    assert not [d for d in documents if "inventory" in json.dumps(d)]


def test_worker_serves_its_own_queue_alone(rendered: Any) -> None:
    worker = environment_of(rendered(), "Deployment", "pagoda-worker-inventory")

    assert worker.args[:4] == ("pagoda-worker", "run", "--plugin", "inventory")


def test_maps_are_merged_and_lists_replaced(rendered: Any) -> None:
    toleration = {"key": "a", "operator": "Exists"}
    values = plugins("one", nodeSelector={"disk": "fast"}, tolerations=[{"key": "b", "operator": "Exists"}])
    values["pluginDefaults"] = {"podLabels": {"team": "cmdb"}, "replicas": 2, "tolerations": [toleration]}
    values["podDefaults"] = {"nodeSelector": {"pool": "jobs"}, "priorityClassName": "high"}

    worker = worker_of(rendered(values), "one")

    pod = pod_spec(worker)
    assert worker["spec"]["replicas"] == 2
    assert worker["spec"]["template"]["metadata"]["labels"]["team"] == "cmdb"
    assert pod["nodeSelector"] == {"pool": "jobs", "disk": "fast"}
    assert [one["key"] for one in pod["tolerations"]] == ["b"]
    assert pod["priorityClassName"] == "high"


@pytest.mark.parametrize(
    ("name", "default", "own"),
    [
        ("topologySpread", True, False),
        ("terminationGracePeriodSeconds", 99, 0),
        ("priorityClassName", "high", ""),
        ("tolerations", [{"key": "a", "operator": "Exists"}], []),
    ],
)
def test_nearer_value_wins_though_it_is_empty(name: str, default: Any, own: Any, rendered: Any) -> None:
    values = plugins("one", **{name: own}) | {"pluginDefaults": {name: default}}

    pod = pod_spec(worker_of(rendered(values), "one"))

    shown = {"topologySpread": "topologySpreadConstraints"}.get(name, name)
    assert pod.get(shown) == (40 if name == "terminationGracePeriodSeconds" else None)


def test_settings_of_all_plugins_reach_every_process(rendered: Any) -> None:
    values = plugins("zebra", "ant", concurrency=3, memoryMb=128)
    values["plugins"]["zebra"] |= {"settings": {"token": "s3cret"}, "loadOrder": 1}

    env = environment_of(rendered(values), "Deployment", "pagoda-api").env

    assert env["ENABLED_PLUGINS"] == "zebra,ant"
    assert json.loads(env["PLUGIN_OPERATION_ID_CONFIG"]) == {"zebra": [200, 299], "ant": [300, 399]}
    assert json.loads(env["PLUGIN_SETTINGS"]) == {"zebra": {"token": "s3cret"}}
    assert "PLUGIN_WORKER_CONFIG" not in env
    env = environment_of(rendered(values), "Deployment", "pagoda-worker-ant").env
    assert json.loads(env["PLUGIN_WORKER_CONFIG"]) == {"ant": {"concurrency": 3, "memory_mb": 128}}


def test_settings_of_plugins_are_in_no_config_map(rendered: Any) -> None:
    values = plugins("one", settings={"token": "s3cret"})

    assert "s3cret" not in json.dumps([d for d in rendered(values) if d["kind"] != "Secret"])


def test_secret_environment_reaches_its_own_worker_alone(rendered: Any) -> None:
    values = plugins("one", "two")
    values["plugins"]["one"]["secretEnv"] = {"DATABASE_URL": "postgres://one@db/pagoda", "TOKEN": "t"}
    documents = rendered(values)

    one = environment_of(documents, "Deployment", "pagoda-worker-one").env
    two = environment_of(documents, "Deployment", "pagoda-worker-two").env
    assert (one["DATABASE_URL"], one["TOKEN"]) == ("postgres://one@db/pagoda", "t")
    assert two["DATABASE_URL"].startswith("postgres://pagoda_plugin_two:")
    assert "TOKEN" not in two


def test_own_secret_takes_the_place_of_the_chart_s(rendered: Any) -> None:
    values = plugins("one", existingSecret="mine", secretEnv={"OTHER": "o"})
    mine = {"mine": {"TOKEN": "t", "BROKER_URL": "redis://mine"}}

    env = environment_of(rendered(values), "Deployment", "pagoda-worker-one", secrets=mine).env

    assert (env["TOKEN"], env["BROKER_URL"]) == ("t", "redis://mine")
    assert "OTHER" not in env
    documents = rendered(values | {"accounts": {"mode": "never"}})
    assert "pagoda-worker-one" not in names_of(documents, "Secret")


def test_plugin_scales_with_its_queue(everything: list[Document]) -> None:
    (scaler,) = [d for d in everything if d["kind"] == "ScaledObject"]
    (trigger,) = scaler["spec"]["triggers"]

    assert scaler["spec"]["scaleTargetRef"] == {"name": "pagoda-worker-inventory"}
    assert trigger["type"] == "postgresql"
    (login,) = [d for d in everything if d["kind"] == "TriggerAuthentication"]
    assert trigger["authenticationRef"] == {"name": login["metadata"]["name"]}
    (reference,) = login["spec"]["secretTargetRef"]
    assert reference == {"parameter": "connection", "name": "pagoda-accounts", "key": "pagoda_dispatcher.url"}


def test_query_of_the_scaler_is_about_columns_that_exist(everything: list[Document]) -> None:
    from pagoda_plugin_sdk.operations import JobStatus

    (scaler,) = [d for d in everything if d["kind"] == "ScaledObject"]
    query = scaler["spec"]["triggers"][0]["metadata"]["query"]

    assert f"status = {JobStatus.PROCESSING.value} " in query
    assert "queue = 'plugin.inventory'" in query


def test_plugin_that_only_the_cpu_scales_has_an_autoscaler(everything: list[Document]) -> None:
    scalers = {d["metadata"]["name"]: d["spec"] for d in everything if d["kind"] == "HorizontalPodAutoscaler"}

    assert set(scalers) == {"pagoda-api", "pagoda-plugin-api", "pagoda-worker-hello-world-plugin"}


def test_long_names_stay_apart(rendered: Any) -> None:
    long = "a" * 60
    documents = rendered(plugins(f"{long}1", f"{long}2"))

    names = [name for name in names_of(documents, "Deployment") if "-worker-a" in name]
    assert len(set(names)) == 2
    assert all(len(name) <= 52 for name in names)
