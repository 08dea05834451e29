"""Render the chart with Helm's own library and no cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import helm_sdkpy
import yaml

from tools.chart.api_server import Document, KubernetesApi

CHART = Path(__file__).resolve().parents[2] / "deploy" / "helm" / "pagoda"
NEWEST_KUBE = "1.33.0"
TIMEOUT_SECONDS = 20


class ChartFault(Exception):
    """Helm refuses the chart or its values; the message is Helm's."""


def render(
    values: Mapping[str, Any] | None = None,
    *,
    kube_version: str = NEWEST_KUBE,
    name: str = "pagoda",
    namespace: str = "default",
    existing: Iterable[Document] = (),
    chart: Path = CHART,
) -> list[Document]:
    """Return the objects of ``helm install NAME CHART``, tests included, as a cluster would get them.

    `existing` are objects that the cluster has already, as an earlier rendering returned them.

    Raises:
        ChartFault: the values don't fit the schema, or a template refuses them.
    """
    release = installed(
        values, kube_version=kube_version, name=name, namespace=namespace, existing=existing, chart=chart
    )
    hooks = [hook["manifest"] for hook in release.get("hooks") or []]
    text = "\n---\n".join([release["manifest"], *hooks])
    return [document for document in yaml.safe_load_all(text) if document]


def installed(
    values: Mapping[str, Any] | None = None,
    *,
    kube_version: str = NEWEST_KUBE,
    name: str = "pagoda",
    namespace: str = "default",
    existing: Iterable[Document] = (),
    chart: Path = CHART,
) -> dict[str, Any]:
    """Return what Helm tells of ``helm install NAME CHART``: ``{"manifest", "hooks", "info", ...}``.

    Raises:
        ChartFault: the values don't fit the schema, or a template refuses them.
    """
    with KubernetesApi(kube_version, namespace, existing) as server:
        config = helm_sdkpy.Configuration(namespace=namespace, kubeconfig=server.kubeconfig)
        install = helm_sdkpy.Install(config).run(
            name,
            str(chart),
            values=dict(values or {}),
            wait=False,
            timeout=TIMEOUT_SECONDS,
            take_ownership=True,
        )
        try:
            release: dict[str, Any] = asyncio.run(install)
        except helm_sdkpy.HelmError as error:
            raise ChartFault(str(error)) from error
    return release


def lint(chart: Path = CHART) -> dict[str, Any]:
    """Return what ``helm lint`` finds."""
    found: dict[str, Any] = asyncio.run(helm_sdkpy.Lint(helm_sdkpy.Configuration()).run(str(chart)))
    return found
