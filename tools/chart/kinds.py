"""The kinds of object that the chart may hold, as an API server tells of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

VERBS = ["create", "delete", "get", "list", "patch", "update", "watch"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of object. A cluster of today has all of them namespaced that the chart needs."""

    name: str
    group_version: str

    @property
    def plural(self) -> str:
        """Return its name in paths, such as ``networkpolicies``."""
        word = self.name.lower()
        if word.endswith("y"):
            return f"{word[:-1]}ies"
        return f"{word}es" if word.endswith("s") else f"{word}s"

    @property
    def is_built_in(self) -> bool:
        """Return whether Kubernetes brings it, with a schema; others come with an operator."""
        group = self.group_version.rpartition("/")[0]
        return "." not in group or (group.endswith(".k8s.io") and not group.startswith("gateway."))

    def to_resource(self) -> dict[str, Any]:
        """Return its line in the discovery document of its group."""
        return {
            "name": self.plural,
            "singularName": self.name.lower(),
            "kind": self.name,
            "namespaced": True,
            "verbs": VERBS,
        }

    def to_openapi(self) -> dict[str, Any]:
        """Return just enough OpenAPI to say that the server checks fields itself, so that Helm does not."""
        group, _, version = self.group_version.rpartition("/")
        return {
            "patch": {
                "parameters": [{"name": "fieldValidation", "in": "query"}],
                "responses": {},
                "x-kubernetes-group-version-kind": {"group": group, "version": version, "kind": self.name},
            }
        }


_NAMES = {
    "v1": ("ConfigMap", "PersistentVolumeClaim", "Pod", "Secret", "Service", "ServiceAccount"),
    "apps/v1": ("Deployment", "StatefulSet"),
    "autoscaling/v2": ("HorizontalPodAutoscaler",),
    "batch/v1": ("CronJob", "Job"),
    "gateway.networking.k8s.io/v1": ("HTTPRoute",),
    "keda.sh/v1alpha1": ("ScaledObject", "TriggerAuthentication"),
    "monitoring.coreos.com/v1": ("PodMonitor", "PrometheusRule", "ServiceMonitor"),
    "networking.k8s.io/v1": ("Ingress", "NetworkPolicy"),
    "policy/v1": ("PodDisruptionBudget",),
}

KINDS: dict[str, Kind] = {
    name: Kind(name=name, group_version=group_version)
    for group_version, names in _NAMES.items()
    for name in names
}
"""``{name: kind}``; one that is not listed makes Helm fail with "no matches for kind"."""

GROUP_VERSIONS = tuple(_NAMES)


def kinds_of(group_version: str) -> tuple[Kind, ...]:
    """Return the kinds of one group."""
    return tuple(kind for kind in KINDS.values() if kind.group_version == group_version)
