"""The health check of the API's container."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from pagoda_api import probe


class Answers(BaseHTTPRequestHandler):
    status = 200
    hosts: list[str | None] = []

    def do_GET(self) -> None:
        self.hosts.append(self.headers["Host"])
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Answers]]:
    handler = type("Handler", (Answers,), {"hosts": []})
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("API_BIND", f"0.0.0.0:{server.server_port}")
    yield handler
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize(
    ("allowed", "host"),
    [
        ("", "localhost"),
        ("*", "localhost"),
        ("pagoda.example.org,other", "pagoda.example.org"),
        (".example.org", "example.org"),
    ],
)
def test_asks_by_a_name_that_the_api_answers_to(
    answers: type[Answers], monkeypatch: pytest.MonkeyPatch, allowed: str, host: str
) -> None:
    monkeypatch.setenv("PAGODA_ALLOWED_HOSTS", allowed)
    assert probe.main() == 0
    assert answers.hosts == [host]


def test_another_answer_than_200_is_a_failure(
    answers: type[Answers], capsys: pytest.CaptureFixture[str]
) -> None:
    answers.status = 503
    assert probe.main("/readyz") == 1
    assert capsys.readouterr().err.endswith("/readyz: answered 503\n")


def test_no_answer_is_a_failure(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("API_BIND", "127.0.0.1:1")
    assert probe.main() == 1
    assert capsys.readouterr().err.startswith("http://127.0.0.1:1/healthz: ")


@pytest.mark.parametrize(
    ("bind", "address"),
    [
        ("0.0.0.0:8000", ("127.0.0.1", 8000)),
        ("[::]:80", ("127.0.0.1", 80)),
        ("10.0.0.7:81", ("10.0.0.7", 81)),
    ],
)
def test_an_address_that_means_all_is_asked_on_loopback(bind: str, address: tuple[str, int]) -> None:
    assert probe.address({"API_BIND": bind}) == address
