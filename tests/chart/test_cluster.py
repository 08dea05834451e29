from __future__ import annotations

from pathlib import Path

import pytest

from tools.chart import cluster


def test_it_says_what_it_needs_without_a_kubeconfig(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "none"))

    assert cluster.main([]) == 2

    told = capsys.readouterr().out
    assert "cluster-test needs a cluster, and found none" in told
    assert "a kubeconfig" in told
    assert "the images pagoda-api and pagoda-worker" in told


def test_values_are_merged_as_helm_does() -> None:
    merged = cluster._merged({"a": {"b": 1, "c": [1]}, "d": 1}, {"a": {"c": [2]}, "d": {"e": 1}})

    assert merged == {"a": {"b": 1, "c": [2]}, "d": {"e": 1}}
