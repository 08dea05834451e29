"""A release on a real cluster: Helm's library acts, Kubernetes' client looks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import helm_python
import yaml
from kubernetes import client, config
from urllib3.exceptions import HTTPError

CHART = Path(__file__).resolve().parents[2] / "deploy" / "helm" / "pagoda"
RELEASE = "pagoda"
WAIT = "watcher"  # as the Helm 4 command waits
LOAD_SECONDS = 180
POLL_SECONDS = 2.0
ANSWER_SECONDS = 10
RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
_SCRIPT = Path(__file__).with_name("load.py")


class NoCluster(Exception):
    """There is no cluster to work with; the message says why."""


class ClusterFault(Exception):
    """The release did not do what it should; the message says what."""


class Cluster:
    """A namespace of its own, where Pods that are not restricted are refused, and the release in it.

    Raises:
        NoCluster: there is no kubeconfig, or its cluster does not answer.
    """

    def __init__(self, namespace: str, *, timeout_seconds: int) -> None:
        self.namespace = namespace
        self._timeout_seconds = timeout_seconds
        try:
            config.load_kube_config()  # type: ignore[no-untyped-call]  # the client's only function without
            client.VersionApi().get_code(_request_timeout=ANSWER_SECONDS)
        except (config.ConfigException, client.ApiException, HTTPError, OSError) as error:
            raise NoCluster(str(error).partition("\n")[0]) from error
        # Any: the client's types say of every field of an answer that it may be missing.
        self._core: Any = client.CoreV1Api()
        self._apps: Any = client.AppsV1Api()
        self._helm = helm_python.Config(namespace=namespace)

    def make_namespace(self) -> None:
        """Make the namespace."""
        metadata = client.V1ObjectMeta(name=self.namespace, labels=RESTRICTED)
        self._core.create_namespace(client.V1Namespace(metadata=metadata))

    def delete_namespace(self) -> None:
        """Delete the namespace with all that is in it."""
        self._core.delete_namespace(self.namespace)

    def install(self, values: dict[str, Any]) -> str:
        """Install the chart and wait until all is ready."""
        self._helm.install(str(CHART), RELEASE, values, wait=WAIT, timeout=self._timeout_seconds)
        return f"{len(self._pods())} Pods in namespace {self.namespace}"

    def upgrade(self, values: dict[str, Any], *, timeout_seconds: int | None = None) -> None:
        """Upgrade the release and wait; a release that does not get ready is rolled back."""
        self.recover()
        self._helm.upgrade(
            str(CHART),
            RELEASE,
            values,
            wait=WAIT,
            timeout=timeout_seconds or self._timeout_seconds,
            rollback_on_failure=True,
            reset_values=True,
        )

    def roll_back(self, revision: int) -> str:
        """Go back to an earlier revision and wait until its Pods are there."""
        self._helm.rollback(RELEASE, version=revision, wait=WAIT, timeout=self._timeout_seconds)
        self.wait_until_rolled_out()
        return f"revision {revision} runs again"

    def recover(self) -> None:
        """Bring a release that an interrupted operation left pending back to the last revision that ran."""
        releases = [one for one in self._helm.history(RELEASE) if one["status"] != "failed"]
        if releases and releases[-1]["status"].startswith("pending"):
            ran = [one["revision"] for one in releases if not one["status"].startswith("pending")]
            if not ran:
                raise ClusterFault(f"{RELEASE} is {releases[-1]['status']}, and nothing ran before")
            self.roll_back(ran[-1])

    def uninstall(self) -> str:
        """Uninstall the release; return what is left, which is data and the Secrets that open it."""
        self._helm.uninstall(RELEASE, wait=WAIT, timeout=self._timeout_seconds)
        self._poll("the end of all Pods", lambda: not self._pods())
        secrets = {one.metadata.name for one in self._core.list_namespaced_secret(self.namespace).items}
        kept = {f"{RELEASE}-{name}" for name in ("admin", "postgresql", "secrets")}
        if secrets != kept:
            raise ClusterFault(f"Secrets are left: {sorted(secrets)}, expected {sorted(kept)}")
        return f"left: {', '.join(sorted(kept))} and the claims"

    def test(self) -> str:
        """Run ``helm test``."""
        told = self._helm.test(RELEASE, logs=True, timeout=self._timeout_seconds)
        return str(told["logs"]).strip().replace("\n", "; ")

    def rendered(self, values: dict[str, Any], template: str) -> str:
        """Return what a template of the chart gives."""
        with helm_python.Chart.load(str(CHART)) as chart:
            texts = chart.render(values, name=RELEASE, namespace=self.namespace)
        return str(texts[f"pagoda/templates/{template}"])

    def make_config_map(self, name: str, data: dict[str, str]) -> None:
        """Make a ConfigMap that is no part of the release."""
        self._core.create_namespaced_config_map(
            self.namespace, client.V1ConfigMap(metadata=client.V1ObjectMeta(name=name), data=data)
        )

    def identities(self) -> dict[str, set[str]]:
        """Return the ids of the Pods that run on, by workload."""
        found: dict[str, set[str]] = {}
        for pod in self._running():
            labels = pod.metadata.labels
            name = labels.get("pagoda/plugin") or labels["app.kubernetes.io/component"]
            found.setdefault(name, set()).add(pod.metadata.uid)
        return found

    def kill_each(self) -> Iterator[tuple[str, float]]:
        """Kill a Pod of each workload; yield its name and the seconds until all are ready again."""
        one_each = {next(iter(p.metadata.owner_references)).name: p for p in self._running()}
        for pod in one_each.values():
            began = time.monotonic()
            self._core.delete_namespaced_pod(pod.metadata.name, self.namespace, grace_period_seconds=0)
            time.sleep(POLL_SECONDS)  # until its workload knows
            self.wait_until_rolled_out()
            yield pod.metadata.name, time.monotonic() - began

    def drain(self) -> str:
        """Evict all Pods of a node, which takes no new ones meanwhile unless it is the only one."""
        (node, *_) = {pod.spec.node_name for pod in self._running()}
        nodes = self._core.list_node().items
        is_only = sum(not one.spec.unschedulable for one in nodes) < 2
        try:
            if not is_only:
                self._core.patch_node(node, {"spec": {"unschedulable": True}})
            for pod in self._running():
                if pod.spec.node_name == node:
                    self._poll(
                        f"the eviction of {pod.metadata.name}", partial(self._evict, pod.metadata.name)
                    )
            self.wait_until_rolled_out()
        finally:
            if not is_only:
                self._core.patch_node(node, {"spec": {"unschedulable": False}})
        return f"node {node}{', the only one' if is_only else ''}"

    def _evict(self, name: str) -> bool:
        about = client.V1ObjectMeta(name=name, namespace=self.namespace)
        try:
            self._core.create_namespaced_pod_eviction(name, self.namespace, client.V1Eviction(metadata=about))
        except client.ApiException as error:
            if error.status == 429:  # its PodDisruptionBudget lets none go just now
                return False
            if error.status != 404:
                raise
        return True

    def _running(self) -> list[Any]:
        owners = ("ReplicaSet", "StatefulSet")
        return [
            pod
            for pod in self._pods()
            if pod.metadata.deletion_timestamp is None
            and any(owner.kind in owners for owner in pod.metadata.owner_references or ())
        ]

    def wait_until_rolled_out(self) -> None:
        """Return once each Deployment and StatefulSet has all its Pods, ready and of its latest form."""
        self._poll("the rollout", self._all_rolled_out)

    @contextmanager
    def load(self, values: dict[str, Any]) -> Iterator[Load]:
        """Have a Pod submit jobs to every queue while the block runs."""
        documents = yaml.safe_load_all(self.rendered(values, "test.yaml"))
        (pod,) = [d for d in documents if d and d["kind"] == "Pod"]
        pod["metadata"] = {"name": "load", "labels": pod["metadata"]["labels"]}
        main = pod["spec"]["containers"][0]
        main["args"] = ["python", "-c", _SCRIPT.read_text(encoding="utf-8")]
        main["env"].append({"name": "LOAD_SECONDS", "value": str(LOAD_SECONDS)})
        self._core.create_namespaced_pod(self.namespace, pod)
        try:
            yield Load(self)
        finally:
            self._core.delete_namespaced_pod("load", self.namespace, grace_period_seconds=0)

    def finish_load(self) -> str:
        """Wait until the load is over; return its counts."""
        pod = self._poll("the load", lambda: self._ended("load"))
        log = self._log("load")
        if pod.status.phase != "Succeeded":
            raise ClusterFault(f"the load ended badly: {log}")
        return log.strip()

    def what_is_wrong(self) -> str:
        """Return the containers that are not ready, with the end of their logs."""
        found = []
        for pod in self._pods():
            for status in [
                *(pod.status.init_container_statuses or []),
                *(pod.status.container_statuses or []),
            ]:
                is_done = status.state.terminated is not None and status.state.terminated.exit_code == 0
                if not (status.ready or is_done):
                    log = self._log(pod.metadata.name, status.name)
                    found.append(f"{pod.metadata.name}/{status.name}: {status.state}\n{log}")
        return "\n".join(found)

    def _pods(self) -> list[Any]:
        pods: list[Any] = self._core.list_namespaced_pod(self.namespace).items
        return pods

    def _log(self, pod: str, container: str | None = None) -> str:
        try:
            log: str = self._core.read_namespaced_pod_log(
                pod, self.namespace, container=container, tail_lines=30
            )
        except client.ApiException as error:
            return f"(no log: {error.reason})"
        return log

    def _ended(self, name: str) -> Any:
        pod = self._core.read_namespaced_pod(name, self.namespace)
        return pod if pod.status.phase in ("Succeeded", "Failed") else None

    def _all_rolled_out(self) -> bool:
        deployments = self._apps.list_namespaced_deployment(self.namespace).items
        sets = self._apps.list_namespaced_stateful_set(self.namespace).items
        return all(
            d.status.observed_generation == d.metadata.generation
            and d.status.updated_replicas == d.status.replicas == d.status.ready_replicas == d.spec.replicas
            for d in (*deployments, *sets)
        )

    def _poll(self, what: str, look: Any) -> Any:  # what `look` returns, once it is something
        until = time.monotonic() + self._timeout_seconds
        while not (found := look()):
            if time.monotonic() > until:
                raise ClusterFault(f"{what} took longer than {self._timeout_seconds} s")
            time.sleep(POLL_SECONDS)
        return found


class Load:
    """Jobs that are submitted while something else happens."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def finish(self) -> str:
        """Wait for its end; return its counts.

        Raises:
            ClusterFault: a request failed, or a job did not get DONE.
        """
        return self._cluster.finish_load()
