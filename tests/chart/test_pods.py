"""What `podDefaults`, `image` and names do, for every Pod."""

from __future__ import annotations

from typing import Any

import kubernetes_validate
import pytest

from tools.chart.kinds import KINDS
from tools.chart.workloads import containers, pod_spec

Document = dict[str, Any]

EXTRAS: dict[str, Any] = {
    "extraEnv": [{"name": "EXTRA", "value": "1"}],
    "extraEnvFrom": [{"secretRef": {"name": "extra"}}],
    "extraVolumes": [{"name": "extra", "configMap": {"name": "extra"}}],
    "extraVolumeMounts": [{"name": "extra", "mountPath": "/extra"}],
    "extraContainers": [{"name": "beside", "image": "beside:1"}],
    "extraInitContainers": [{"name": "before", "image": "before:1"}],
    "podAnnotations": {"example.org/a": "b"},
    "podLabels": {"team": "cmdb"},
    "nodeSelector": {"pool": "cmdb"},
    "tolerations": [{"key": "cmdb", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
    "priorityClassName": "1234",
    "topologySpreadConstraints": [
        {"maxSkew": 2, "topologyKey": "rack", "whenUnsatisfiable": "DoNotSchedule"}
    ],
    "podSecurityContext": {"runAsUser": 1_000_650_000},
}


@pytest.fixture(scope="module")
def pods(rendered: Any) -> list[Document]:
    documents: list[Document] = rendered({"podDefaults": EXTRAS, "backup": {"enabled": True}})
    return [d for d in documents if d["kind"] in ("CronJob", "Deployment", "StatefulSet", "Job", "Pod")]


def test_extras_are_on_every_pod(pods: list[Document]) -> None:
    for document in pods:
        kubernetes_validate.validate(document, "1.33", strict=True)
        pod, main = pod_spec(document), pod_spec(document)["containers"][0]
        assert EXTRAS["extraEnv"][0] in main["env"]
        assert EXTRAS["extraEnvFrom"][0] in main["envFrom"]
        assert EXTRAS["extraVolumes"][0] in pod["volumes"]
        assert EXTRAS["extraVolumeMounts"][0] in main["volumeMounts"]
        assert EXTRAS["extraContainers"][0] in pod["containers"]
        assert EXTRAS["extraInitContainers"][0] == pod["initContainers"][-1]
        for name in ("nodeSelector", "tolerations", "affinity", "priorityClassName"):
            assert pod[name] == EXTRAS[name]


def test_annotations_and_labels_are_on_every_pod_that_is_kept(pods: list[Document]) -> None:
    for document in pods:
        if document["kind"] not in ("CronJob", "Pod"):
            metadata = document["spec"]["template"]["metadata"]
            assert metadata["annotations"]["example.org/a"] == "b"
            assert metadata["labels"]["team"] == "cmdb"


def test_own_constraint_gets_the_selector_of_the_workload(pods: list[Document]) -> None:
    for document in pods:
        (constraint,) = pod_spec(document)["topologySpreadConstraints"]
        assert constraint["topologyKey"] == "rack"
        if document["kind"] == "Deployment":
            assert constraint["labelSelector"] == document["spec"]["selector"]


def test_large_user_id_stays_a_number(pods: list[Document]) -> None:
    (api,) = [d for d in pods if d["metadata"]["name"] == "pagoda-api"]

    assert pod_spec(api)["securityContext"]["runAsUser"] == 1_000_650_000


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ({}, "pagoda-api:1.0.0"),
        ({"tag": "2.0"}, "pagoda-api:2.0"),
        ({"registry": "registry.example.org/cmdb/"}, "registry.example.org/cmdb/pagoda-api:1.0.0"),
        ({"api": {"digest": f"sha256:{'a' * 64}"}, "tag": "2.0"}, f"pagoda-api@sha256:{'a' * 64}"),
    ],
    ids=["version of the chart", "tag", "registry", "digest"],
)
def test_image_is_named_as_asked(image: dict[str, Any], expected: str, rendered: Any) -> None:
    (api,) = [
        d
        for d in rendered({"image": image})
        if d["kind"] == "Deployment" and d["metadata"]["name"] == "pagoda-api"
    ]

    assert {container["image"] for container in containers(api)} == {expected}


def test_a_registry_reaches_every_image(rendered: Any) -> None:
    def images(values: dict[str, Any]) -> set[str]:
        documents = [d for d in rendered(values) if d["kind"] in ("Deployment", "StatefulSet", "Job", "Pod")]
        return {container["image"] for d in documents for container in containers(d)}

    names = {"pagoda-api:1.0.0", "pagoda-worker:1.0.0", "postgres:17", "redis:8"}
    assert images({}) == names
    here = {f"r.example.org/x/{name}" for name in names}
    assert images({"image": {"registry": "r.example.org/x"}}) == here
    assert images({"global": {"imageRegistry": "r.example.org/x", "storageClass": "fast"}}) == here
    assert images({"global": {"imageRegistry": "other"}, "image": {"registry": "r.example.org/x"}}) == here
    own = {"image": {"registry": "r.example.org/x"}, "redis": {"image": "q.example.org:5000/redis:8"}}
    assert "q.example.org:5000/redis:8" in images(own)


def test_release_and_namespace_may_be_numbers(rendered: Any) -> None:
    documents: list[Document] = rendered({"fullnameOverride": "x"}, name="123", namespace="456")

    for document in documents:
        assert document["metadata"]["namespace"] == "456"
        assert document["metadata"]["labels"]["app.kubernetes.io/instance"] == "123"
        if KINDS[document["kind"]].is_built_in:
            kubernetes_validate.validate(document, "1.33", strict=True)


def test_long_release_name_fits(rendered: Any) -> None:
    documents: list[Document] = rendered({}, name="r" * 53)

    assert all(len(document["metadata"]["name"]) <= 52 for document in documents)
