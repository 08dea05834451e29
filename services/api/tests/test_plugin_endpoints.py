"""Requests to the endpoints of plugins, good and bad, through the process's URLs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sentry_sdk
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport
from structlog.testing import capture_logs

from pagoda.plugins.registry import registry
from pagoda_plugin_sdk.plugin import Plugin

pytestmark = pytest.mark.django_db


class Good(Plugin):
    id = name = "good"
    api_v2_patterns = "routes_good_api"
    url_patterns = "routes_good_pages"


class Broken(Plugin):
    id = name = "broken"
    api_v2_patterns = "routes_raises"


class Rooted(Plugin):
    id = name = "rooted"
    api_v2_patterns = "routes_root"


def test_plugin_that_serves_its_root_has_it_and_is_described_behind_it(
    serve: Callable[..., None], api: Any
) -> None:
    serve(Rooted(), Good())

    assert api.get("/api/v2/plugins/rooted/").json() == {"root_of": "rooted"}
    assert api.get("/api/v2/plugins/rooted/about/").json()["id"] == "rooted"
    for path in ("", "about/"):
        assert api.get(f"/api/v2/plugins/good/{path}").json()["status"] == "active"


@pytest.fixture
def good(serve: Callable[..., None]) -> None:
    serve(Good())


class Collected(Transport):
    """Keeps the events that would be sent."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[dict[str, Any]] = []

    def capture_envelope(self, envelope: Envelope) -> None:
        self.events += [item.payload.json or {} for item in envelope.items if item.type == "event"]


@pytest.fixture
def sentry() -> Iterator[Collected]:
    collected = Collected()
    sentry_sdk.init(
        dsn="http://key@localhost/1",
        transport=collected,
        auto_enabling_integrations=False,
        default_integrations=False,
    )
    yield collected
    sentry_sdk.get_client().close()
    sentry_sdk.get_global_scope().set_client(None)


@pytest.mark.usefixtures("good")
class TestRouting:
    @pytest.mark.parametrize("scheme", ["Token", "Bearer", "token"])
    def test_view_sees_the_user_of_the_token(
        self, ann: Any, client_of: Callable[..., Any], scheme: str
    ) -> None:
        response = client_of(ann, scheme).get("/api/v2/plugins/good/things/")

        assert response.json() == {"user": "ann"}

    def test_view_that_needs_a_login_refuses_without(self, anonymous: Any) -> None:
        response = anonymous.get("/api/v2/plugins/good/things/")

        assert response.status_code == 401
        assert response.headers["WWW-Authenticate"] == "Token"
        assert response.json()["code"] == "not_authenticated"

    def test_pages_are_served(self, anonymous: Any) -> None:
        assert anonymous.get("/plugins/good/index/").content == b"pages"

    def test_session_needs_a_csrf_token_for_a_plugins_view_too(self, ann: Any) -> None:
        from rest_framework.test import APIClient

        client = APIClient(enforce_csrf_checks=True)
        client.force_login(ann)

        assert client.get("/api/v2/plugins/good/things/").json() == {"user": "ann"}
        refused = client.post("/api/v2/plugins/good/things/", {})
        assert refused.status_code == 403
        assert "CSRF" in refused.json()["detail"]

    def test_reverse_finds_them(self) -> None:
        from django.urls import reverse

        assert reverse("good:things") == "/api/v2/plugins/good/things/"
        assert reverse("good:index") == "/plugins/good/index/"
        assert reverse("good_pages:index") == "/plugins/good/index/"

    def test_host_keeps_its_paths(self, api: Any) -> None:
        assert api.get("/api/v2/plugins/good/").json()["status"] == "active"
        assert api.get("/api/v2/plugins/").json()["count"] == 1


