"""Values that can't work are refused when they are rendered, with words that tell how to mend them."""

from __future__ import annotations

import re
from typing import Any

import pytest

from pagoda_plugin_sdk.task_config import PluginTaskConfig
from pagoda_plugin_sdk.task_registry import TaskRegistry
from tools.chart import ChartFault, render

TWO_URLS = {"url": "redis://h", "existingSecret": "s"}
NO_SERVERS = {"postgresql": {"enabled": False}, "redis": {"enabled": False}}

TABLE: dict[str, tuple[dict[str, Any], str]] = {
    "unknown value": ({"replicas": 3}, "additional properties 'replicas' not allowed"),
    "misspelt value of a plugin": (
        {"plugins": {"inventory": {"replica": 3}}},
        "at '/plugins/inventory': additional properties 'replica' not allowed",
    ),
    "misspelt value of every pod": (
        {"api": {"tolerantion": []}},
        "at '/api': additional properties 'tolerantion' not allowed",
    ),
    "plugin id that the host refuses": (
        {"plugins": {"-x": {"operationIds": [400, 499]}}},
        "'-x' does not match pattern",
    ),
    "unknown setting": (
        {"config": {"PAGODA_LOG_LEVL": "INFO"}},
        "at '/config': additional properties 'PAGODA_LOG_LEVL' not allowed",
    ),
    "setting out of bounds": (
        {"config": {"JOB_LEASE_SECONDS": 0}},
        "at '/config/JOB_LEASE_SECONDS': minimum",
    ),
    "setting that is none of the choices": (
        {"config": {"PAGODA_LOG_LEVEL": "loud"}},
        "at '/config/PAGODA_LOG_LEVEL': value must be one of 'DEBUG', 'INFO', 'WARNING', 'ERROR'",
    ),
    "setting that the chart makes": (
        {"config": {"ENABLED_PLUGINS": "inventory"}},
        "additional properties 'ENABLED_PLUGINS' not allowed",
    ),
    "secret among plain settings": (
        {"config": {"SENTRY_DSN": "https://k@h/1"}},
        "additional properties 'SENTRY_DSN' not allowed",
    ),
    "tag in place of a digest": ({"image": {"api": {"digest": "1.2.3"}}}, "at '/image/api/digest'"),
    "database of another kind": ({"database": {"url": "mysql://h/x"}}, "at '/database/url'"),
    "scaling by nothing known": (
        {"pluginDefaults": {"autoscaling": {"kind": "memory"}}},
        "value must be one of 'none', 'cpu', 'queue'",
    ),
    "no database": (
        {"postgresql": {"enabled": False}},
        "postgresql.enabled is false and there is no other server. Set database.url or database.existing",
    ),
    "no broker": (
        {"redis": {"enabled": False}},
        "redis.enabled is false and there is no other server. Set broker.url or broker.existingSecret.",
    ),
    "two databases": (
        {"database": {"url": "postgres://h/x"}},
        "database.url is set beside the server of the chart. Set postgresql.enabled to false.",
    ),
    "database of a Secret beside the chart's": (
        {"database": {"existingSecret": "mine"}},
        "database.existingSecret is set beside the server of the chart. Set postgresql.enabled to false, or",
    ),
    "two places of a URL": (
        NO_SERVERS | {"database": {"url": "postgres://h/x"}, "broker": TWO_URLS},
        "broker.url and broker.existingSecret are both set. Keep one of the two.",
    ),
    "password without its URL": (
        {"redis": {"existingSecret": "mine"}},
        "redis.existingSecret hides the password from the chart. Set broker.existingSecret to a Secret with",
    ),
    "two places of secrets": (
        {"secrets": {"existingSecret": "mine", "values": {"SENTRY_DSN": "https://k@h/1"}}},
        "secrets.existingSecret and secrets.values are both set. Put the values into the Secret.",
    ),
    "plugins of one name": (
        {"plugins": {"a_b": {"operationIds": [400, 499]}, "a-b": {"operationIds": [500, 599]}}},
        "plugins.a-b and plugins.a_b give objects of the same name (a-b). Rename one of the plugins.",
    ),
    "bounds the wrong way round": (
        {"plugins": {"inventory": {"autoscaling": {"kind": "cpu", "minReplicas": 9}}}},
        "plugins.inventory.autoscaling.minReplicas is 9, above maxReplicas (5). Lower it.",
    ),
    "none at all by CPU": (
        {"plugins": {"inventory": {"autoscaling": {"kind": "cpu", "minReplicas": 0}}}},
        "plugins.inventory.autoscaling.minReplicas is 0, which only `kind: queue` can do.",
    ),
    "no time to drain": (
        {"plugins": {"inventory": {"terminationGracePeriodSeconds": 20}}},
        "plugins.inventory.terminationGracePeriodSeconds is 20, less than the 40 s that a worker needs",
    ),
    "less time than a longer soft shutdown": (
        {"config": {"JOB_SOFT_SHUTDOWN_SECONDS": 100}, "coreWorker": {"terminationGracePeriodSeconds": 60}},
        "coreWorker.terminationGracePeriodSeconds is 60, less than the 120 s that a worker needs to drain",
    ),
    "Ingress without a name": ({"ingress": {"enabled": True}}, "Set ingress.hosts."),
    "label that selectors use": (
        {"commonLabels": {"app.kubernetes.io/component": "x"}},
        "commonLabels has app.kubernetes.io/component, by which the chart finds its own Pods and objects.",
    ),
    "label of Pods that policies use": (
        {"plugins": {"inventory": {"podLabels": {"pagoda/database": "no"}}}},
        "plugins.inventory.podLabels has pagoda/database, by which the chart finds its own Pods and objects.",
    ),
    "part of the Pods in words": (
        {"podDefaults": {"podDisruptionBudget": {"minAvailable": "half"}}},
        "at '/podDefaults/podDisruptionBudget/minAvailable': 'half' does not match pattern",
    ),
    "port of the nodes of a ClusterIP": (
        {"api": {"service": {"nodePort": 30080}}},
        "api.service.nodePort is set, and the Service has none as a ClusterIP. Set type to NodePort or",
    ),
    "class of a load balancer that is none": (
        {"api": {"service": {"type": "NodePort", "loadBalancerClass": "x"}}},
        "api.service has values of a load balancer, and is none. Set type to LoadBalancer.",
    ),
    "networks of a load balancer of the plugins alone": (
        {"pluginApi": {"enabled": True, "service": {"loadBalancerSourceRanges": ["192.0.2.0/24"]}}},
        "pluginApi.service has values of a load balancer, and is none. Set type to LoadBalancer.",
    ),
    "scaling that looks at nothing": (
        {"api": {"autoscaling": {"enabled": True, "targetCPUPercent": 0}}},
        "api.autoscaling looks at nothing. Set targetCPUPercent or targetMemoryPercent.",
    ),
    "scaling of the plugins' endpoints that looks at nothing": (
        {"pluginApi": {"enabled": True, "autoscaling": {"enabled": True, "targetCPUPercent": 0}}},
        "pluginApi.autoscaling looks at nothing. Set targetCPUPercent or targetMemoryPercent.",
    ),
    "scaling of the plugins' endpoints upside down": (
        {
            "api": {"autoscaling": {"enabled": True}},
            "pluginApi": {"enabled": True, "autoscaling": {"minReplicas": 9}},
        },
        "pluginApi.autoscaling.minReplicas is 9, above maxReplicas (6). Lower it.",
    ),
    "metrics for the world": (
        {"ingress": {"enabled": True, "hosts": ["a.example.org"], "paths": ["/hook", "/metrics/"]}},
        "ingress.paths: /metrics/ leads to /metrics or /readyz, which ask for no login.",
    ),
    "all for the world": (
        {"httpRoute": {"enabled": True, "parentRefs": [{"name": "g"}]}, "ingress": {"paths": ["/"]}},
        "ingress.paths: / leads to /metrics or /readyz, which ask for no login.",
    ),
    "key in a Secret of the chart": (
        {"admin": {"existingSecretKey": "password"}},
        "admin.existingSecretKey is set, and there is no Secret of yours. Set admin.existingSecret, too.",
    ),
    "keys in a Secret of the chart": (
        {"secrets": {"existingSecretKeys": {"SENTRY_DSN": "dsn"}}},
        "secrets.existingSecretKeys is set, and there is no Secret of yours. Set secrets.existingSecret",
    ),
    "keys without the one that must be": (
        {"secrets": {"existingSecret": "s", "existingSecretKeys": {"SENTRY_DSN": "dsn"}}},
        "secrets.existingSecretKeys names no key for PAGODA_SECRET_KEY",
    ),
    "keys of a setting that there is not": (
        {
            "secrets": {
                "existingSecret": "s",
                "existingSecretKeys": {"PAGODA_SECRET_KEY": "k", "SENTRY_DNS": "d"},
            }
        },
        "at '/secrets/existingSecretKeys': additional properties 'SENTRY_DNS' not allowed",
    ),
    "Flower under a name of the API": (
        {"ingress": {"enabled": True, "hosts": ["a.example.org"], "flowerHost": "a.example.org"}},
        "ingress.flowerHost is a.example.org, one of ingress.hosts. Give Flower a name of its own.",
    ),
    "HTTPRoute without a gateway": ({"httpRoute": {"enabled": True}}, "Set httpRoute.parentRefs."),
}


