"""Accounts at the servers: who logs in with which, and what a plugin's worker has in its environment."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

import pytest

from pagoda.config.accounts import account_of, plugin_account
from pagoda.jobs.broker_accounts import accounts
from tests.chart.conftest import migration_job
from tests.chart.test_plugins import plugins
from tests.chart.test_secrets import secrets
from tools.chart import ChartFault, environment_of, render
from tools.chart.workloads import containers, pod_spec

Document = dict[str, Any]

OWNER_URL = "postgres://owner:o%40@db:5433,db-2:5433/cmdb?sslmode=require"
EXTERNAL = {"postgresql": {"enabled": False}, "database": {"url": OWNER_URL}}
HOSTS = {"api": "pagoda_api", "dispatcher": "pagoda_dispatcher", "core-worker": "pagoda_core"}
ALLOWED = {
    "BROKER_URL", "CACHE_URL", "DATABASE_URL", "ENABLED_PLUGINS", "METRICS_BIND", "NODE_NAME",
    "PAGODA_DATA_DIR", "PAGODA_ENV", "PAGODA_TRUSTED_PROXIES", "PLUGIN_OPERATION_ID_CONFIG",
    "PLUGIN_PERMISSIONS", "PLUGIN_SETTINGS", "PLUGIN_WORKER_CONFIG", "SENTRY_DSN",
}  # fmt: skip
"""What a plugin's worker may know."""


def job_of(documents: list[Document]) -> Document:
    return migration_job(documents)


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


AT_REDIS = {
    **HOSTS,
    "flower": "pagoda_flower",
    "worker-one": "pagoda_plugin_one",
    "worker-two": "pagoda_plugin_two",
}


def redis_of(documents: list[Document]) -> Document:
    (server,) = [
        d for d in documents if (d["kind"], d["metadata"]["name"]) == ("StatefulSet", "pagoda-redis")
    ]
    return server


def test_each_process_logs_in_at_redis_with_its_own_account(rendered: Any) -> None:
    documents = rendered(plugins("one", "two") | {"pluginApi": {"enabled": True}})

    held = secrets(documents)
    operator = held["pagoda-redis"]["REDIS_PASSWORD"]
    deployments = {
        d["metadata"]["name"].removeprefix("pagoda-"): d for d in documents if d["kind"] == "Deployment"
    }
    assert deployments.keys() == {*AT_REDIS, "plugin-api"}
    for workload, document in deployments.items():
        account = AT_REDIS.get(workload, "pagoda_api")
        login = f"redis://{account}:{held['pagoda-accounts'][account]}@pagoda-redis:6379"
        for container in containers(document):
            env = environment_of(
                documents, "Deployment", f"pagoda-{workload}", container=container["name"]
            ).env
            assert (env["BROKER_URL"], env["CACHE_URL"]) == (f"{login}/0", f"{login}/1")
            assert operator not in json.dumps(dict(env)), "the operator's"


def test_the_job_makes_the_accounts_as_the_operator_of_redis(rendered: Any) -> None:
    documents = rendered(plugins("one"))
    operator = secrets(documents)["pagoda-redis"]["REDIS_PASSWORD"]
    name = job_of(documents)["metadata"]["name"]

    for container, args in {
        "wait-redis": ("pagoda", "wait", "--for", "broker", "--timeout", "300"),
        "accounts": ("pagoda", "broker", "acl", "--apply"),
    }.items():
        process = environment_of(documents, "Job", name, container=container)
        assert process.args == args
        assert process.env["BROKER_URL"] == f"redis://:{operator}@pagoda-redis:6379/0"
        assert process.env["PAGODA_ACCOUNT_PASSWORDS_DIR"] == "/etc/pagoda/accounts"
    names = [container["name"] for container in containers(job_of(documents))]
    assert names.index("accounts") < names.index("migrate"), "who waits for the migrations finds its account"


def test_workers_wait_for_their_account_and_the_api_serves_without_a_broker(rendered: Any) -> None:
    documents = rendered(plugins("one"))

    for workload in ("core-worker", "dispatcher", "worker-one", "api"):
        args = environment_of(documents, "Deployment", f"pagoda-{workload}", container="wait").args
        assert ("broker" in args) == (workload != "api"), workload


