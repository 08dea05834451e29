"""What can be left out leaves nothing behind."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.chart.conftest import migration_job
from tools.chart.workloads import containers

Document = dict[str, Any]


def names(documents: list[Document]) -> set[str]:
    return {document["metadata"]["name"] for document in documents}


@pytest.mark.parametrize(
    ("values", "gone"),
    [
        ({"flower": {"enabled": False}}, {"pagoda-flower"}),
        ({"admin": {"enabled": False}}, {"pagoda-admin", "pagoda-test"}),
        ({"tests": {"enabled": False}}, {"pagoda-test"}),
        ({"networkPolicy": {"enabled": False}}, {"pagoda-default-deny"}),
        (
            {"postgresql": {"enabled": False}, "database": {"url": "postgres://h/x"}},
            {"pagoda-postgresql", "pagoda-accounts", "pagoda-redis-accounts"},
        ),
        (
            {"redis": {"enabled": False}, "broker": {"url": "amqp://h"}},
            {"pagoda-redis", "pagoda-cache", "pagoda-redis-accounts"},
        ),
    ],
    ids=["Flower", "account", "test", "network policies", "PostgreSQL", "Redis"],
)
def test_part_that_is_switched_off_is_gone(values: dict[str, Any], gone: set[str], rendered: Any) -> None:
    def steady(documents: list[Document]) -> set[str]:
        return {name for name in names(documents) if "-migrate-" not in name}

    assert steady(rendered()) - steady(rendered(values)) == gone
    assert steady(rendered(values)) <= steady(rendered())


def test_migrations_run_without_an_account_too(rendered: Any) -> None:
    job = migration_job(rendered({"admin": {"enabled": False}}))

    main = containers(job)[-1]
    names = [container["name"] for container in containers(job)]
    assert names == ["check", "wait", "wait-redis", "accounts", "migrate"]
    assert main["args"] == ["pagoda", "migrate", "--no-input"]


def test_without_metrics_nobody_listens_for_them(rendered: Any) -> None:
    documents = rendered({"metrics": {"enabled": False, "monitors": True}})

    assert "9100" not in json.dumps(documents)
    assert "METRICS_BIND" not in json.dumps(documents)
    assert "PodMonitor" not in {document["kind"] for document in documents}


def test_server_without_a_claim_keeps_its_data_with_the_pod(rendered: Any) -> None:
    values = {"postgresql": {"persistence": {"enabled": False}}}
    (server,) = [
        d
        for d in rendered(values)
        if (d["kind"], d["metadata"]["name"]) == ("StatefulSet", "pagoda-postgresql")
    ]

    assert "volumeClaimTemplates" not in server["spec"]
    mounts = {m["mountPath"]: m["name"] for m in containers(server)[0]["volumeMounts"]}
    assert mounts["/var/lib/postgresql/data"] in [
        v["name"] for v in server["spec"]["template"]["spec"]["volumes"]
    ]


def test_job_of_migrations_is_another_when_it_runs_something_else(rendered: Any) -> None:
    def job(values: dict[str, Any]) -> str:
        name = migration_job(rendered(values))["metadata"]["name"]
        return str(name)

    other: list[dict[str, Any]] = [
        {"image": {"tag": "2"}},
        {"config": {"PAGODA_LOG_LEVEL": "DEBUG"}},
        {"plugins": {"inventory": None}},
    ]
    assert len({job(values) for values in ({}, *other)}) == 4
    assert job({}) == job({"api": {"replicas": 7}})
