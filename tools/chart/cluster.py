"""`make cluster-test`: what an operator does with a release, and what befalls it, on a real cluster."""

from __future__ import annotations

import argparse
import secrets
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import helm_python
import httpx
import yaml

from tools.chart.cluster_access import CHART, RELEASE, Cluster, ClusterFault, NoCluster
from tools.chart.samples import BAD_MIGRATION_FILES

NEEDS = """cluster-test needs a cluster, and found none: {reason}
  - kubectl, for the commands that the notes print, and a kubeconfig (KUBECONFIG, or ~/.kube/config) whose
    current context may make namespaces, and cordon a node; Helm's own
    commands are done by its library; on this machine the ports 8000 and 5555 are free
  - Kubernetes 1.27 or newer with a default StorageClass, and a network that enforces NetworkPolicies
  - the images pagoda-api and pagoda-worker, tagged with the chart's appVersion, where its nodes find them:
    `make images` prints how to push them (then --values FILE with image.registry) or to load them"""

ROOT = CHART.parents[2]
EX_NO_CLUSTER = 2
BAD_PLUGIN = {"plugins": {"nobody-provides-this": {"operationIds": [9990, 9999]}}}
CHANGE = {"config": {"PAGODA_LOG_LEVEL": "DEBUG"}}
"""Starts every process anew."""

BAD_RANGE = {"plugins": {"inventory": {"operationIds": [200, 299]}}}
BAD_TAG = {"image": {"tag": "there-is-none"}, "releaseCheck": {"activeDeadlineSeconds": 60}}
BAD_TIMEOUT_SECONDS = 180
OF_PAGODA = ("api", "coreWorker", "dispatcher", "flower", "migrations", "releaseCheck", "pluginDefaults")
ANSWER_SECONDS = 60
READMES = {ROOT / "README.md": "## Run it on Kubernetes", CHART / "README.md": "# The chart `pagoda`"}
NOT_RUN = {
    "make images": "the images are there before, as said above",
    "make test-chart": "it needs no cluster",
    "make cluster-test": "this is it",
}
"""Commands that the READMEs print for a cluster, and why no step runs them."""


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


def steps(cluster: Cluster, values: dict[str, Any]) -> dict[str, Callable[[], str]]:
    """Return ``{name: what to do}`` in order; each returns a fact, or raises what broke."""
    return {
        "what README prints": lambda: run_readme(cluster, values),
        "what NOTES print": lambda: run_notes(cluster, values),
        "upgrade under load": lambda: _under_load(
            cluster, values, lambda: cluster.upgrade(_merged(values, CHANGE))
        ),
        "a plugin nobody provides": lambda: _refused(cluster, _merged(values, BAD_PLUGIN)),
        "a migration that fails": lambda: _refused(cluster, _with_bad_migration(cluster, values)),
        "ranges that overlap": lambda: _refused(cluster, _merged(values, BAD_RANGE)),
        "a tag that is not there": lambda: _refused(cluster, _merged(values, BAD_TAG)),
        "another secret of a plugin": lambda: _one_worker_anew(cluster, values),
        "roll back under load": lambda: _under_load(cluster, values, partial(cluster.roll_back, 1)),
        "kill each workload": lambda: _killed(cluster),
        "drain a node": lambda: f"{cluster.drain()}; {cluster.test()}",
        "uninstall": cluster.uninstall,
        "install on what was left": lambda: f"{cluster.install(values)}; {cluster.test()}",
    }


def _run(cluster: Cluster, values: dict[str, Any]) -> int:
    for name, step in steps(cluster, values).items():
        began = time.monotonic()
        try:
            fact = step()
        except (ClusterFault, helm_python.HelmError) as error:
            print(f"BROKEN  {name:<28} {error}\n{cluster.what_is_wrong()}", flush=True)
            return 1
        print(f"held    {name:<28} {fact} ({time.monotonic() - began:.0f} s)", flush=True)
    return 0


def printed() -> list[list[str]]:
    """Return the commands that the READMEs print for a cluster, in order, as words; each once."""
    found: dict[str, None] = {}
    for path, heading in READMES.items():
        section = path.read_text(encoding="utf-8").partition(f"{heading}\n")[2].partition("\n#")[0]
        lines = [shlex.split(line, comments=True) for line in section.splitlines() if line.startswith("    ")]
        found |= dict.fromkeys(map(shlex.join, filter(None, lines)))
    return [shlex.split(command) for command in found]


def run_readme(cluster: Cluster, values: dict[str, Any]) -> str:
    """Do what the READMEs print for a cluster, with the values of this test."""
    told = []
    for words in printed():
        command = shlex.join(words)
        if command in NOT_RUN:
            told.append(f"{command}: not run, {NOT_RUN[command]}")
        else:
            told.append(f"{command}: {run_helm(cluster, words, values)}")
    return "; ".join(told)