@pytest.mark.parametrize("plugin_id", ["one", "p" * 60])
def test_redis_starts_with_the_accounts_that_the_job_makes(plugin_id: str, rendered: Any) -> None:
    documents = rendered(plugins(plugin_id))

    held = secrets(documents)
    passwords = held["pagoda-accounts"] | {"default": held["pagoda-redis"]["REDIS_PASSWORD"]}
    rules = {account.name: account.redis for account in accounts([plugin_id])} | {
        "default": ("~*", "&*", "+@all")
    }
    assert set(held["pagoda-redis-accounts"]["users.acl"].splitlines()) == {
        f"user {name} on #{sha256(passwords[name].encode()).hexdigest()} {' '.join(rule)}"
        for name, rule in rules.items()
    }
    assert "--requirepass" not in containers(redis_of(documents))[0]["args"], "it does not go with a file"


def test_a_plugin_that_comes_or_goes_leaves_redis_running() -> None:
    installed = render(plugins("one", "two"))

    upgraded = render(plugins("one", "three"), existing=installed)

    assert redis_of(upgraded)["spec"] == redis_of(installed)["spec"]
    known = secrets(upgraded)["pagoda-redis-accounts"]["users.acl"]
    assert "pagoda_plugin_three" in known
    assert "pagoda_plugin_two" not in known


@pytest.mark.parametrize(
    ("values", "broker", "cache"),
    [
        ({"broker": {"url": "amqp://x:y@h//"}}, "amqp://x:y@h//", "pagoda_plugin_one"),
        ({"broker": {"existingSecret": "b"}}, "redis://b", "pagoda_plugin_one"),
        ({"cache": {"url": "redis://c/1"}}, "pagoda_plugin_one", "redis://c/1"),
        ({"cache": {"existingSecret": "c"}}, "pagoda_plugin_one", "redis://c"),
    ],
    ids=["broker's url", "broker's secret", "cache's url", "cache's secret"],
)
def test_servers_of_the_user_keep_their_url_and_the_chart_s_redis_has_accounts(
    values: Any, broker: str, cache: str, rendered: Any
) -> None:
    documents = rendered(plugins("one") | values)
    own = {"b": {"BROKER_URL": "redis://b"}, "c": {"CACHE_URL": "redis://c"}}

    env = environment_of(documents, "Deployment", "pagoda-worker-one", secrets=own).env
    for expected, url in ((broker, env["BROKER_URL"]), (cache, env["CACHE_URL"])):
        assert expected in (url, account_of(url))
    assert set(env) == ALLOWED - {"SENTRY_DSN"}
    job = job_of(documents)["metadata"]["name"]
    operator = environment_of(documents, "Job", job, container="accounts", secrets=own).env["BROKER_URL"]
    password = secrets(documents)["pagoda-redis"]["REDIS_PASSWORD"]
    assert operator.startswith(f"redis://:{password}@pagoda-redis:6379/")
    if "broker" in values:
        main = environment_of(documents, "Job", job, container="migrate", secrets=own).env
        assert main["BROKER_URL"] == broker


@pytest.mark.parametrize(
    "values",
    [
        {"accounts": {"mode": "never"}},
        {"redis": {"enabled": False}, "broker": {"url": "amqp://h"}},
        {"broker": {"url": "amqp://h"}, "cache": {"url": "redis://c"}},
        {"redis": {"existingSecret": "r"}, "broker": {"existingSecret": "b"}},
        EXTERNAL,
    ],
    ids=["never", "no redis", "not used", "hidden password", "one account at the database"],
)
def test_without_accounts_at_redis_all_is_as_it_was(values: Any, rendered: Any) -> None:
    documents = rendered(plugins("one") | values)

    assert "pagoda-redis-accounts" not in secrets(documents)
    assert "BROKER_URL" not in json.dumps(secrets(documents).get("pagoda-accounts", {}))
    assert not {"wait-redis", "accounts"} & {c["name"] for c in containers(job_of(documents))}
    for server in (
        d for d in documents if d["metadata"]["name"] == "pagoda-redis" and d["kind"] == "StatefulSet"
    ):
        assert containers(server)[0]["args"][:2] == ["redis-server", "--requirepass"]
    own = {"b": {"BROKER_URL": "redis://:x@b"}}
    broker = environment_of(documents, "Deployment", "pagoda-worker-one", secrets=own).env["BROKER_URL"]
    assert not account_of(broker)


def test_a_plugin_that_comes_or_goes_by_by_an_upgrade_takes_its_account_along() -> None:
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
        assert url_of(documents, "worker-one") == f"postgres://{login}@db:5433,db-2:5433/cmdb?sslmode=require"

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
