from __future__ import annotations

import base64
import copy
import json
import re
from typing import Any

import pytest

from tools.chart import environment_of, render

Document = dict[str, Any]

GENERATED = {
    ("pagoda-secrets", "PAGODA_SECRET_KEY"): 64,
    ("pagoda-postgresql", "POSTGRES_PASSWORD"): 32,
    ("pagoda-redis", "REDIS_PASSWORD"): 32,
    ("pagoda-flower", "FLOWER_PASSWORD"): 24,
    ("pagoda-admin", "ADMIN_PASSWORD"): 24,
}
"""``{(Secret, key): length}``"""


def secrets(documents: list[Document]) -> dict[str, dict[str, str]]:
    return {
        d["metadata"]["name"]: {k: base64.b64decode(v).decode() for k, v in (d.get("data") or {}).items()}
        for d in documents
        if d["kind"] == "Secret"
    }


def checksums(documents: list[Document]) -> dict[str, str]:
    return {
        d["metadata"]["name"].removeprefix("pagoda-"): d["spec"]["template"]["metadata"]["annotations"][
            "checksum/config"
        ]
        for d in documents
        if d["kind"] == "Deployment"
    }


def templates(documents: list[Document]) -> dict[str, Any]:
    return {
        d["metadata"]["name"].removeprefix("pagoda-"): d["spec"]["template"]
        for d in documents
        if d["kind"] in ("Deployment", "StatefulSet")
    }


def test_nothing_has_a_default_password() -> None:
    one, other = secrets(render()), secrets(render())

    for (name, key), length in GENERATED.items():
        assert re.fullmatch(r"[A-Za-z0-9]+", one[name][key])
        assert len(one[name][key]) == length
        assert one[name][key] != other[name][key]


def test_generated_secrets_are_kept_over_an_upgrade() -> None:
    installed = render()

    upgraded = render({"api": {"replicas": 5}}, existing=installed)

    assert secrets(upgraded) == secrets(installed)
    assert checksums(upgraded) == checksums(installed), "nothing changed that a Pod would have to read anew"


def test_urls_agree_with_the_passwords_of_their_servers() -> None:
    held = secrets(render())

    password = held["pagoda-postgresql"]["POSTGRES_PASSWORD"]
    assert held["pagoda-database"] == {
        "DATABASE_URL": f"postgres://pagoda:{password}@pagoda-postgresql:5432/pagoda"
    }
    password = held["pagoda-redis"]["REDIS_PASSWORD"]
    assert held["pagoda-broker"] == {"BROKER_URL": f"redis://:{password}@pagoda-redis:6379/0"}
    assert held["pagoda-cache"] == {"CACHE_URL": f"redis://:{password}@pagoda-redis:6379/1"}
    password = held["pagoda-flower"]["FLOWER_PASSWORD"]
    assert held["pagoda-flower"]["FLOWER_BASIC_AUTH"] == f"pagoda:{password}"


def test_secrets_that_open_data_outlive_the_release(rendered: Any) -> None:
    kept = {
        d["metadata"]["name"]
        for d in rendered()
        if d["metadata"].get("annotations", {}).get("helm.sh/resource-policy") == "keep"
    }

    assert kept == {"pagoda-secrets", "pagoda-postgresql", "pagoda-admin"}


def test_changed_setting_starts_every_process_anew(rendered: Any) -> None:
    installed = render()
    before, after = (
        checksums(installed),
        checksums(render({"config": {"PAGODA_LOG_LEVEL": "DEBUG"}}, existing=installed)),
    )

    assert [name for name in before if before[name] == after[name]] == []


