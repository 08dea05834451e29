"""`make cluster-test`: install, test, upgrade under load and roll back on the cluster of the kubeconfig."""

from __future__ import annotations

import argparse
import secrets
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import helm_sdkpy
import yaml

from tools.chart.cluster_access import Cluster, ClusterFault, NoCluster
from tools.chart.rendering import CHART

NEEDS = """cluster-test needs a cluster, and found none: {reason}
  - a kubeconfig (KUBECONFIG, or ~/.kube/config) whose current context may make namespaces
  - Kubernetes 1.27 or newer with a default StorageClass, and a network that enforces NetworkPolicies
  - the images pagoda-api and pagoda-worker, tagged with the chart's appVersion, where its nodes find them:
    `make images` prints how to push them (then --values FILE with image.registry) or to load them"""

EX_NO_CLUSTER = 2
BAD_PLUGIN = {"plugins": {"nobody-provides-this": {"operationIds": [9990, 9999]}}}
CHANGE = {"config": {"PAGODA_LOG_LEVEL": "DEBUG"}}
"""Starts every process anew."""

BAD_TIMEOUT_SECONDS = 120


def main(arguments: list[str]) -> int:
    """Run the steps; return 0 when each held, 1 when one did not, 2 without a cluster."""
    options = _parser().parse_args(arguments)
    try:
        cluster = Cluster(f"pagoda-test-{secrets.token_hex(3)}", timeout_seconds=options.timeout)
    except NoCluster as error:
        print(NEEDS.format(reason=error))
        return EX_NO_CLUSTER
    values: dict[str, Any] = {}
    for path in (CHART / "ci" / "evaluation.yaml", *options.values):
        values = _merged(values, yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    cluster.make_namespace()
    try:
        return _run(cluster, values)
    finally:
        if options.keep:
            print(f"kept: namespace {cluster.namespace}")
        else:
            cluster.delete_namespace()


def _run(cluster: Cluster, values: dict[str, Any]) -> int:
    steps: dict[str, Callable[[], str]] = {
        "install": lambda: cluster.install(values),
        "helm test": cluster.test,
        "upgrade under load": lambda: _under_load(cluster, values),
        "a bad release replaces nothing": lambda: _bad_release(cluster, values),
        "roll back": lambda: cluster.roll_back(1),
        "helm test after it": cluster.test,
    }
    for name, step in steps.items():
        began = time.monotonic()
        try:
            fact = step()
        except (ClusterFault, helm_sdkpy.HelmError) as error:
            print(f"BROKEN  {name:<32} {error}\n{cluster.what_is_wrong()}", flush=True)
            return 1
        print(f"held    {name:<32} {fact} ({time.monotonic() - began:.0f} s)", flush=True)
    return 0


def _under_load(cluster: Cluster, values: dict[str, Any]) -> str:
    with cluster.load(values) as load:
        cluster.upgrade(_merged(values, CHANGE))
        return load.finish()


def _bad_release(cluster: Cluster, values: dict[str, Any]) -> str:
    try:
        cluster.upgrade(_merged(values, BAD_PLUGIN), timeout_seconds=BAD_TIMEOUT_SECONDS)
    except helm_sdkpy.HelmError:
        return f"refused, rolled back; {cluster.test()}"
    raise ClusterFault("a release with a plugin that nobody provides became ready")


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return maps merged as Helm merges values."""
    found = dict(base)
    for key, value in over.items():
        both = isinstance(value, Mapping) and isinstance(found.get(key), Mapping)
        found[key] = _merged(found[key], value) if both else value
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make cluster-test", description=__doc__)
    parser.add_argument("--values", type=Path, action="append", default=[], metavar="FILE")
    parser.add_argument("--timeout", type=int, default=600, metavar="SECONDS", help="of each step")
    parser.add_argument("--keep", action="store_true", help="leave the namespace for a look at it")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