def run_helm(cluster: Cluster, words: list[str], values: dict[str, Any]) -> str:
    """Do in the test's namespace what a printed command of Helm says.

    Raises:
        ClusterFault: it is none of those that a release is tried with.
    """
    match words:
        case ["helm", "install", name, chart] if (name, ROOT / chart) == (RELEASE, CHART):
            return cluster.install(values)
        case ["helm", "test", name] | ["helm", "-n", cluster.namespace, "test", name] if name == RELEASE:
            return cluster.test()
    raise ClusterFault(f"{shlex.join(words)} is printed, and no step of this test does it")


def run_notes(cluster: Cluster, values: dict[str, Any]) -> str:
    """Run the commands that the notes of the installation print, and ask for the addresses beside them."""
    notes = cluster.rendered(values, "NOTES.txt")
    lines = [line.strip() for line in notes.splitlines()]
    commands = [shlex.split(line) for line in lines if line.startswith(("kubectl ", "helm "))]
    for command in commands:
        if command[0] == "helm":
            run_helm(cluster, command, values)
        elif "port-forward" in command:
            port = command[-1].partition(":")[0]
            paths = [urlsplit(line).path for line in lines if line.startswith(f"http://localhost:{port}")]
            _forwarded(command, f"http://localhost:{port}{paths[0] if paths else '/healthcheck'}")
        else:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode or not done.stdout:
                raise ClusterFault(f"{shlex.join(command)}: {done.stderr or 'it prints nothing'}")
    return f"{len(commands)} commands"


def _forwarded(command: list[str], url: str) -> None:
    address = urlsplit(url)
    with suppress(OSError), socket.create_connection((address.hostname, address.port), timeout=1):
        raise ClusterFault(f"{shlex.join(command)}: the port is taken on this machine; free it for the test")
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as forward:
        try:
            _answers(url)
        finally:
            forward.terminate()


def _answers(url: str) -> None:
    until = time.monotonic() + ANSWER_SECONDS
    while True:
        try:
            status = httpx.get(url, follow_redirects=True).status_code
        except httpx.TransportError as error:
            status = 0
            if time.monotonic() > until:
                raise ClusterFault(f"{url}: {error}") from error
            time.sleep(1)
        if status:
            if status >= 400:
                raise ClusterFault(f"{url} answers {status}")
            return


def _under_load(cluster: Cluster, values: dict[str, Any], change: Callable[[], object]) -> str:
    with cluster.load(values) as load:
        change()
        return load.finish()


def _refused(cluster: Cluster, values: dict[str, Any]) -> str:
    before, began = cluster.identities(), time.monotonic()
    try:
        cluster.upgrade(values, timeout_seconds=BAD_TIMEOUT_SECONDS)
    except helm_python.HelmError as error:
        seconds = time.monotonic() - began
        cluster.wait_until_rolled_out()
        after = cluster.identities() | {"flower": before.get("flower", set())}  # it waits for no migrations
        gone = [name for name, ids in before.items() if not ids <= after.get(name, set())]
        if gone:
            raise ClusterFault(f"Pods were replaced: {', '.join(gone)}") from error
        return f"refused after {seconds:.0f} s, no Pod replaced; {cluster.test()}"
    raise ClusterFault("a release that can't work became ready")


def _with_bad_migration(cluster: Cluster, values: dict[str, Any]) -> dict[str, Any]:
    """Return values with a plugin whose migration raises: its files come by a ConfigMap, not by the image."""
    paths = {f"f{number}": path for number, path in enumerate(BAD_MIGRATION_FILES)}
    cluster.make_config_map("shelves", {key: BAD_MIGRATION_FILES[path] for key, path in paths.items()})
    items = [{"key": key, "path": path} for key, path in paths.items()]
    pods = {
        "extraVolumes": [{"name": "shelves", "configMap": {"name": "shelves", "items": items}}],
        "extraVolumeMounts": [{"name": "shelves", "mountPath": "/shelves", "readOnly": True}],
        "extraEnv": [{"name": "PYTHONPATH", "value": "/shelves"}],
    }
    over = {"config": {"PAGODA_PLUGIN_STRICT": True}, "plugins": {"shelves": {"hasTasks": False}}}
    return _merged(values, over | dict.fromkeys(OF_PAGODA, pods))


def _one_worker_anew(cluster: Cluster, values: dict[str, Any]) -> str:
    before = cluster.identities()
    cluster.upgrade(
        _merged(values, _merged(CHANGE, {"plugins": {"inventory": {"secretEnv": {"TOKEN": "new"}}}}))
    )
    after = cluster.identities()
    anew = [name for name in before if not before[name] & after.get(name, set())]
    if anew != ["inventory"]:
        raise ClusterFault(f"new Pods of {anew}, expected the worker of inventory alone")
    return "the worker of inventory alone started anew"


def _killed(cluster: Cluster) -> str:
    seconds = [f"{name} {taken:.0f} s" for name, taken in cluster.kill_each()]
    return f"{', '.join(seconds)}; {cluster.test()}"


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
