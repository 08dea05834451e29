from __future__ import annotations

import shlex
import socket
from pathlib import Path
from typing import Any, cast

import pytest

from tools.chart import cluster
from tools.chart.cluster_access import Cluster, ClusterFault
from tools.chart.rendering import installed


def test_it_says_what_it_needs_without_a_kubeconfig(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "none"))

    assert cluster.main([]) == 2

    told = capsys.readouterr().out
    assert "cluster-test needs a cluster, and found none" in told
    assert "a kubeconfig" in told
    assert "the images pagoda-api and pagoda-worker" in told


class Helm:
    """Knows a history, and notes where it was asked to go back to."""

    def __init__(self, *states: str) -> None:
        self.states = states
        self.rolled_back: list[int] = []

    def history(self, _name: str) -> list[dict[str, Any]]:
        return [{"revision": number, "status": state} for number, state in enumerate(self.states, start=1)]

    def rollback(self, _name: str, *, version: int, wait: str, timeout: int) -> None:
        assert (wait, timeout) == ("watcher", 9)
        self.rolled_back.append(version)


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        (["superseded", "deployed", "failed", "pending-rollback"], [2]),
        (["deployed", "pending-upgrade"], [1]),
        (["superseded", "deployed"], []),
        (["deployed", "failed"], []),
    ],
)
def test_a_pending_release_goes_back_to_what_ran(
    states: list[str], expected: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    release, helm = object.__new__(Cluster), Helm(*states)
    monkeypatch.setattr(release, "_helm", helm, raising=False)
    monkeypatch.setattr(release, "_timeout_seconds", 9, raising=False)
    monkeypatch.setattr(release, "wait_until_rolled_out", lambda: None)

    release.recover()

    assert helm.rolled_back == expected


def test_a_release_that_never_ran_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    release = object.__new__(Cluster)
    monkeypatch.setattr(release, "_helm", Helm("pending-install"), raising=False)

    with pytest.raises(ClusterFault, match="nothing ran before"):
        release.recover()


class Release:
    """A release whose notes are these lines, or those of the chart; notes what is done with it."""

    namespace = "try"

    def __init__(self, *lines: str) -> None:
        self.lines = lines
        self.done: list[str] = []

    def rendered(self, values: Any, template: str) -> str:
        assert template == "NOTES.txt"
        return "\n".join(f"  {line}" for line in self.lines) or installed(values)["info"]["notes"]

    def install(self, values: Any) -> str:
        self.done.append("install")
        return str(values)

    def test(self) -> str:
        self.done.append("test")
        return "all queues"


@pytest.fixture
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a kubectl that can `get` alone: enough to see what is run, no proof that a cluster takes it."""
    (tmp_path / "kubectl").write_text(
        '#!/bin/sh\nfor word; do test "$word" = get && echo told && exit; done; exit 1\n'
    )
    (tmp_path / "kubectl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")


@pytest.mark.usefixtures("kubectl")
def test_the_commands_of_the_notes_are_run() -> None:
    get = "kubectl get secret x -o 'go-template={{ index .data \"K\" }}'"
    release: Any = Release("Read:", get, "helm -n try test pagoda")

    assert cluster.run_notes(release, {}) == "2 commands"
    assert release.done == ["test"]
    for command in ("kubectl lose secret", "helm -n try rollback pagoda", "helm -n other test pagoda"):
        with pytest.raises(ClusterFault, match=command):
            cluster.run_notes(cast("Any", Release(command)), {})


@pytest.mark.usefixtures("kubectl")
def test_what_the_chart_prints_is_forwarded_and_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(cluster, "_forwarded", lambda command, url: opened.append(f"{command[4]} {url}"))
    monkeypatch.setattr(Release, "namespace", "default")

    assert cluster.run_notes(cast("Any", Release()), {}) == "5 commands"
    assert opened == [
        "service/pagoda-api http://localhost:8000/api/v2/docs/",
        "service/pagoda-flower http://localhost:5555/healthcheck",
    ]


def test_a_port_that_something_else_answers_on_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        release: Any = Release(f"kubectl port-forward service/x {port}:80", f"http://localhost:{port}/")

        with pytest.raises(ClusterFault, match="the port is taken on this machine"):
            cluster.run_notes(release, {})


def test_what_the_readmes_print_is_done_or_left_with_a_reason() -> None:
    release: Any = Release()

    told = cluster.run_readme(release, {"some": "values"})

    assert release.done == ["install", "test"]
    assert "helm install pagoda deploy/helm/pagoda: {'some': 'values'}; helm test pagoda: all queues" in told
    assert "make images: not run, the images are there before" in told
    assert set(cluster.NOT_RUN) < {shlex.join(words) for words in cluster.printed()}


def test_values_are_merged_as_helm_does() -> None:
    merged = cluster._merged({"a": {"b": 1, "c": [1]}, "d": 1}, {"a": {"c": [2]}, "d": {"e": 1}})

    assert merged == {"a": {"b": 1, "c": [2]}, "d": {"e": 1}}
