"""The software's settings and the chart's values can't drift apart."""

from __future__ import annotations

import json
from typing import Any

from pagoda.config.loading import load_settings
from pagoda.config.settings import Settings
from tools.chart import docs, environment_of
from tools.chart.rendering import CHART
from tools.chart.settings_table import CONFIG, LEFT_OUT, MADE_FROM, SECRET, settings
from tools.chart.workloads import containers

Document = dict[str, Any]

KNOWN = {name.upper() for name in Settings.model_fields}
DOWNWARD = {"POD_IP"}
"""What the chart gives a process for other variables to be made from."""

OF_SCRIPTS = {
    "admin": {"ADMIN_USERNAME", "ADMIN_EMAIL", "ADMIN_PASSWORD"},
    "test": {"API_URL", "QUEUES", "TIMEOUT_SECONDS", "ADMIN_USERNAME", "ADMIN_PASSWORD"},
}
"""``{container: variables of the script that it runs}``"""

OF_PLUGIN = {"TOKEN", "NODE_NAME"}


def pagoda_containers(documents: list[Document]) -> list[tuple[Document, str]]:
    kinds = ("Deployment", "Job", "Pod")
    return [(d, c["name"]) for d in documents if d["kind"] in kinds for c in containers(d)]


def variables(documents: list[Document]) -> set[str]:
    """Return every variable that the processes of Pagoda get from the chart."""
    found: set[str] = set()
    for document, container in pagoda_containers(documents):
        name = document["metadata"]["name"]
        env = environment_of(documents, document["kind"], name, container=container).env
        scripts = OF_SCRIPTS["admin"] if document["kind"] == "Job" else OF_SCRIPTS.get(container, set())
        found |= set(env) - scripts
    return found


def test_every_variable_that_the_chart_sets_is_a_setting(everything: list[Document]) -> None:
    assert variables(everything) - DOWNWARD - OF_PLUGIN - KNOWN == set()


def test_every_setting_has_its_place_in_the_chart() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))["properties"]
    plain = set(schema["config"]["properties"])
    secret = set(schema["secrets"]["properties"]["values"]["properties"])
    left_out = {name for name, setting in settings().items() if setting.place == LEFT_OUT}

    assert plain | secret | set(MADE_FROM) | left_out == KNOWN
    assert left_out == {"PAGODA_DEBUG", "PLUGIN_EXAMPLES_DIR"}


def test_every_setting_that_the_chart_makes_reaches_a_process(
    everything: list[Document], rendered: Any
) -> None:
    origins = rendered({"api": {"trustedOrigins": ["https://a.example.org"], "pathPrefix": "/pagoda"}})

    assert set(MADE_FROM) <= variables(everything) | variables(origins)


def sample(name: str) -> Any:
    """Return a value that the setting takes."""
    schema = settings()[name].schema
    kind = schema["type"]
    if "enum" in schema:
        return schema["enum"][-1]
    if isinstance(kind, list):
        return {} if "object" in kind else []
    if kind in ("integer", "number"):
        number = max(schema.get("minimum", 1), 7)
        return SOFT_AND_HARD.get(name, min(number, schema.get("maximum", number)))
    samples = {"boolean": True, "string": "x"}
    return OF_SHAPE.get(name, samples[kind])


SOFT_AND_HARD = {"JOB_SOFT_LIMIT_SECONDS": 100, "JOB_HARD_LIMIT_SECONDS": 200}
OF_SHAPE = {
    "SENTRY_DSN": "https://key@sentry.example.org/1",
    "PAGODA_OIDC_ISSUER": "",  # it takes a secret with it
} | dict.fromkeys(("RATE_LIMIT_USER", "RATE_LIMIT_TOKEN", "RATE_LIMIT_PLUGIN_USER"), "600/min")
"""Samples of settings that take text of a certain shape."""


def test_every_plain_setting_can_be_given_and_starts_the_software(rendered: Any) -> None:
    given = {name: sample(name) for name, setting in settings().items() if setting.place == CONFIG}

    env = environment_of(rendered({"config": given}), "Deployment", "pagoda-api").env

    assert set(given) <= set(env)
    load_settings(dict(env))


def test_every_secret_setting_can_be_given(rendered: Any) -> None:
    given = {name: sample(name) for name, setting in settings().items() if setting.place == SECRET}
    documents = rendered({"secrets": {"values": given}})

    env = environment_of(documents, "Deployment", "pagoda-api").env

    assert {name: env[name] for name in given} == given


def test_lists_are_joined_and_large_numbers_stay_whole(rendered: Any) -> None:
    values = {"config": {"CELERY_DB_REUSE_MAX": 5_000_000, "JOB_LEASE_SECONDS": 0.1 + 29.9}}
    env = environment_of(rendered(values), "Deployment", "pagoda-api").env

    assert load_settings(dict(env)).celery_db_reuse_max == 5_000_000
    assert load_settings(dict(env)).job_lease_seconds == 30


OWN_SECRETS = {
    name: {
        "PAGODA_SECRET_KEY": "k" * 32,
        "DATABASE_URL": "postgres://h/x",
        "BROKER_URL": "redis://h",
        "ADMIN_PASSWORD": "p",
    }
    | {"FLOWER_BASIC_AUTH": "a:b"}
    for name in (
        *(
            "own-settings",
            "own-admin",
            "own-flower",
            "own-database",
            "own-broker",
            "own-cache",
            "own-plugins",
        ),
        *("pagoda-settings", "pagoda-admin", "pagoda-flower", "pagoda-database", "pagoda-inventory"),
    )
}
"""Secrets of the user, as the values in ``ci/`` name them."""


def test_rendered_settings_are_right_in_every_process(documents: list[Document]) -> None:
    for document, container in pagoda_containers(documents):
        if container != "test":
            kind, name = document["kind"], document["metadata"]["name"]
            env = environment_of(documents, kind, name, container=container, secrets=OWN_SECRETS).env
            assert load_settings(dict(env)).pagoda_env == "production"


def test_readme_and_schema_were_made_from_today_s_values() -> None:
    assert docs.old() == []
