"""What a workload takes from `podDefaults` is seen in what is rendered of it; other values are refused."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from tools.chart import ChartFault, render
from tools.chart.rendering import CHART
from tools.chart.samples import EVERYTHING
from tools.chart.values_file import ChartValue, read

VALUES = read(CHART / "values.yaml")
COMPONENTS = {
    "plugins": "worker",
    "api": "api",
    "pluginApi": "plugin-api",
    "coreWorker": "core-worker",
    "dispatcher": "dispatcher",
    "flower": "flower",
    "migrations": "migrate",
    "releaseCheck": "check",
    "postgresql": "postgresql",
    "backup": "backup",
    "redis": "redis",
    "tests": "test",
}

type Marked = dict[str, tuple[Any, str]]  # {value's name: (value, what is seen of it)}

SEEN: Marked = {
    "annotations": ({"one": "an-annotation"}, '"one": "an-annotation"'),
    "podAnnotations": ({"two": "of-the-pod"}, '"two": "of-the-pod"'),
    "podLabels": ({"three": "a-label"}, '"three": "a-label"'),
    "serviceAccountAnnotations": ({"four": "identity"}, '"four": "identity"'),
    "resources": ({"requests": {"cpu": "123m"}}, '"cpu": "123m"'),
    "podSecurityContext": ({"runAsUser": 4711}, '"runAsUser": 4711'),
    "securityContext": ({"procMount": "Default"}, '"procMount": "Default"'),
    "scratchSize": ("99Mi", '"sizeLimit": "99Mi"'),
    "startupSeconds": (7770, '"failureThreshold": 1554'),
    "probes": (
        {
            "startup": {"timeoutSeconds": 91},
            "liveness": {"timeoutSeconds": 92},
            "readiness": {"timeoutSeconds": 93},
        },
        '"timeoutSeconds": 9',
    ),
    "strategy": ({"type": "Recreate"}, '"type": "Recreate"'),
    "revisionHistoryLimit": (41, '"revisionHistoryLimit": 41'),
    "lifecycle": ({"preStop": {"exec": {"command": ["true", "42"]}}}, '["true", "42"]'),
    "runtimeClassName": ("gvisor", '"runtimeClassName": "gvisor"'),
    "dnsPolicy": ("Default", '"dnsPolicy": "Default"'),
    "dnsConfig": ({"searches": ["example.org"]}, '"searches": ["example.org"]'),
    "hostAliases": ([{"ip": "192.0.2.1", "hostnames": ["a"]}], '"ip": "192.0.2.1"'),
    "terminationGracePeriodSeconds": (43, '"terminationGracePeriodSeconds": 43'),
    "priorityClassName": ("high", '"priorityClassName": "high"'),
    "nodeSelector": ({"disk": "fast"}, '"disk": "fast"'),
    "tolerations": ([{"key": "a-taint", "operator": "Exists"}], '"key": "a-taint"'),
    "affinity": ({"podAffinity": {}}, '"podAffinity": {}'),
    "topologySpreadConstraints": (
        [{"maxSkew": 44, "topologyKey": "rack", "whenUnsatisfiable": "DoNotSchedule"}],
        '"maxSkew": 44',
    ),
    "podDisruptionBudget": ({"maxUnavailable": 45}, '"maxUnavailable": 45'),
    "networkPolicy": (
        {
            "ingress": [{"from": [{"ipBlock": {"cidr": "192.0.2.0/24"}}]}],
            "egress": [{"to": [{"ipBlock": {"cidr": "198.51.100.0/24"}}]}],
        },
        '"cidr": "198.51.100.0/24"',
    ),
    "extraEnv": ([{"name": "ONE_MORE", "value": "46"}], '"name": "ONE_MORE"'),
    "extraEnvFrom": ([{"configMapRef": {"name": "more-of-it"}}], '"name": "more-of-it"'),
    "extraVolumes": ([{"name": "more", "emptyDir": {"medium": "Memory"}}], '"medium": "Memory"'),
    "extraVolumeMounts": ([{"name": "more", "mountPath": "/more"}], '"mountPath": "/more"'),
    "extraContainers": ([{"name": "beside", "image": "beside:1"}], '"image": "beside:1"'),
    "extraInitContainers": ([{"name": "before", "image": "before:1"}], '"image": "before:1"'),
}
SEEN_INSTEAD: Marked = {  # which exclude one of the above
    "serviceAccount": ({"name": "ours", "automountToken": True}, '"serviceAccountName": "ours"'),
    "topologySpread": (False, ""),  # what is missing then is looked at below
    "podDisruptionBudget": ({"minAvailable": 47}, '"minAvailable": 47'),
}


def taken_by(block: str) -> set[str]:
    """Return the names of `podDefaults` that a workload's block takes."""
    left_out: set[str] = set()
    value: ChartValue = VALUES["pluginDefaults" if block == "plugins" else block]
    while parent := value.hints.get("inherits"):
        left_out |= set(value.hints.get("without", ()))
        value = VALUES[parent]
    return set(VALUES["podDefaults"].children) - left_out


def with_all(marked: Marked) -> dict[str, Any]:
    """Return the values of a release in which every workload has all of `marked` that it takes."""
    values = copy.deepcopy(EVERYTHING)
    for block in COMPONENTS:
        own = {name: given for name, (given, _) in marked.items() if name in taken_by(block)}
        for place in values["plugins"].values() if block == "plugins" else (values.setdefault(block, {}),):
            place.update(copy.deepcopy(own))
    return values


def text_of(documents: list[dict[str, Any]], block: str) -> str:
    """Return what is rendered of one workload."""
    of_it = [
        d for d in documents if d["metadata"]["labels"]["app.kubernetes.io/component"] == COMPONENTS[block]
    ]
    return json.dumps(of_it)


def test_the_table_has_every_value_and_every_workload() -> None:
    assert {*SEEN, *SEEN_INSTEAD} == set(VALUES["podDefaults"].children)
    heirs = {name for name, value in VALUES.items() if "inherits" in value.hints}
    assert heirs - {"pluginDefaults"} == COMPONENTS.keys() - {"plugins"}


@pytest.mark.parametrize("block", COMPONENTS)
@pytest.mark.parametrize("marked", [SEEN, SEEN_INSTEAD], ids=["seen", "instead"])
def test_it_is_seen(block: str, marked: Marked, rendered: Any) -> None:
    text = text_of(rendered(with_all(marked)), block)

    missing = {name for name in taken_by(block) & marked.keys() if marked[name][1] not in text}
    assert not missing, f"{block} takes them and makes nothing of them"
    assert ("topologySpreadConstraints" in text) is (marked is SEEN)


WITHOUT = [(block, name) for block in COMPONENTS for name in {*SEEN, *SEEN_INSTEAD} - taken_by(block)]


@pytest.mark.parametrize(("block", "name"), sorted(WITHOUT))
def test_what_a_workload_has_no_use_for_is_refused(block: str, name: str) -> None:
    with pytest.raises(ChartFault, match=f"at '/{block}': additional properties '{name}' not allowed"):
        render({block: {name: SEEN[name][0]}})
