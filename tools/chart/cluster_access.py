"""A release on a real cluster: Helm's library acts, Kubernetes' client looks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import helm_sdkpy
from kubernetes import client, config
from urllib3.exceptions import HTTPError

from tools.chart.rendering import CHART, render

RELEASE = "pagoda"
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
        self._helm = helm_sdkpy.Configuration(namespace=namespace)

    def make_namespace(self) -> None:
        """Make the namespace."""
        metadata = client.V1ObjectMeta(name=self.namespace, labels=RESTRICTED)
        self._core.create_namespace(client.V1Namespace(metadata=metadata))

    def delete_namespace(self) -> None:
        """Delete the namespace with all that is in it."""
        self._core.delete_namespace(self.namespace)

    def install(self, values: dict[str, Any]) -> str:
        """Install the chart and wait until all is ready."""
        run = helm_sdkpy.Install(self._helm).run(
            RELEASE, str(CHART), values=values, wait=True, wait_for_jobs=True, timeout=self._timeout_seconds
        )
        asyncio.run(run)
        return f"{len(self._pods())} Pods in namespace {self.namespace}"

    def upgrade(self, values: dict[str, Any], *, timeout_seconds: int | None = None) -> None:
        """Upgrade the release and wait; a release that does not get ready is rolled back."""
        run = helm_sdkpy.Upgrade(self._helm).run(
            RELEASE,
            str(CHART),
            values=values,
            wait=True,
            timeout=timeout_seconds or self._timeout_seconds,
            rollback_on_failure=True,
        )
        asyncio.run(run)

    def roll_back(self, revision: int) -> str:
        """Go back to an earlier revision and wait until its Pods are there."""
        asyncio.run(helm_sdkpy.Rollback(self._helm).run(RELEASE, revision))
        self._poll("the rollback", self._all_rolled_out)
        return f"revision {revision} runs again"

    def test(self) -> str:
        """Run ``helm test``."""
        asyncio.run(helm_sdkpy.ReleaseTest(self._helm).run(RELEASE))
        pod = self._poll("helm test", lambda: self._ended(f"{RELEASE}-test"))
        log = self._log(f"{RELEASE}-test")
        if pod.status.phase != "Succeeded":
            raise ClusterFault(f"helm test failed: {log}")
        return log.strip().replace("\n", "; ")

    @contextmanager
    def load(self, values: dict[str, Any]) -> Iterator[Load]:
        """Have a Pod submit jobs to every queue while the block runs."""
        (pod,) = [d for d in render(values, namespace=self.namespace) if d["kind"] == "Pod"]
        pod["metadata"] = {"name": "load", "labels": pod["metadata"]["labels"]}
        main = pod["spec"]["containers"][0]
        main["args"] = ["python", "-c", _SCRIPT.read_text(encoding="utf-8")]
        main["env"].append({"name": "LOAD_SECONDS", "value": str(LOAD_SECONDS)})
        self._core.create_namespaced_pod(self.namespace, pod)
        try:
            yield Load(self)
        finally:
            self._core.delete_namespaced_pod("load", self.namespace)

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
        return all(
            d.status.observed_generation == d.metadata.generation
            and d.status.updated_replicas == d.status.replicas == d.status.ready_replicas == d.spec.replicas
            for d in deployments
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
