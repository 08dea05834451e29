"""The real server and real sockets: clients that are slow, broken or greedy hold nobody up."""

from __future__ import annotations

import getpass
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import pytest

from pagoda_api import connections
from tools.migrated_host import put_tables

LIMIT = 20_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Start a server with one worker, so that whoever blocks it blocks all."""
    folder = tmp_path_factory.mktemp("server")
    (folder / "tmp").mkdir()
    environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"} | {
        "PAGODA_DATA_DIR": str(folder),
        "PAGODA_LOG_LEVEL": "INFO",
        "API_MAX_BODY_BYTES": str(LIMIT),
        "PAGODA_LOGIN_FAILURES": "0",  # the tests log in in vain, again and again
        "PAGODA_LOGIN_FAILURES_NETWORK": "0",
        "TMPDIR": str(folder / "tmp"),
    }
    put_tables(folder)
    command = [sys.executable, "-m", "pagoda_api.cli", "serve", "--bind", "127.0.0.1:0", "--workers", "1"]
    log = folder / "log"
    with log.open("w") as out, subprocess.Popen(command, env=environment, stderr=out) as process:
        try:
            yield _wait(log), folder
        finally:
            process.terminate()
            assert process.wait(30) == 0


def _wait(log: Path) -> tuple[str, int]:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = re.search(r"Listening at: http://(127\.0\.0\.1):(\d+)", log.read_text())
        if found:
            return found[1], int(found[2])
        time.sleep(0.1)
    pytest.fail(log.read_text())


def ask(address: tuple[str, int], sent: bytes, *more: bytes) -> tuple[int, Any]:
    """Send a request in pieces; return the status and the body of the last answer."""
    with socket.create_connection(address, timeout=20) as client:
        for piece in (sent, *more):
            client.sendall(piece)
        answer = HTTPResponse(client)
        answer.begin()
        body = answer.read()
    return answer.status, json.loads(body) if body.startswith(b"{") else body


def head(line: str, *headers: str) -> bytes:
    return "\r\n".join([f"{line} HTTP/1.1", "Host: localhost", *headers, "", ""]).encode()


def login(path: str = "/api/v2/auth/token/", *headers: str) -> bytes:
    return head(f"POST {path}", "Content-Type: application/json", *headers)


BODY = json.dumps({"username": "nobody", "password": "x"}).encode()


@pytest.mark.parametrize(
    "unfinished",
    [b"", b"GET /healthz HTTP/1.1\r\nHost: local", login("/x/", "Content-Length: 100") + b"{"],
    ids=["nothing", "head", "body"],
)
def test_unfinished_requests_block_nobody(server: Any, unfinished: bytes) -> None:
    address, _ = server
    with ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(socket.create_connection(address)).sendall(unfinished)
        # Without the deadline of any of them: those lie far above this time-out.
        with socket.create_connection(address, timeout=8) as client:
            client.sendall(head("GET /healthz"))
            assert client.recv(100).startswith(b"HTTP/1.1 200 ")


def test_more_than_it_keeps_displace_each_other(server: Any) -> None:
    address, _ = server
    with ExitStack() as stack:
        for _ in range(400):
            stack.enter_context(socket.create_connection(address)).sendall(b"GET / HT")
        assert ask(address, head("GET /healthz"))[0] == 200


@pytest.mark.parametrize("pieces", [1, 3])
def test_a_body_in_chunks_is_read(server: Any, pieces: int) -> None:
    address, _ = server
    size = len(BODY) // pieces + 1
    chunks = [BODY[at : at + size] for at in range(0, len(BODY), size)]
    coded = b"".join(b"%x;a=b\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n"
    sent = login("/api/v2/auth/token/", "Transfer-Encoding: chunked") + coded
    assert ask(address, sent, b"\r\n") == ask(
        address, login("/api/v2/auth/token/", f"Content-Length: {len(BODY)}") + BODY
    )
    assert ask(address, sent, b"X-Sum: x\r\n\r\n")[0] == 401


@pytest.mark.parametrize("prefix", [b"", b"3;x\r\n{} \r\n"], ids=["first", "later"])
@pytest.mark.parametrize(
    "malformed",
    [
        b"zz\r\n",
        b"zz",  # and the line does not end
        b"-1\r\n",
        b"+1\r\n",
        b"0x2\r\n",
        b"1_0\r\n",
        b"\r\n",
        b";x=y\r\n",
        b" 2\r\n",
        b"2 \r\n",
        b"2 2\r\n",
        b"2\n",
        b"f" * 40 + b"\r\n",
        b"2;" + b"x" * 2_000,
        b"2" + b" " * 2_000,
        b"2\r\n{}}",
        b"2\r\n{}0\r\n\r\n",
        b"2\r\n{}XX0\r\n\r\n",
        b"2\r\n{}\n",
        b"1\r\n{}\r\n0\r\n\r\n",
        b"0\r\nno trailer\r\n\r\n",
    ],
    ids=lambda sent: repr(sent[:12]),
)
def test_a_malformed_chunk_is_refused_at_once(server: Any, prefix: bytes, malformed: bytes) -> None:
    """The client waits with its connection open, for less long than a body may take to come."""
    address, _ = server
    sent = login("/api/v2/auth/token/", "Transfer-Encoding: chunked")
    status, body = ask(address, sent, prefix + malformed)
    assert (status, body["code"]) == (400, "bad_request")
    assert {"detail", "request_id"} <= body.keys()
    assert ask(address, head("GET /healthz"))[0] == 200  # and the worker goes on


@pytest.mark.parametrize(
    "coded",
    [
        b"%x;a=b;c\r\n%b\r\n0;d\r\n\r\n",
        b'%x ; a="b c"\r\n%b\r\n0\r\n\r\n',
        b"000000000000%X\r\n%b\r\n000000000000\r\n\r\n",
        b"%x\r\n%b\r\n0\r\nX-Sum: 1\r\nX-More: 2\r\n\r\n",
    ],
    ids=["extensions", "spaces before an extension", "leading zeros", "trailers"],
)
def test_chunks_that_say_more_are_read_however_they_come(server: Any, coded: bytes) -> None:
    address, _ = server
    sent = login("/api/v2/auth/token/", "Transfer-Encoding: chunked") + coded % (len(BODY), BODY)
    assert ask(address, sent)[1]["code"] == "invalid_credentials"
    ours, theirs = socket.socketpair()
    with ours, theirs:
        connection = connections.Connection(ours, ("127.0.0.1", 1), LIMIT)
        for byte in sent:
            assert not connection.is_complete
            theirs.sendall(bytes([byte]))
            connection.receive()
        assert connection.is_complete


@pytest.mark.parametrize("path", ["/api/v2/auth/token/", "/admin/login/", "/nothing/", "/healthz"])
@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data; boundary=x"])
def test_a_body_beyond_the_limit_is_refused_unread(server: Any, path: str, kind: str) -> None:
    address, folder = server
    announced = head(f"POST {path}", f"Content-Type: {kind}", "Content-Length: 300000000")
    assert ask(address, announced)[0] == 413
    assert ask(address, announced + b"x" * LIMIT)[0] == 413
    chunked = head(f"POST {path}", f"Content-Type: {kind}", "Transfer-Encoding: chunked")
    assert ask(address, chunked + b"%x\r\n" % (LIMIT + 1), b"x" * (2 * LIMIT + 1))[0] == 413
    assert list((folder / "tmp").glob("*.upload*")) == []


def test_a_client_that_waits_for_100_gets_it_once(server: Any) -> None:
    address, _ = server
    with socket.create_connection(address, timeout=20) as client:
        client.sendall(login("/api/v2/auth/token/", f"Content-Length: {len(BODY)}", "Expect: 100-continue"))
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(BODY)
        answer = b"".join(iter(lambda: client.recv(65_536), b""))
    assert answer.startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"RUBBISH\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\n\r\n", 400),
        (head("GET /" + "a" * 9000), 414),
        (head("GET /", "X: " + "a" * 9000), 431),
        (head("GET /", "X: " + "a" * 70_000), 431),
        (head("GET /", *[f"X{number}: a" for number in range(200)]), 431),
        (head("POST /api/v2/auth/token/", "Transfer-Encoding: unheard, chunked") + b"0\r\n\r\n", 501),
        (head("POST /api/v2/auth/token/", "Transfer-Encoding: chunked") + b"zz\r\n" + b"\r\n" * 40_000, 400),
        (head("POST /", "Content-Length: 1", "Transfer-Encoding: chunked") + b"0\r\n\r\n", 400),
    ],
)
def test_what_is_no_request_is_answered_as_json(server: Any, sent: bytes, status: int) -> None:
    address, _ = server
    answered, body = ask(address, sent)
    assert answered == status
    assert {"detail", "code", "request_id"} <= body.keys()


def test_a_late_request_is_told_so(server: Any) -> None:
    address, _ = server
    status, body = ask(address, b"GET /healthz HTTP/1.1\r\n")
    assert (status, body["code"]) == (408, "request_timeout")


def test_a_client_that_reads_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "SEND_SECONDS", 0.05)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        connection = connections.Connection(ours, ("127.0.0.1", 1), LIMIT)
        with pytest.raises(BrokenPipeError, match="reads too slowly"):
            connection.sendall(b"x" * 50_000_000)


@pytest.fixture
def front(server: Any, tmp_path: Path) -> Iterator[tuple[str, int]]:
    """Start the nginx of the compose file in front of the server; return its address."""
    (host, port), _ = server
    with socket.create_server((host, 0)) as free:
        listens = free.getsockname()[1]
    conf = (Path(__file__).parents[3] / "docker" / "nginx.conf").read_text(encoding="utf-8")
    for old, new in (
        ("listen 8080;", f"listen {host}:{listens};"),
        ("http://$api:8000", f"http://{host}:{port}"),
        ("/tmp/", f"{tmp_path}/"),
        ("/dev/stdout", f"{tmp_path}/access"),
        ("/dev/stderr", f"{tmp_path}/errors"),
    ):
        assert old in conf
        conf = conf.replace(old, new)
    conf = re.sub(r"  server \{\s+listen 5555;.*?\n  \}\n", "", conf, flags=re.DOTALL)
    (tmp_path / "nginx.conf").write_text(conf)
    options = f"daemon off; user {getpass.getuser()};"  # whose folder it is
    command = ["nginx", "-e", f"{tmp_path}/errors", "-c", f"{tmp_path}/nginx.conf", "-g", options]
    with subprocess.Popen(command) as nginx:
        try:
            for _ in range(100):
                with suppress(OSError), socket.create_connection((host, listens)):
                    break
                time.sleep(0.1)
            yield host, listens
        finally:
            nginx.terminate()


@pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed")
class TestFront:
    """What docker/nginx.conf says, with a real nginx."""

    def test_it_passes_on_whole_requests(self, front: tuple[str, int]) -> None:
        coded = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)
        sent = login("/api/v2/auth/token/", "Transfer-Encoding: chunked", "Connection: close")
        assert ask(front, sent + coded)[1]["code"] == "invalid_credentials"

    def test_unfinished_requests_block_nobody(self, front: tuple[str, int]) -> None:
        with ExitStack() as stack:
            for _ in range(20):
                stack.enter_context(socket.create_connection(front)).sendall(b"GET / HT")
            assert ask(front, head("GET /healthz", "Connection: close"))[0] == 200

    @pytest.mark.parametrize(
        ("sent", "status"),
        [
            (head("POST /api/", "Content-Length: 300000000"), 413),
            (head("POST /api/", f"Content-Length: {LIMIT + 1}") + b"x" * (LIMIT + 1), 413),
            (head("GET /", "X: " + "a" * 40_000), 400),
            (b"RUBBISH\r\n\r\n", 400),
        ],
    )
    def test_what_it_refuses_is_json(self, front: tuple[str, int], sent: bytes, status: int) -> None:
        answered, body = ask(front, sent)
        assert answered == status
        assert {"detail", "code"} <= body.keys()
