"""A whole host, API, dispatcher and workers, as an operator sees it: logs, Sentry, metrics, health, audit."""

from __future__ import annotations

import gzip
import http.server
import json
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from tools.stack import Stack, clean_environ, free_port, prepare

LIMIT_SECONDS = 60.0

SHOP = """
from django.urls import path
from rest_framework.response import Response
from pagoda_plugin_sdk import Plugin, PluginAPIView, PluginTaskConfig, plugin_task
from pagoda_plugin_sdk.models import Entity, Job


@plugin_task(0, max_attempts=1)
def fail(job):
    raise RuntimeError("can't reach postgres://shop:hunter2@db/x")


@plugin_task(1)
def write(job):
    Entity.objects.create_entity(user=job.user, name="Written")


class Work(PluginAPIView):
    def post(self, request, name):
        job = Job.objects.submit(plugin="shop", operation_name=name, user=request.user)
        return Response({"job": job.id}, status=202)


class Boom(PluginAPIView):
    def get(self, request):
        raise ValueError("token " + request.headers["Authorization"])


urlpatterns = [path("work/<name>/", Work.as_view()), path("boom/", Boom.as_view())]


class ShopPlugin(Plugin):
    id = "shop"
    name = "Shop"
    version = "1.0"
    api_v2_patterns = "shop"
    task_config = PluginTaskConfig("shop", "shop", {"fail": (0, "fail"), "write": (1, "write")})
"""
BROKEN = "import nothing_that_exists\n"
PROJECT = """
[project]
name = "{name}"
version = "1.0.0"
dependencies = ["pagoda-plugin-sdk>=1.0,<2"]

[project.entry-points."pagoda.plugins"]
{name} = "{name}:{plugin}"
"""


class Sentry(http.server.ThreadingHTTPServer):
    """Takes what a Sentry server takes and keeps the events."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _SentryHandler)
        self.events: list[dict[str, Any]] = []


class _SentryHandler(http.server.BaseHTTPRequestHandler):
    server: Sentry

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        lines = gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body
        _, *items = lines.splitlines()
        for header, payload in zip(items[::2], items[1::2], strict=False):
            if json.loads(header)["type"] == "event":
                self.server.events.append(json.loads(payload))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class names it so
        """Keep the test's output quiet."""


@dataclass
class Host:
    """A running host, and what it has told."""

    stack: Stack
    api: httpx.Client
    metrics_url: str
    sentry: Sentry
    job_ids: dict[str, int] = field(default_factory=dict)

    def wait(self, what: str, look: Callable[[], Any]) -> Any:
        found: list[Any] = []

        def missing() -> str | None:
            found[:] = [look()]
            return None if found[0] else "not yet"

        self.stack.poll(what, missing, LIMIT_SECONDS)
        return found[0]

    def run(self, operation: str) -> dict[str, Any]:
        """Run a job to its end."""
        response = self.api.post(
            f"plugins/shop/work/{operation}/", headers={"X-Request-ID": f"r-{operation}"}
        )
        self.job_ids[operation] = response.json()["job"]

        def ended() -> dict[str, Any] | None:
            job: dict[str, Any] = self.api.get(f"jobs/{self.job_ids[operation]}/").json()
            return job if job["phase"] == "finished" else None

        found: dict[str, Any] = self.wait(f"end of {operation}", ended)
        return found

    def records(self, name: str) -> list[dict[str, Any]]:
        lines = (self.stack.log_dir / f"{name}.log").read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def event(self, **tags: str) -> dict[str, Any]:
        """Return the event with these tags."""

        def look() -> Any:
            for event in list(self.sentry.events):
                if tags.items() <= dict(event.get("tags", {})).items():
                    return event
            return None

        found: dict[str, Any] = self.wait(f"event {tags}", look)
        return found


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    folder = tmp_path_factory.mktemp("host")
    for name, plugin, source in (("shop", "ShopPlugin", SHOP), ("broken", "BrokenPlugin", BROKEN)):
        (folder / "plugins" / name).mkdir(parents=True)
        (folder / "plugins" / name / "pyproject.toml").write_text(PROJECT.format(name=name, plugin=plugin))
        (folder / "plugins" / name / f"{name}.py").write_text(source)
    api_port, metrics_port = free_port(), free_port()
    with Sentry() as sentry:
        thread = threading.Thread(target=sentry.serve_forever)
        thread.start()
        environ = clean_environ() | {
            "PLUGIN_EXAMPLES_DIR": str(folder / "plugins"),
            "ENABLED_PLUGINS": "shop,broken",
            "PLUGIN_OPERATION_ID_CONFIG": '{"shop": [200, 299]}',
            "API_BIND": f"127.0.0.1:{api_port}",
            "METRICS_BIND": f"127.0.0.1:{metrics_port}",
            "SENTRY_DSN": f"http://key@127.0.0.1:{sentry.server_port}/1",
            "SENTRY_ENVIRONMENT": "stage",
            "SENTRY_RELEASE": "pagoda@9",
            "PAGODA_LOG_FORMAT": "json",
        }
        with Stack(folder / "data", environ, print) as stack:
            password = prepare(stack)
            stack.start("api", "pagoda_api.cli", "serve")
            stack.start("workers", "pagoda_worker.cli", "up")
            with httpx.Client(base_url=f"http://127.0.0.1:{api_port}/api/v2/", timeout=30) as api:
                made = Host(stack, api, f"http://127.0.0.1:{metrics_port}/metrics", sentry)
                made.wait("API", lambda: _answers(f"http://127.0.0.1:{api_port}/readyz"))
                body = {"username": "admin", "password": password}
                token = api.post("auth/token/", json=body).json()["token"]
                api.headers["Authorization"] = f"Token {token}"
                api.get("plugins/shop/boom/", headers={"X-Request-ID": "r-boom"})
                made.run("fail")
                made.run("write")
                yield made
        sentry.shutdown()
        thread.join()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 200
    except httpx.TransportError:
        return False


