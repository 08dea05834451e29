"""What `pagoda-plugin publish` says when an index does not take what is uploaded."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.author.conftest import Run
from tools.stack import free_port

LOGIN = {"TWINE_USERNAME": "ada", "TWINE_PASSWORD": "secret"}


class Index(BaseHTTPRequestHandler):
    """Answers each upload with the status that its path names."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(int(self.path.strip("/")))
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture(scope="module")
def index() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Index) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def built(plugin_command: Run, demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built") / "demo"
    shutil.copytree(demo, folder)
    ended = plugin_command("build", cwd=folder)
    assert ended.returncode == 0, ended.stdout
    return folder


@pytest.mark.parametrize(
    ("status", "login", "told"),
    [
        ("401", LOGIN, "Say who uploads"),
        ("403", LOGIN, "Say who uploads"),
        ("200", {}, "Say who uploads"),
        ("400", LOGIN, "raise `version`"),
        ("409", LOGIN, "raise `version`"),
    ],
    ids=["nobody known", "wrong password", "no login", "version is there", "version is there, as 409"],
)
def test_why_nothing_was_uploaded_is_told(
    plugin_command: Run,
    built: Path,
    index: str,
    tmp_path: Path,
    status: str,
    login: dict[str, str],
    told: str,
) -> None:
    home = {"HOME": str(tmp_path), "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}
    ended = plugin_command("publish", "--index", f"{index}/{status}/", cwd=built, **home, **login)
    assert ended.returncode == 1
    assert told in ended.stdout
    assert sum(hint in ended.stdout for hint in ("Say who", "raise `version`", "Nothing answers")) == 1
    assert "published" not in ended.stdout
    assert "secret" not in ended.stdout


def test_an_index_that_is_not_there_is_told_without_a_traceback(plugin_command: Run, built: Path) -> None:
    address = f"http://127.0.0.1:{free_port()}/"
    ended = plugin_command("publish", "--index", address, cwd=built, **LOGIN)
    assert ended.returncode == 1
    assert "twine failed. Nothing answers there" in ended.stdout
    assert "Traceback" not in ended.stdout


def test_an_index_that_takes_it_has_both_files(plugin_command: Run, built: Path, index: str) -> None:
    ended = plugin_command("publish", "--index", f"{index}/200/", cwd=built, **LOGIN)
    assert ended.returncode == 0, ended.stdout
    assert ended.stdout.rstrip().endswith("published pagoda-demo-plugin 0.1.0")
