"""Error tracking against an HTTP endpoint that records the envelopes it is really sent."""

import gzip
import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import sentry_sdk

from pagoda.config.loading import load_settings
from pagoda.config.sentry import configure_sentry
from pagoda.fencing.reporting import report_error
from pagoda.hooks.manager import HookManager, install


class Recorder(http.server.ThreadingHTTPServer):
    """Takes what a Sentry server takes and keeps the events."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.events: list[dict[str, Any]] = []

    @property
    def dsn(self) -> str:
        return f"http://key@127.0.0.1:{self.server_port}/1"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Recorder

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


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    with Recorder() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        sentry_sdk.get_client().close()
        sentry_sdk.init()  # off again
        sentry_sdk.get_global_scope().remove_tag("service")
        server.shutdown()
        thread.join()


def test_it_is_off_without_a_dsn() -> None:
    assert not configure_sentry(load_settings({}), service="api")


def test_an_event_carries_release_environment_service_and_tags(recorder: Recorder) -> None:
    settings = load_settings(
        {"SENTRY_DSN": recorder.dsn, "SENTRY_ENVIRONMENT": "stage", "SENTRY_RELEASE": "pagoda@9"}
    )
    assert configure_sentry(settings, service="worker")
    with sentry_sdk.new_scope() as scope:
        scope.set_tag("plugin", "inventory")
        sentry_sdk.capture_exception(ValueError("no such host"))
    sentry_sdk.flush()
    (event,) = recorder.events
    assert (event["release"], event["environment"]) == ("pagoda@9", "stage")
    assert event["tags"] == {"service": "worker", "plugin": "inventory"}
    assert event["exception"]["values"][0]["value"] == "no such host"


@pytest.mark.parametrize("raised", [SystemExit, KeyboardInterrupt, ValueError])
def test_an_error_without_a_text_is_an_event_like_others(
    recorder: Recorder, raised: type[BaseException]
) -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise raised

    configure_sentry(load_settings({"SENTRY_DSN": recorder.dsn}), service="api")
    report_error(Mute(), plugin="bad", surface="load", name="import_failed")
    sentry_sdk.flush()
    (event,) = recorder.events
    assert event["tags"]["plugin"] == "bad"
    assert "Mute" in json.dumps(event)


def test_an_event_that_a_handler_sends_names_its_plugin(recorder: Recorder) -> None:
    """Whosever job it runs in; what a fence reports names the one that failed."""

    def fail(*_args: Any) -> None:
        sentry_sdk.capture_message("of inner")
        raise RuntimeError("inner failed")

    def outer(*_args: Any) -> None:
        hooks.execute_hook("entity.after_create", None, None)
        sentry_sdk.capture_message("of outer")
        with sentry_sdk.new_scope() as scope:
            scope.set_tag("plugin", "named")
            sentry_sdk.capture_message("of whom it names")

    hooks = HookManager(timeout_seconds=5)
    hooks.register_hook("entry.after_create", outer, plugin_id="outer")
    hooks.register_hook("entity.after_create", fail, plugin_id="inner")
    replaced = install(hooks)
    configure_sentry(load_settings({"SENTRY_DSN": recorder.dsn}), service="worker")
    try:
        with sentry_sdk.isolation_scope() as scope:
            scope.set_tag("plugin", "whose job it is")
            hooks.execute_hook("entry.after_create", "customer", None, None)
            sentry_sdk.capture_message("of the job")
        sentry_sdk.capture_message("of the host")
    finally:
        install(replaced)
    sentry_sdk.flush()
    named = [
        (event.get("message") or event["exception"]["values"][0]["value"], event["tags"].get("plugin"))
        for event in recorder.events
    ]
    assert named == [
        ("of inner", "inner"),
        ("inner failed", "inner"),
        ("of outer", "outer"),
        ("of whom it names", "named"),
        ("of the job", "whose job it is"),
        ("of the host", None),
    ]


def test_secrets_do_not_leave_the_process(recorder: Recorder) -> None:
    configure_sentry(load_settings({"SENTRY_DSN": recorder.dsn}), service="api")
    with sentry_sdk.new_scope() as scope:
        scope.set_extra("request", {"token": "hunter2", "password": "hunter2", "name": "web-1"})
        scope.set_extra("DATABASE_URL", "postgres://u:hunter2@h/d")
        sentry_sdk.capture_message("look")
    sentry_sdk.flush()
    (event,) = recorder.events
    assert "hunter2" not in json.dumps(event)
    assert event["extra"]["request"]["name"] == "web-1"