HOST = {
    "api",
    "core-worker",
    "dispatcher",
    "flower",
}  # run code of all plugins, and so read the settings of all


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"plugins": {"inventory": {"secretEnv": {"TOKEN": "new"}}}}, {"worker-inventory"}),
        ({"plugins": {"inventory": {"concurrency": 3}}}, {"worker-inventory"}),
        ({"plugins": {"inventory": {"memoryMb": 300}}}, {"worker-inventory"}),
        ({"plugins": {"inventory": {"settings": {"a": 1}}}}, {*HOST, "worker-inventory"}),
        ({"coreWorker": {"concurrency": 2}}, {"core-worker"}),
        ({"secrets": {"values": {"ALERT_URLS": "https://a.example.org"}}}, HOST),
        (
            {"secrets": {"values": {"SENTRY_DSN": "https://a.example.org"}}},
            {*HOST, "worker-inventory", "worker-hello-world-plugin"},
        ),
        ({"api": {"workers": 3}}, {"api"}),
        ({"tests": {"timeoutSeconds": 7}}, set()),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else "",
)
def test_a_change_starts_exactly_those_anew_that_read_it(changed: dict[str, Any], expected: set[str]) -> None:
    installed = render()

    before, after = templates(installed), templates(render(changed, existing=installed))

    assert {name for name in before if before[name] != after[name]} == expected


def test_an_account_s_new_password_starts_those_who_log_in_with_it() -> None:
    installed = render()
    accounts = next(
        d for d in installed if (d["kind"], d["metadata"]["name"]) == ("Secret", "pagoda-accounts")
    )
    changed = copy.deepcopy(accounts)
    changed["data"]["pagoda_core"] = base64.b64encode(b"0123456789abcdef").decode()
    before = checksums(render(existing=installed))

    after = checksums(render(existing=[changed if d is accounts else d for d in installed]))

    assert {name for name in before if before[name] != after[name]} == {"core-worker"}


def test_redis_starts_anew_with_another_password() -> None:
    def checksum(documents: list[Document]) -> str:
        (redis,) = [
            d for d in documents if (d["kind"], d["metadata"]["name"]) == ("StatefulSet", "pagoda-redis")
        ]
        return str(redis["spec"]["template"]["metadata"]["annotations"]["checksum/config"])

    installed = render()
    rotated = [d for d in installed if (d["kind"], d["metadata"]["name"]) != ("Secret", "pagoda-redis")]

    assert checksum(render(existing=installed)) == checksum(installed)
    assert checksum(render(existing=rotated)) != checksum(installed)


def test_each_secret_can_be_the_user_s_own(rendered: Any) -> None:
    import yaml

    from tools.chart.rendering import CHART

    values = yaml.safe_load((CHART / "ci" / "own-secrets.yaml").read_text(encoding="utf-8"))
    documents = rendered(values)

    made = secrets(documents)
    assert made.pop("pagoda-check").items() >= {"PLUGIN_SETTINGS": "{}", "PAGODA_ENV": "production"}.items()
    assert made == {"pagoda-plugins": {"PLUGIN_SETTINGS": "{}"}}
    own = {
        "own-settings": {"PAGODA_SECRET_KEY": "k"},
        "own-database": {"DATABASE_URL": "postgres://h/x"},
        "own-broker": {"BROKER_URL": "redis://h"},
        "own-cache": {"CACHE_URL": "redis://h/1"},
        "own-plugins": {"TOKEN": "t"},
    }
    env = environment_of(documents, "Deployment", "pagoda-worker-inventory", secrets=own).env
    assert all(env[key] == value for data in own.values() for key, value in data.items())


def test_rendering_alone_gives_the_same_twice_when_all_secrets_are_given(rendered: Any) -> None:
    import yaml

    from tools.chart.rendering import CHART

    values = yaml.safe_load((CHART / "ci" / "own-secrets.yaml").read_text(encoding="utf-8"))

    assert render(values) == render(values)


def test_no_secret_is_in_clear_text_elsewhere(rendered: Any) -> None:
    documents = render()
    held = {
        value
        for name, data in secrets(documents).items()
        if name != "pagoda-check"  # the others' and plain settings again
        for value in data.values()
        if len(value) > 20
    }
    elsewhere = json.dumps([d for d in documents if d["kind"] != "Secret"])

    assert [value for value in held if value in elsewhere] == []
