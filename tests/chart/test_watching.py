"""Alert rules, monitors and the dashboard: what they ask for exists, and Prometheus understands it."""

from __future__ import annotations

import json
import re
from typing import Any

import promql_parser
import pytest

from tools.chart.workloads import pod_spec

Document = dict[str, Any]

METRICS = {
    "pagoda_breaker_state": {"plugin", "surface"},
    "pagoda_build_info": {"version"},
    "pagoda_endpoint_requests_total": {"plugin", "method", "status"},
    "pagoda_endpoint_seconds": {"plugin"},
    "pagoda_hook_calls_total": {"plugin", "hook", "outcome"},
    "pagoda_hook_seconds": {"plugin", "hook"},
    "pagoda_jobs_total": {"plugin", "operation", "status"},
    "pagoda_queue_consumers": {"queue"},
    "pagoda_queue_jobs": {"queue", "phase"},
    "pagoda_queue_oldest_seconds": {"queue"},
    "pagoda_registry_info": {"digest", "service"},
}
"""``{metric: labels}`` that processes of Pagoda tell."""

OF_PROMETHEUS = {"namespace", "le", "instance"}


def rules(documents: list[Document]) -> list[dict[str, Any]]:
    (document,) = [d for d in documents if d["kind"] == "PrometheusRule"]
    return [rule for group in document["spec"]["groups"] for rule in group["rules"]]


def dashboard_expressions(documents: list[Document]) -> list[str]:
    (document,) = [d for d in documents if d["metadata"]["name"] == "pagoda-dashboard"]
    panels = json.loads(document["data"]["pagoda.json"])["panels"]
    text = [target["expr"] for panel in panels for target in panel["targets"]]
    return [expr.replace("$__rate_interval", "5m").replace("$namespace", "default") for expr in text]


def assert_known(expression: str) -> None:
    """Check that an expression parses and names metrics and labels that exist."""
    promql_parser.parse(expression)
    metrics = set(re.findall(r"pagoda_\w+", expression))
    assert metrics
    labels = OF_PROMETHEUS.union(*(METRICS[metric.removesuffix("_bucket")] for metric in metrics))
    grouped = re.findall(r"\b(?:by|on|without) \(([^)]*)\)", expression)
    matched = re.findall(r"(\w+)\s*=~?", expression)
    used = {name.strip() for names in grouped for name in names.split(",")} | set(matched)
    assert used <= labels


def test_rules_cover_what_is_promised(everything: list[Document]) -> None:
    assert [rule["alert"] for rule in rules(everything)] == [
        "PagodaPluginOpen",
        "PagodaQueueOld",
        "PagodaQueueWithoutWorker",
        "PagodaQueueDeep",
        "PagodaEndpointsFail",
        "PagodaEndpointsSlow",
        "PagodaHooksFail",
        "PagodaHooksSlow",
        "PagodaJobsFail",
        "PagodaDigestMismatch",
        "PagodaAbsent",
    ]


def test_every_rule_is_understood_and_told(everything: list[Document]) -> None:
    for rule in rules(everything):
        assert_known(rule["expr"])
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert rule["annotations"]["summary"]
        assert rule["for"] == "5m"


def test_thresholds_are_values(rendered: Any) -> None:
    values = {
        "alerts": {"enabled": True, "queueAgeSeconds": 77, "jobErrorRatio": 0.25, "labels": {"team": "cmdb"}}
    }

    found = {rule["alert"]: rule for rule in rules(rendered(values))}

    assert found["PagodaQueueOld"]["expr"].endswith("> 77")
    assert found["PagodaJobsFail"]["expr"].endswith("> 0.25")
    assert all(rule["labels"]["team"] == "cmdb" for rule in found.values())


def test_dashboard_is_understood(everything: list[Document]) -> None:
    expressions = dashboard_expressions(everything)

    assert len(expressions) >= 10
    for expression in expressions:
        assert_known(expression)


def test_every_metric_is_shown_or_watched(everything: list[Document]) -> None:
    text = " ".join([*dashboard_expressions(everything), *(rule["expr"] for rule in rules(everything))])

    assert [metric for metric in METRICS if metric not in text] == []


@pytest.mark.parametrize(
    ("kind", "components", "port"),
    [
        ("ServiceMonitor", {"api", "plugin-api"}, "http"),
        ("PodMonitor", {"worker", "core-worker", "dispatcher"}, "metrics"),
    ],
)
def test_monitors_meet_ports_that_exist(
    everything: list[Document], kind: str, components: set[str], port: str
) -> None:
    (monitor,) = [d for d in everything if d["kind"] == kind]
    (expression,) = monitor["spec"]["selector"]["matchExpressions"]

    assert set(expression["values"]) == components
    found = set()
    for document in everything:
        component = document["metadata"]["labels"]["app.kubernetes.io/component"]
        if document["kind"] == "Deployment" and component in components:
            found.add(component)
            ports = {one["name"] for one in pod_spec(document)["containers"][0]["ports"]}
            assert port in ports
    assert found == components
