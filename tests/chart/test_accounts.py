"""Accounts at the database: who logs in with which, and what a plugin's worker has in its environment."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pagoda.config.accounts import account_of, plugin_account
from tests.chart.test_plugins import plugins
from tests.chart.test_secrets import secrets
from tools.chart import ChartFault, environment_of, render
from tools.chart.workloads import containers, pod_spec

Document = dict[str, Any]

OWNER_URL = "postgres://owner:o%40@db:5433/cmdb?sslmode=require"
EXTERNAL = {"postgresql": {"enabled": False}, "database": {"url": OWNER_URL}}
HOSTS = {"api": "pagoda_api", "dispatcher": "pagoda_dispatcher", "core-worker": "pagoda_core"}
ALLOWED = {
    "BROKER_URL", "CACHE_URL", "DATABASE_URL", "ENABLED_PLUGINS", "METRICS_BIND", "PAGODA_DATA_DIR",
    "PAGODA_ENV", "PAGODA_TRUSTED_PROXIES", "PLUGIN_OPERATION_ID_CONFIG", "PLUGIN_PERMISSIONS",
    "PLUGIN_SETTINGS", "PLUGIN_WORKER_CONFIG", "SENTRY_DSN",
}  # fmt: skip
"""What a plugin's worker may know."""


def job_of(documents: list[Document]) -> Document:
    (job,) = [d for d in documents if d["kind"] == "Job"]
    return job


def url_of(documents: list[Document], workload: str) -> str:
    return environment_of(documents, "Deployment", f"pagoda-{workload}").env["DATABASE_URL"]


def test_each_process_logs_in_with_its_own_account_and_the_job_as_the_owner(rendered: Any) -> None:
    documents = rendered(plugins("one", "two"))

    held = secrets(documents)["pagoda-accounts"]
    for workload, account in {
        **HOSTS,
        "worker-one": "pagoda_plugin_one",
        "worker-two": "pagoda_plugin_two",
    }.items():
        expected = f"postgres://{account}:{held[account]}@pagoda-postgresql:5432/pagoda"
        assert url_of(documents, workload) == expected
    job = job_of(documents)
    for container in (*containers(job), *pod_spec(job)["initContainers"]):
        process = environment_of(documents, "Job", job["metadata"]["name"], container=container["name"])
        assert account_of(process.env["DATABASE_URL"]) == "pagoda"
        assert process.env["PAGODA_ACCOUNT_PASSWORDS_DIR"] == "/etc/pagoda/accounts"
        assert {"name": "accounts", "mountPath": "/etc/pagoda/accounts", "readOnly": True} in container[
            "volumeMounts"
        ]


def test_nobody_but_the_job_has_the_owner_s_url_or_all_passwords(rendered: Any) -> None:
    documents = rendered(plugins("one"))
    owner = secrets(documents)["pagoda-database"]["DATABASE_URL"]

    for document in (d for d in documents if d["kind"] == "Deployment"):
        name = document["metadata"]["name"]
        assert owner not in environment_of(documents, "Deployment", name).env.values(), name
        assert "pagoda-accounts" not in json.dumps(pod_spec(document)["volumes"]), name


def test_the_worker_of_a_plugin_has_nothing_of_the_host_s(rendered: Any) -> None:
    values = plugins("one", "two")
    values["plugins"]["one"]["settings"], values["plugins"]["two"]["settings"] = (
        {"a": "mine"},
        {"a": "theirs"},
    )
    values["secrets"] = {"values": {"ALERT_URLS": "https://alerts", "SENTRY_DSN": "https://k@s/1"}}

    documents = rendered(values)
    worker = environment_of(documents, "Deployment", "pagoda-worker-one")

    assert set(worker.env) == ALLOWED
    assert json.loads(worker.env["PLUGIN_SETTINGS"]) == {"one": {"a": "mine"}}
    (document,) = [
        d for d in documents if (d["kind"], d["metadata"]["name"]) == ("Deployment", "pagoda-worker-one")
    ]
    named = json.dumps(document)
    assert "pagoda-plugins" not in named
    assert '"secretRef": {"name": "pagoda-secrets"}' not in named


