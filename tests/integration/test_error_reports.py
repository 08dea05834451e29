"""Errors of plugins reach Sentry from every container, each with what it happened in."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.integration.stage.promises import Promises
from tests.integration.stage.stack import SETTINGS, Stack
from tests.integration.stage.waiting import wait_until

pytestmark = pytest.mark.parametrize("broker", ["redis"], indirect=True)

TROUBLED = "Troubled"
REPORT_SECONDS = 20.0


@pytest.fixture(scope="module")
def troubled(shared: Stack) -> None:
    """Have an entity on whose entries a handler fails."""
    shared.client.post("entities/", name=TROUBLED, attrs=[])


def only_event(shared: Stack, message: str, **tags: str) -> dict[str, Any]:
    """Wait for the event whose error says `message` and that has these tags; it has to be the only one."""

    def found() -> list[dict[str, Any]]:
        return [event for event in shared.events(**tags) if message in _error(event)]

    def otherwise() -> str:
        return f"no event {message!r} with {tags}, but {[(e['tags'], _error(e)) for e in shared.events()]}"

    (event,) = wait_until(found, REPORT_SECONDS, otherwise)
    assert SETTINGS["PAGODA_SECRET_KEY"] not in json.dumps(event)
    return event


def _error(event: dict[str, Any]) -> str:
    return " ".join(value["value"] for value in event.get("exception", {}).get("values", []))


@pytest.mark.smoke
def test_an_endpoint_s_error(shared: Stack, promise: Promises) -> None:
    assert shared.client.send("GET", "plugins/trial/raise/").status_code == 500

    event = only_event(
        shared, "the trial's endpoint failed", service="api", plugin="trial", surface="endpoint"
    )
    assert event["environment"] == "production"
    promise("error of an endpoint in Sentry", f"1 event: {_shown(event)}")


def test_a_handler_s_error_in_the_api(shared: Stack, troubled: None, promise: Promises) -> None:
    shared.client.post("entries/", schema=TROUBLED, name="by-the-api")

    event = only_event(
        shared, "failed on by-the-api", service="api", plugin="trial", surface="hook", entity=TROUBLED
    )
    assert event["tags"]["hook"] == "entry.after_create"
    promise("error of a hook in the API in Sentry", f"1 event: {_shown(event)}")


@pytest.mark.smoke
def test_a_task_s_error(shared: Stack, promise: Promises) -> None:
    job = shared.client.submit("fail", {"why": "for Sentry"})
    shared.client.finished(job)

    event = only_event(
        shared, "failed: for Sentry", service="worker", plugin="trial", surface="task", job=str(job)
    )
    assert event["tags"]["operation"] == "fail"
    promise("error of a task in Sentry", f"1 event: {_shown(event)}")


def test_a_handler_s_error_in_a_job(shared: Stack, troubled: None, promise: Promises) -> None:
    job = shared.client.submit("write_entry", {"entity": TROUBLED, "name": "by-a-job"})
    assert shared.client.finished(job)["status_name"] == "DONE"

    event = only_event(
        shared, "failed on by-a-job", service="worker", plugin="trial", surface="hook", job=str(job)
    )
    promise("error of a hook in a job in Sentry", f"1 event: {_shown(event)}")


def _shown(event: dict[str, Any]) -> str:
    named = ("service", "plugin", "surface", "hook", "job")
    return ", ".join(f"{name} {event['tags'][name]}" for name in named if name in event["tags"])