@pytest.mark.usefixtures("good")
class TestFence:
    @pytest.mark.parametrize("path", ["failing/", "plain-failing/"])
    def test_view_that_raises_answers_500_with_the_plugin(self, anonymous: Any, path: str) -> None:
        response = anonymous.get(f"/api/v2/plugins/good/{path}", headers={"X-Request-ID": "r-1"})

        assert response.status_code == 500
        assert response.json() == {
            "detail": "An endpoint of plugin 'good' failed. "
            "The cause is in the server's log under request id 'r-1'.",
            "code": "plugin_endpoint_failed",
            "request_id": "r-1",
            "plugin": "good",
        }

    @pytest.mark.parametrize("path", ["failing/", "plain-failing/"])
    def test_failure_is_one_record_and_one_event(self, anonymous: Any, sentry: Collected, path: str) -> None:
        with capture_logs(processors=[_with_context]) as records:
            anonymous.get(f"/api/v2/plugins/good/{path}", headers={"X-Request-ID": "r-1"})

        [failed] = [record for record in records if record["log_level"] == "error"]
        assert (failed["event"], failed["plugin"], failed["request_id"]) == ("endpoint_failed", "good", "r-1")
        [event] = sentry.events
        assert event["exception"]["values"][0]["value"] == "secret inside"
        assert event["tags"] == {"plugin": "good", "surface": "endpoint", "request_id": "r-1"}

    def test_plugin_is_bound_to_the_log_of_its_requests_alone(self, anonymous: Any) -> None:
        with capture_logs(processors=[_with_context]) as records:
            anonymous.get("/plugins/good/index/")
            anonymous.get("/healthz")

        finished = [record for record in records if record["event"] == "request_finished"]
        assert [record["plugin"] for record in finished] == ["good", None]

    def test_refusal_of_another_plugin_is_told_as_that_plugins(self, api: Any, good: None) -> None:
        response = api.post("/api/v2/plugins/good/writing/")

        assert response.status_code == 400
        assert response.json()["plugin"] == "keeper"


class TestModuleThatFails:
    def test_it_loses_its_urls_is_reported_and_the_rest_serves(
        self, api: Any, serve: Callable[..., None]
    ) -> None:
        serve(Broken(), Good())

        assert api.get("/api/v2/plugins/broken/things/").status_code == 404
        assert api.get("/api/v2/plugins/good/things/").status_code == 200
        [fault] = api.get("/api/v2/plugins/broken/").json()["faults"]
        assert fault["code"] == "urls_failed"
        assert "RuntimeError: the licence server is away" in fault["text"]
        assert registry().get("broken").is_active


class TestPlugins:
    def test_list_shows_hooks_in_order_tasks_and_digest(
        self, api: Any, register: Callable[[Any], Any]
    ) -> None:
        register(Good())

        body = api.get("/api/v2/plugins/").json()

        assert body["digest"] == registry().digest()
        [plugin] = body["results"]
        assert (plugin["id"], plugin["status"], plugin["queue"]) == ("good", "active", "plugin.good")
        assert plugin["urls"] == {"api_v2": "routes_good_api", "plain": "routes_good_pages"}
        assert (plugin["hooks"], plugin["tasks"], plugin["faults"]) == ([], [], [])

    def test_skipped_plugin_is_shown_with_the_reason(self, api: Any) -> None:
        from pagoda.plugins.records import PluginRecord, PluginRefused, ReasonCode

        record = registry().add(PluginRecord(id="absent"))
        try:
            registry().skip(record, PluginRefused(ReasonCode.NOT_FOUND, "Nothing provides 'absent'."))
            body = api.get("/api/v2/plugins/absent/").json()
            refused = api.get("/api/v2/plugins/absent/scan/")
        finally:
            registry().unregister("absent")

        assert (body["status"], body["reason_code"]) == ("skipped", "not_found")
        assert body["reason"] == "Nothing provides 'absent'."
        assert (
            refused.json()["detail"] == "Plugin 'absent' is skipped. GET /api/v2/plugins/absent/ tells why."
        )

    def test_they_are_for_users(self, anonymous: Any) -> None:
        assert anonymous.get("/api/v2/plugins/").status_code == 401


def _with_context(_logger: object, _name: str, event: Any) -> Any:
    import structlog

    return structlog.contextvars.merge_contextvars(None, "", event)