def test_a_plugin_that_comes_or_goes_by_an_upgrade_takes_its_account_along() -> None:
    installed = render(plugins("one", "two"))

    upgraded = render(plugins("one", "three"), existing=installed)

    before, after = secrets(installed)["pagoda-accounts"], secrets(upgraded)["pagoda-accounts"]
    assert {"pagoda_plugin_three"} == after.keys() - before.keys()
    assert {"pagoda_plugin_two"} == before.keys() - after.keys()
    assert {name: before[name] for name in before.keys() & after.keys()} == {
        name: after[name] for name in before.keys() & after.keys()
    }
    assert "pagoda-worker-two" not in secrets(upgraded)
    assert job_of(installed)["metadata"]["name"] != job_of(upgraded)["metadata"]["name"], "nobody made it"


def test_permissions_reach_every_process_and_a_change_of_them_the_job(rendered: Any) -> None:
    granted = plugins("one", permissions=["entry:read", "entry:write:Switch"])
    documents = rendered(granted)

    for workload in ("api", "worker-one"):
        env = environment_of(documents, "Deployment", f"pagoda-{workload}").env
        assert json.loads(env["PLUGIN_PERMISSIONS"]) == {"one": ["entry:read", "entry:write:Switch"]}
    assert job_of(documents)["metadata"]["name"] != job_of(rendered(plugins("one")))["metadata"]["name"]


@pytest.mark.parametrize("plugin_id", ["a", "p" * 49, "p" * 50, "p" * 60])
def test_the_chart_names_accounts_as_the_software_does(plugin_id: str, rendered: Any) -> None:
    documents = rendered(plugins(plugin_id))
    assert plugin_account(plugin_id) in secrets(documents)["pagoda-accounts"]


class TestServersOfTheUser:
    def test_they_get_no_accounts_without_a_word(self, rendered: Any) -> None:
        documents = rendered(plugins("one") | EXTERNAL)

        assert "pagoda-accounts" not in secrets(documents)
        assert url_of(documents, "worker-one") == OWNER_URL
        env = environment_of(documents, "Deployment", "pagoda-worker-one").env
        assert env["PAGODA_SECRET_KEY"], "it does not start without, as it has no account of its own"

    def test_with_a_word_the_url_gets_each_account(self, rendered: Any) -> None:
        documents = rendered(plugins("one") | EXTERNAL | {"accounts": {"mode": "always"}})

        held = secrets(documents)["pagoda-accounts"]
        login = f"pagoda_plugin_one:{held['pagoda_plugin_one']}"
        assert url_of(documents, "worker-one") == f"postgres://{login}@db:5433/cmdb?sslmode=require"

    def test_passwords_of_the_user_are_mounted_and_the_urls_theirs(self, rendered: Any) -> None:
        always = {
            "accounts": {"mode": "always", "existingSecret": "mine"},
            "database": {"existingSecret": "db"},
        }
        off = {"postgresql": {"enabled": False}}
        documents = rendered(plugins("one", existingSecret="one-s") | always | off)

        (mounted,) = [v["secret"] for v in pod_spec(job_of(documents))["volumes"] if "secret" in v]
        assert mounted == {"secretName": "mine"}
        own = {"one-s": {"DATABASE_URL": "postgres://pagoda_plugin_one:p@db/x"}}
        worker = environment_of(documents, "Deployment", "pagoda-worker-one", secrets=own)
        assert worker.env["DATABASE_URL"] == own["one-s"]["DATABASE_URL"]
        assert "PAGODA_SECRET_KEY" not in worker.env

    def test_a_url_that_nobody_gives_is_a_fault(self) -> None:
        hidden = {"postgresql": {"enabled": False}, "database": {"existingSecret": "db"}}
        with pytest.raises(ChartFault, match=r"database\.existingSecret hides the URL"):
            render(plugins("one") | hidden | {"accounts": {"mode": "always"}})
        with pytest.raises(
            ChartFault, match=r"hides the password of pagoda_plugin_one. Give its DATABASE_URL in plug"
        ):
            render(plugins("one") | hidden | {"accounts": {"mode": "always", "existingSecret": "mine"}})
        with pytest.raises(ChartFault, match=r"accounts\.existingSecret is set, and accounts.mode is auto"):
            render(plugins("one") | {"accounts": {"existingSecret": "mine"}})
