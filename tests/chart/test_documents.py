"""Every object of every set of values: valid, and of the shape that all objects have."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Any

import kubernetes_validate
import pytest
import yaml
from kubernetes_validate import utils

from tests.chart.conftest import migration_job
from tools.chart import ChartFault, render
from tools.chart.kinds import KINDS
from tools.chart.rendering import CHART, lint
from tools.chart.samples import EVERYTHING
from tools.chart.workloads import containers, pod_spec

Document = dict[str, Any]

ROOT = CHART.parents[2]

VERSIONS = ["1.27", "1.30", "1.33", utils.major_minor(kubernetes_validate.latest_version())]
WITH_PODS = ("CronJob", "Deployment", "StatefulSet", "Job", "Pod")


def with_pods(documents: list[Document]) -> list[Document]:
    return [document for document in documents if document["kind"] in WITH_PODS]


def label(document: Document) -> str:
    return f"{document['kind']}/{document['metadata']['name']}"


@pytest.fixture(scope="module", autouse=True)
def _schemas_are_read_once() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(utils, "schema_contents", cache(utils.schema_contents))
        yield


@pytest.mark.parametrize("version", VERSIONS)
def test_every_object_is_valid(version: str, documents: list[Document]) -> None:
    built_in = [document for document in documents if KINDS[document["kind"]].is_built_in]

    assert len(built_in) > 30
    for document in built_in:
        kubernetes_validate.validate(document, version, strict=True)


@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_gets_the_same(version: str, everything: list[Document], rendered: Any) -> None:
    documents = rendered(EVERYTHING, kube_version=f"{version}.0")

    assert set(map(label, documents)) == set(map(label, everything))


def test_older_versions_are_refused() -> None:
    with pytest.raises(ChartFault, match=r"requires kubeVersion: >=1\.27\.0-0"):
        render({}, kube_version="1.26.0")


def test_chart_is_of_the_version_of_the_software() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))

    for service in ("api", "worker"):
        project = tomllib.loads((ROOT / "services" / service / "pyproject.toml").read_text(encoding="utf-8"))
        assert chart["appVersion"] == project["project"]["version"]


def test_objects_of_operators_are_of_their_versions(everything: list[Document]) -> None:
    found = {d["kind"]: d["apiVersion"] for d in everything if not KINDS[d["kind"]].is_built_in}

    assert found == {
        "HTTPRoute": "gateway.networking.k8s.io/v1",
        "PodMonitor": "monitoring.coreos.com/v1",
        "PrometheusRule": "monitoring.coreos.com/v1",
        "ScaledObject": "keda.sh/v1alpha1",
        "ServiceMonitor": "monitoring.coreos.com/v1",
        "TriggerAuthentication": "keda.sh/v1alpha1",
    }


def test_helm_finds_nothing_to_complain_of() -> None:
    messages = [found for found in lint()["Messages"] if found["Severity"] > 1]

    assert messages == []


def test_no_object_is_there_twice(documents: list[Document]) -> None:
    counts = Counter(map(label, documents))

    assert [name for name, count in counts.items() if count > 1] == []


def test_every_object_is_labelled(documents: list[Document]) -> None:
    for document in documents:
        labels = document["metadata"]["labels"]
        assert labels["app.kubernetes.io/instance"] == "pagoda", label(document)
        assert labels["app.kubernetes.io/part-of"] == "pagoda", label(document)


def test_pods_meet_the_restricted_standard(documents: list[Document]) -> None:
    assert len(with_pods(documents)) >= 6
    for document in with_pods(documents):
        pod = pod_spec(document)
        context = pod["securityContext"]
        assert context["runAsNonRoot"] is True, label(document)
        assert context["runAsUser"] in (10001, 999), label(document)
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}, label(document)
        assert not any(pod.get(field) for field in ("hostNetwork", "hostPID", "hostIPC")), label(document)
        assert {"emptyDir", "persistentVolumeClaim", "configMap", "secret", "name"} >= {
            key for v in pod["volumes"] for key in v
        }
        for container in containers(document):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, label(document)


def test_pods_have_no_token(documents: list[Document]) -> None:
    accounts = {d["metadata"]["name"]: d for d in documents if d["kind"] == "ServiceAccount"}
    named = [pod_spec(document)["serviceAccountName"] for document in with_pods(documents)]

    assert len(set(named)) == len(named), "each workload has an account of its own"
    assert set(named) == set(accounts)
    assert all(account["automountServiceAccountToken"] is False for account in accounts.values())
    assert all(pod_spec(d)["automountServiceAccountToken"] is False for d in with_pods(documents))


def test_services_of_the_namespace_give_no_variables(documents: list[Document]) -> None:
    # A Service called pagoda-api would give PAGODA_API_PORT, an unknown setting that stops every process.
    assert all(pod_spec(document)["enableServiceLinks"] is False for document in with_pods(documents))


def test_every_container_has_requests_and_limits(documents: list[Document]) -> None:
    for document in with_pods(documents):
        for container in containers(document):
            resources = container["resources"]
            assert set(resources["requests"]) == {"cpu", "memory"}, label(document)
            assert set(resources["limits"]) == {"cpu", "memory"}, label(document)


def test_everything_that_runs_on_has_probes(documents: list[Document]) -> None:
    for document in documents:
        if document["kind"] in ("Deployment", "StatefulSet"):
            main = pod_spec(document)["containers"][0]
            assert {"startupProbe", "livenessProbe", "readinessProbe"} <= set(main), label(document)


def test_liveness_asks_no_server(documents: list[Document]) -> None:
    probes = {
        label(d): {k: v for k, v in pod_spec(d)["containers"][0]["livenessProbe"].items() if k in PROBES}
        for d in documents
        if d["kind"] == "Deployment"
    }

    for name, probe in probes.items():
        if "api" in name:
            assert probe["httpGet"]["path"] == "/healthz", name
            assert {"name": "Host", "value": "localhost"} in probe["httpGet"]["httpHeaders"], name
        elif name.endswith("flower"):
            assert probe["httpGet"]["path"] == "/healthcheck", name
        else:
            assert probe == {"exec": {"command": ["pagoda-worker", "alive", "/var/lib/pagoda/alive"]}}, name


PROBES = ("httpGet", "exec", "tcpSocket", "grpc")


def test_pods_write_only_where_a_volume_is(documents: list[Document]) -> None:
    for document in with_pods(documents):
        spec = document["spec"]
        claims = {claim["metadata"]["name"] for claim in spec.get("volumeClaimTemplates", [])}
        volumes = claims | {volume["name"] for volume in pod_spec(document)["volumes"]}
        for container in containers(document):
            mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
            assert "/tmp" in mounts, label(document)
            assert set(mounts.values()) <= volumes, label(document)
        assert all("sizeLimit" in v["emptyDir"] for v in pod_spec(document)["volumes"] if "emptyDir" in v)


def test_selectors_meet_their_pods_and_no_others(documents: list[Document]) -> None:
    pods = {
        label(d): d["spec"]["template"]["metadata"]["labels"]
        for d in documents
        if d["kind"] in ("Deployment", "StatefulSet")
    }
    for document in documents:
        if document["kind"] in ("Deployment", "StatefulSet"):
            wanted = document["spec"]["selector"]["matchLabels"].items()
            met = [name for name, labels in pods.items() if wanted <= labels.items()]
            assert met == [label(document)]


def test_budgets_and_scalers_are_about_workloads_that_exist(documents: list[Document]) -> None:
    workloads = {d["metadata"]["name"]: d for d in documents if d["kind"] in ("Deployment", "StatefulSet")}
    for document in documents:
        if document["kind"] in ("HorizontalPodAutoscaler", "ScaledObject"):
            target = workloads[document["spec"]["scaleTargetRef"]["name"]]
            assert "replicas" not in target["spec"], "the scaler alone sets the number of Pods"
        if document["kind"] == "PodDisruptionBudget":
            selector = document["spec"]["selector"]
            assert selector == workloads[document["metadata"]["name"]]["spec"]["selector"]


def test_migrations_are_a_job_and_no_hook(documents: list[Document]) -> None:
    job = migration_job(documents)

    assert job["metadata"]["name"].startswith("pagoda-migrate-1-")
    assert "annotations" not in job["metadata"]
    names = [container["name"] for container in containers(job)]
    assert [name for name in names if name not in ("wait-redis", "accounts")] == [
        "check", "wait", "migrate", "admin",
    ]  # fmt: skip


def test_pods_check_the_plugins_and_wait_for_the_migrations_first(documents: list[Document]) -> None:
    for document in documents:
        if document["kind"] == "Deployment" and "flower" not in document["metadata"]["name"]:
            check, wait = pod_spec(document)["initContainers"]
            assert check["args"] == ["pagoda", "plugins", "check"]
            assert wait["args"][:6] == ["pagoda", "wait", "--for", "database", "--for", "migrations"]


def test_workers_have_time_to_drain(documents: list[Document]) -> None:
    from pagoda.config.settings import Settings

    soft_shutdown = Settings.model_fields["job_soft_shutdown_seconds"].default
    for document in documents:
        if document["kind"] == "Deployment" and "worker" in document["metadata"]["name"]:
            assert pod_spec(document)["terminationGracePeriodSeconds"] > soft_shutdown + 10