@pytest.mark.parametrize("case", TABLE)
def test_it_is_refused(case: str) -> None:
    values, message = TABLE[case]

    with pytest.raises(ChartFault, match=re.escape(message)):
        render(values)


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(ChartFault) as told:
        render(NO_SERVERS | {"ingress": {"enabled": True}})

    assert "The values have 3 fault(s):" in str(told.value)


RANGES: dict[str, dict[str, Any]] = {
    "overlap": {"one": [200, 299], "two": [250, 349]},
    "overlap by one id": {"one": [200, 300], "two": [300, 399]},
    "one within the other": {"one": [200, 999], "two": [300, 399], "three": [950, 1050]},
    "the same twice": {"one": [200, 299], "two": [200, 299]},
    "upside down": {"one": [299, 200]},
    "below": {"one": [150, 250]},
    "above": {"one": [9900, 10_000]},
    "one number": {"one": [200]},
    "three numbers": {"one": [200, 250, 299]},
    "text": {"one": "200-299"},
    "text with a quote": {"one": "it's"},
    "numbers as text": {"one": ["200", "299"]},
    "fractions": {"one": [200.5, 299]},
    "truth": {"one": [True, 299]},
    "a map": {"one": {"first": 200, "last": 299}},
    "a number": {"one": 200},
    "no range": {"one": [], "two": [200, 299]},
    "all of it": {"one": [], "two": [1, 2], "three": [300, 400], "four": [400, 500], "five": "x"},
}


def told_by_host(ranges: dict[str, Any]) -> str:
    registry = TaskRegistry()
    for name in sorted(ranges):
        registry.register(PluginTaskConfig(name, "somewhere", {"count": (0, "count")}))
    given = {name: ranges[name] for name in sorted(ranges) if ranges[name] != []}
    with pytest.raises(Exception, match="PLUGIN_OPERATION_ID_CONFIG has") as told:
        registry.validate_all(given)
    return str(told.value).replace("has tasks (count) but", "has tasks but")


@pytest.mark.parametrize("case", RANGES)
def test_ranges_are_refused_in_the_words_of_the_host(case: str) -> None:
    off = {"hello-world-plugin": {"enabled": False}, "inventory": {"enabled": False}}
    values = {"plugins": off | {name: {"operationIds": ids} for name, ids in RANGES[case].items()}}

    with pytest.raises(ChartFault) as told:
        render(values)

    assert told_by_host(RANGES[case]) in str(told.value)