def test_request_job_task_and_plugin_are_in_the_worker_s_lines(host: Host) -> None:
    (ended,) = [
        record
        for record in host.records("workers")
        if record["event"] == "job_ended" and record["job_id"] == host.job_ids["fail"]
    ]
    assert (ended["request_id"], ended["plugin"], ended["operation"]) == ("r-fail", "shop", "fail")
    assert re.fullmatch(r"[0-9a-f-]{36}", ended["task_id"])
    failed = [r for r in host.records("workers") if r["event"] == "job_failed"]
    assert {(record["request_id"], record["task_id"]) for record in failed} == {("r-fail", ended["task_id"])}
    (boom,) = [r for r in host.records("api") if r.get("path", "").endswith("/boom/") and "status" in r]
    assert (boom["request_id"], boom["plugin"], boom["status"]) == ("r-boom", "shop", 500)


@pytest.mark.parametrize("service", ["api", "dispatcher", "worker"])
def test_every_service_reports_what_fails_in_it(host: Host, service: str) -> None:
    event = host.event(service=service, plugin="broken", surface="load")
    assert (event["release"], event["environment"]) == ("pagoda@9", "stage")


def test_a_failing_job_is_one_event_with_job_user_and_request(host: Host) -> None:
    job_id = str(host.job_ids["fail"])

    event = host.event(service="worker", plugin="shop", job=job_id)
    assert (event["tags"]["operation"], event["tags"]["request_id"]) == ("fail", "r-fail")
    assert event["user"] == {"id": "1"}  # the administrator, by number alone
    assert "can't reach postgres://shop:[Filtered]@db/x" in json.dumps(event)
    assert sum(e.get("tags", {}).get("job") == job_id for e in host.sentry.events) == 1


def test_a_failing_endpoint_is_one_event_without_the_token(host: Host) -> None:
    event = host.event(service="api", plugin="shop", surface="endpoint")
    token = host.api.headers["Authorization"].removeprefix("Token ")
    assert token not in json.dumps(host.sentry.events)
    assert "hunter2" not in json.dumps(host.sentry.events)
    assert event["user"]["id"]


def test_metrics_of_the_whole_fleet_are_at_one_address(host: Host) -> None:
    ended = 'pagoda_jobs_total{operation="fail",plugin="shop",status="error"} 1.0'

    def look() -> str | None:
        text = httpx.get(host.metrics_url).text
        return text if ended in text and 'pagoda_queue_consumers{queue="plugin.shop"} 1.0' in text else None

    text = host.wait("metrics", look)
    digests = set(re.findall(r'pagoda_registry_info{digest="(\w+)",service="(\w+)"}', text))
    assert {service for _, service in digests} == {"api", "dispatcher", "worker"}
    assert len({digest for digest, _ in digests}) == 1


def test_health_tells_of_each_plugin(host: Host) -> None:
    def look() -> Any:
        results = {plugin["id"]: plugin for plugin in host.api.get("plugins/health/").json()["results"]}
        return (
            results
            if results["shop"]["endpoint"]["failures"] and results["shop"]["task"]["workers"]
            else None
        )

    results = host.wait("health", look)
    assert (results["broken"]["status"], results["broken"]["load"]["reason_code"]) == (
        "failing",
        "import_failed",
    )
    assert (results["shop"]["task"]["jobs"], results["shop"]["task"]["failures"]) == (2, 1)


def test_the_alert_of_the_broken_plugin_fires_and_is_audited(host: Host) -> None:
    def look() -> bool:
        return any(r["event"] == "alert_fired" and r["subject"] == "broken" for r in host.records("workers"))

    host.wait("alert", look)
    assert [e["subject"] for e in _events(host) if e["action"] == "plugin.skipped"] == ["broken"]


def test_a_job_s_writes_are_audited_and_sealed_within_seconds(host: Host) -> None:
    (written,) = [event for event in _events(host) if event["subject"] == "Written"]
    assert (written["actor"], written["on_behalf_of"], written["plugin"]) == ("job", "admin", "shop")
    assert (written["job_id"], written["request_id"]) == (host.job_ids["write"], "r-write")
    sealed = host.wait("seal", lambda: [r for r in host.records("workers") if r["event"] == "audit_sealed"])
    host.stack.run("verify", "pagoda.cli", "audit", "verify", "--head", f"1:{sealed[0]['hash']}")


def _events(host: Host) -> list[dict[str, Any]]:
    host.stack.run("export", "pagoda.cli", "audit", "export")
    lines = (host.stack.log_dir / "export.log").read_text().splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]
