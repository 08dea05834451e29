from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from tools.chart import cluster
from tools.chart.cluster_access import Cluster, ClusterFault


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


class Printed:
    """A release whose notes name these commands."""

    def __init__(self, *lines: str) -> None:
        self.notes = "\n".join(f"  {line}" for line in lines)

    def rendered(self, _values: Any, template: str) -> str:
        assert template == "NOTES.txt"
        return self.notes


def test_the_commands_of_the_notes_are_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kubectl").write_text('#!/bin/sh\ntest "$1" = get && echo told\n')
    (tmp_path / "kubectl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    release: Any = Printed("Read:", "kubectl get secret x -o 'go-template={{ index .data \"K\" }}'")

    assert cluster.run_notes(release, {}) == "1 commands"
    with pytest.raises(ClusterFault, match="kubectl lose"):
        cluster.run_notes(cast("Any", Printed("kubectl lose secret")), {})


def test_values_are_merged_as_helm_does() -> None:
    merged = cluster._merged({"a": {"b": 1, "c": [1]}, "d": 1}, {"a": {"c": [2]}, "d": {"e": 1}})

    assert merged == {"a": {"b": 1, "c": [2]}, "d": {"e": 1}}
