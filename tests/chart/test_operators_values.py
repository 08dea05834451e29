"""Values that operators look for in a chart, one by one."""

from __future__ import annotations

from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.chart.conftest import migration_job
from tools.chart.kinds import KINDS
from tools.chart.rendering import installed
from tools.chart.workloads import environment_of

Document = dict[str, Any]


def found(documents: list[Document], kind: str, name: str = "pagoda-api") -> Document:
    (one,) = [d for d in documents if (d["kind"], d["metadata"]["name"]) == (kind, name)]
    if KINDS[kind].is_built_in:
        kubernetes_validate.validate(one, "1.33", strict=True)
    return one


def test_common_labels_and_annotations_are_on_every_object_and_in_no_selector(rendered: Any) -> None:
    documents = rendered({"commonLabels": {"team": "cmdb"}, "commonAnnotations": {"owner": "it"}})

    assert all(d["metadata"]["labels"]["team"] == "cmdb" for d in documents)
    assert all(d["metadata"]["annotations"]["owner"] == "it" for d in documents)
    deployment = found(documents, "Deployment")
    assert "team" not in deployment["spec"]["selector"]["matchLabels"]
    assert deployment["spec"]["template"]["metadata"]["labels"]["team"] == "cmdb"


class Strict(yaml.SafeLoader):
    """Refuses a key that is there twice, as Flux and kustomize do."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        assert len(keys) == len(set(keys)), f"twice in line {node.start_mark.line}: {sorted(keys)}"
        return super().construct_mapping(node, deep)


def test_a_label_that_several_values_give_is_there_once_and_the_nearest_wins() -> None:
    release = installed(
        {
            "commonLabels": {"app.kubernetes.io/part-of": "cmdb", "team": "a", "release": "a"},
            "podDefaults": {"podLabels": {"team": "b"}},
            "metrics": {"monitors": True, "labels": {"release": "prometheus"}},
            "alerts": {"enabled": True},
            "dashboard": {"enabled": True, "labels": {"team": "c"}},
        }
    )
    texts = [release["manifest"], *(hook["manifest"] for hook in release["hooks"])]
    documents = [d for text in texts for d in yaml.load_all(text, Strict) if d]

    labels = found(documents, "Deployment")["spec"]["template"]["metadata"]["labels"]
    assert (labels["app.kubernetes.io/part-of"], labels["team"], labels["release"]) == ("cmdb", "b", "a")
    (monitor,) = [d for d in documents if d["kind"] == "ServiceMonitor"]
    assert monitor["metadata"]["labels"]["release"] == "prometheus"


def test_extra_objects_are_rendered(rendered: Any) -> None:
    def secret(name: str) -> Document:
        return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}}

    documents = rendered(
        {
            "extraObjects": [
                secret("{{ .Release.Name }}-one"),
                yaml.safe_dump(secret("{{ .Release.Name }}-two")),
            ]
        }
    )
    assert {"pagoda-one", "pagoda-two"} <= {d["metadata"]["name"] for d in documents if d["kind"] == "Secret"}


OF_THE_POD: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (
        {"serviceAccount": {"name": "own", "automountToken": True}},
        {"serviceAccountName": "own", "automountServiceAccountToken": True},
    ),
    ({"runtimeClassName": "gvisor"}, {"runtimeClassName": "gvisor"}),
    (
        {"dnsPolicy": "None", "dnsConfig": {"nameservers": ["192.0.2.1"]}},
        {"dnsPolicy": "None", "dnsConfig": {"nameservers": ["192.0.2.1"]}},
    ),
    (
        {"hostAliases": [{"ip": "192.0.2.1", "hostnames": ["a"]}]},
        {"hostAliases": [{"ip": "192.0.2.1", "hostnames": ["a"]}]},
    ),
]
LIFECYCLE = {"preStop": {"exec": {"command": ["sleep", "9"]}}}


@pytest.mark.parametrize(("values", "expected"), OF_THE_POD, ids=lambda value: next(iter(value)))
def test_pods_take_it(values: dict[str, Any], expected: dict[str, Any], rendered: Any) -> None:
    documents = rendered({"api": values})

    spec = found(documents, "Deployment")["spec"]["template"]["spec"]
    assert {name: spec[name] for name in expected} == expected
    accounts = {d["metadata"]["name"] for d in documents if d["kind"] == "ServiceAccount"}
    assert ("pagoda-api" in accounts) is ("serviceAccount" not in values)


def test_deployments_take_it(rendered: Any) -> None:
    values = {
        "annotations": {"reloader.stakater.com/auto": "true"},
        "strategy": {"type": "Recreate"},
        "revisionHistoryLimit": 2,
        "lifecycle": LIFECYCLE,
        "probes": {"liveness": {"periodSeconds": 7}, "readiness": {"successThreshold": 2}},
        "podDisruptionBudget": {"minAvailable": "50%"},
    }
    documents = rendered({"api": values})
    deployment = found(documents, "Deployment")

    assert deployment["metadata"]["annotations"] == values["annotations"]
    assert deployment["spec"]["strategy"] == {"type": "Recreate"}
    assert deployment["spec"]["revisionHistoryLimit"] == 2
    main = deployment["spec"]["template"]["spec"]["containers"][0]
    assert main["lifecycle"] == LIFECYCLE
    assert (main["livenessProbe"]["periodSeconds"], main["livenessProbe"]["failureThreshold"]) == (7, 6)
    assert main["readinessProbe"]["successThreshold"] == 2
    budget = found(documents, "PodDisruptionBudget")["spec"]
    assert (budget["minAvailable"], "maxUnavailable" in budget) == ("50%", False)


def test_a_probe_that_asks_in_another_way_has_one_way(rendered: Any) -> None:
    probes = {
        "liveness": {"tcpSocket": {"port": "http"}},
        "readiness": {"httpGet": {"path": "/readyz"}, "failureThreshold": 9},
    }

    main = found(rendered({"api": {"probes": probes}}), "Deployment")["spec"]["template"]["spec"][
        "containers"
    ][0]

    assert (main["livenessProbe"]["tcpSocket"], "httpGet" in main["livenessProbe"]) == (
        {"port": "http"},
        False,
    )
    asked = main["readinessProbe"]["httpGet"]
    assert (asked["path"], asked["port"], main["readinessProbe"]["failureThreshold"]) == (
        "/readyz",
        "http",
        9,
    )


def test_a_port_of_the_nodes_is_of_one_service(rendered: Any) -> None:
    service = {"type": "NodePort", "nodePort": 30080}
    values = {"api": {"service": service}, "pluginApi": {"enabled": True}}

    def port(values: Any, name: str) -> Any:
        return found(rendered(values), "Service", name)["spec"]["ports"][0].get("nodePort")

    assert (port(values, "pagoda-api"), port(values, "pagoda-plugin-api")) == (30080, None)
    own = values | {"pluginApi": {"enabled": True, "service": {"nodePort": 30081}}}
    assert (port(own, "pagoda-api"), port(own, "pagoda-plugin-api")) == (30080, 30081)


def test_scaling_may_look_at_memory_alone(rendered: Any) -> None:
    scaling = {"enabled": True, "targetCPUPercent": 0, "targetMemoryPercent": 70}

    spec = found(rendered({"api": {"autoscaling": scaling}}), "HorizontalPodAutoscaler")["spec"]

    assert [metric["resource"]["name"] for metric in spec["metrics"]] == ["memory"]


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"api": {"autoscaling": {"enabled": True}}}, "pagoda-api"),
        ({"plugins": {"inventory": {"autoscaling": {"kind": "cpu"}}}}, "pagoda-worker-inventory"),
    ],
    ids=["api", "plugin"],
)
def test_scaling_looks_at_memory_and_has_a_pace(values: Any, name: str, rendered: Any) -> None:
    scaling = values.get("api", values.get("plugins", {}).get("inventory"))["autoscaling"]
    scaling |= {"targetMemoryPercent": 80, "behavior": {"scaleDown": {"stabilizationWindowSeconds": 600}}}

    spec = found(rendered(values), "HorizontalPodAutoscaler", name)["spec"]

    assert [metric["resource"]["name"] for metric in spec["metrics"]] == ["cpu", "memory"]
    assert spec["metrics"][1]["resource"]["target"]["averageUtilization"] == 80
    assert spec["behavior"] == scaling["behavior"]


def test_a_service_can_be_a_load_balancer_of_a_kind(rendered: Any) -> None:
    service = {
        "type": "LoadBalancer",
        "nodePort": 30080,
        "loadBalancerClass": "example.org/internal",
        "loadBalancerSourceRanges": ["192.0.2.0/24"],
    }

    spec = found(rendered({"api": {"service": service}}), "Service")["spec"]

    assert {name: spec[name] for name in service if name != "nodePort"} == {
        name: value for name, value in service.items() if name != "nodePort"
    }
    assert spec["ports"][0]["nodePort"] == 30080


def test_plugin_endpoints_need_no_load_balancer_of_their_own(rendered: Any) -> None:
    balancer = {
        "type": "LoadBalancer",
        "loadBalancerClass": "c",
        "loadBalancerSourceRanges": ["192.0.2.0/24"],
    }
    values = {
        "api": {"service": balancer},
        "pluginApi": {"enabled": True, "service": {"type": "ClusterIP"}},
    }

    spec = found(rendered(values), "Service", "pagoda-plugin-api")["spec"]

    assert spec["type"] == "ClusterIP"
    assert not balancer.keys() & spec.keys() - {"type"}


@pytest.mark.parametrize("server", ["postgresql", "redis"])
def test_a_server_of_the_chart_may_be_held_where_it_is(server: str, rendered: Any) -> None:
    documents = rendered({server: {"podDisruptionBudget": {"minAvailable": 1}}})

    assert found(documents, "PodDisruptionBudget", f"pagoda-{server}")["spec"]["minAvailable"] == 1


def test_keys_of_own_secrets_may_have_other_names(rendered: Any) -> None:
    own = {"existingSecret": "own", "existingSecretKey": "k"}
    values = {
        "database": own,
        "broker": own,
        "cache": own,
        "admin": own,
        "flower": own,
        "postgresql": own,
        "redis": own,
        "secrets": {"existingSecret": "own", "existingSecretKeys": {"PAGODA_SECRET_KEY": "key"}},
        "plugins": {"inventory": {"autoscaling": {"kind": "queue"}}},
    }
    documents, secrets = rendered(values), {"own": {"k": "value", "key": "signs", "PAGODA_UNKNOWN": "x"}}

    for name in ("pagoda-api", "pagoda-dispatcher", "pagoda-worker-inventory", "pagoda-flower"):
        env = environment_of(documents, "Deployment", name, secrets=secrets).env
        assert (env["DATABASE_URL"], env["BROKER_URL"], env["CACHE_URL"]) == ("value", "value", "value"), name
        assert env["PAGODA_SECRET_KEY"] == "signs", name
        assert "PAGODA_UNKNOWN" not in env, name
    assert env["FLOWER_BASIC_AUTH"] == "value"
    job = next(
        d["metadata"]["name"] for d in documents if d["metadata"]["name"].startswith("pagoda-migrate-")
    )
    assert environment_of(documents, "Job", job, secrets=secrets).env["ADMIN_PASSWORD"] == "value"
    assert environment_of(documents, "Job", "pagoda-check", secrets=secrets).env["DATABASE_URL"] == "value"
    for server, variable in (("postgresql", "POSTGRES_PASSWORD"), ("redis", "REDIS_PASSWORD")):
        env = environment_of(documents, "StatefulSet", f"pagoda-{server}", secrets=secrets).env
        assert env[variable] == "value"
    (scaler,) = found(documents, "TriggerAuthentication", "pagoda-database")["spec"]["secretTargetRef"]
    assert (scaler["name"], scaler["key"]) == ("own", "k")


def test_redis_can_keep_what_it_holds(rendered: Any) -> None:
    values = {"redis": {"persistence": {"enabled": True, "size": "2Gi", "storageClass": "fast"}}}

    spec = found(rendered(values), "StatefulSet", "pagoda-redis")["spec"]

    (claim,) = spec["volumeClaimTemplates"]
    assert claim["spec"]["resources"]["requests"]["storage"] == "2Gi"
    main = spec["template"]["spec"]["containers"][0]
    assert {"name": "storage", "mountPath": "/data"} in main["volumeMounts"]
    assert main["args"][main["args"].index("--appendonly") + 1] == "yes"


def test_volumes_that_are_right_stay_as_they_are(rendered: Any) -> None:
    for document in rendered():
        if document["kind"] in ("Deployment", "StatefulSet"):
            context = document["spec"]["template"]["spec"]["securityContext"]
            assert context["fsGroupChangePolicy"] == "OnRootMismatch"


def test_the_job_of_migrations_goes_by_itself(rendered: Any) -> None:
    assert migration_job(rendered())["spec"]["ttlSecondsAfterFinished"] == 604_800


def test_the_check_before_an_upgrade_comes_first_and_stays_when_it_failed(rendered: Any) -> None:
    documents = rendered()
    of_it = {
        d["kind"]: d["metadata"]["annotations"] for d in documents if d["metadata"]["name"] == "pagoda-check"
    }

    assert set(of_it) == {"Job", "Secret", "ServiceAccount", "NetworkPolicy"}
    for kind, told in of_it.items():
        assert told["helm.sh/hook"] == "pre-upgrade", kind
        assert "hook-failed" not in told["helm.sh/hook-delete-policy"], kind
        assert ("helm.sh/hook-weight" in told) is (kind != "Job"), "the Job comes last"
    assert of_it["Job"]["helm.sh/hook-output-log-policy"] == "hook-failed"
    assert not [
        d for d in rendered({"releaseCheck": {"enabled": False}}) if d["metadata"]["name"] == "pagoda-check"
    ]
