"""What an API server tells of itself: its version, groups, kinds, and how it checks fields."""

from __future__ import annotations

from typing import Any

from tools.chart.kinds import GROUP_VERSIONS, kinds_of

Answer = dict[str, Any]


def documents(kube_version: str) -> dict[str, Answer]:
    """Return ``{path: answer}`` of a cluster of that version (``1.33.0``)."""
    major, minor, *_ = kube_version.split(".")
    found: dict[str, Answer] = {
        "version": {"major": major, "minor": minor, "gitVersion": f"v{kube_version}"},
        "api": {"kind": "APIVersions", "versions": ["v1"]},
        "apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": _groups()},
        "openapi/v3": {"paths": {path: {"serverRelativeURL": f"/openapi/v3/{path}"} for path in _roots()}},
    }
    for root, group_version in _roots().items():
        found[root] = _resources(group_version)
        found[f"openapi/v3/{root}"] = _openapi(group_version)
    return found


def _roots() -> dict[str, str]:
    return {f"apis/{gv}" if "/" in gv else f"api/{gv}": gv for gv in GROUP_VERSIONS}


def _groups() -> list[Answer]:
    groups = []
    for group_version in GROUP_VERSIONS:
        group, _, version = group_version.rpartition("/")
        if group:
            served = {"groupVersion": group_version, "version": version}
            groups.append({"name": group, "versions": [served], "preferredVersion": served})
    return groups


def _resources(group_version: str) -> Answer:
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": group_version,
        "resources": [kind.to_resource() for kind in kinds_of(group_version)],
    }


def _openapi(group_version: str) -> Answer:
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "v1"},
        "paths": {f"/{group_version}/{kind.name}": kind.to_openapi() for kind in kinds_of(group_version)},
    }
