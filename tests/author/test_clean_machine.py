"""From nothing to a published plugin that a host installs, with wheels and indexes alone."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from email.parser import Parser
from pathlib import Path

import httpx
import pytest

from tools.stack import free_port

ROOT = Path(__file__).parents[2]
FOLDERS = ("sdk", "core", "services/api", "services/worker")

pytestmark = pytest.mark.isolated


class Machine:
    """A virtual environment that knows this repository by its wheels alone, and a folder to work in."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.work, self.index = folder, folder / "work", folder / "index"
        self.work.mkdir()
        self.uv(folder, "venv", "--python", sys.executable, str(folder / "venv"))

    def uv(self, folder: Path, *arguments: str, is_checked: bool = True) -> subprocess.CompletedProcess[str]:
        environ = {**os.environ, "UV_PYTHON_DOWNLOADS": "never", "VIRTUAL_ENV": str(self.folder / "venv")}
        command = [str(ROOT / ".uv" / "bin" / "uv"), *arguments]
        ended = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)
        assert ended.returncode == 0 or not is_checked, ended.stderr
        return ended

    def install(self, *what: str) -> None:
        """Install with the pins of the lock, from uv's cache when it has them all."""
        lock = str(ROOT / "requirements" / "dev.txt")
        arguments = ("pip", "install", "--find-links", str(self.index), "--constraint", lock, *what)
        if self.uv(self.folder, *arguments, "--offline", is_checked=False).returncode:
            self.uv(self.folder, *arguments)

    def run(self, script: str, *arguments: str, cwd: Path, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a script of the environment with nothing of ours in its variables."""
        ours = ("DJANGO", "PYTHON", "PYTEST", "PAGODA", "PLUGIN", "ENABLED", "VIRTUAL")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        venv = self.folder / "venv" / "bin"
        return subprocess.run(
            [str(venv / script), *arguments],
            cwd=cwd,
            env={**kept, "PATH": f"{venv}{os.pathsep}{kept['PATH']}", "HOME": str(self.folder), **more},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    index = tmp_path_factory.mktemp("wheels")
    for folder in FOLDERS:
        command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(index)]
        ended = subprocess.run(command, cwd=ROOT / folder, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr
    return index


def test_the_sdk_s_wheel_tells_an_index_what_it_is(wheels: Path) -> None:
    (wheel,) = wheels.glob("pagoda_plugin_sdk-*.whl")
    command = [sys.executable, "-m", "twine", "--no-color", "check", "--strict", str(wheel)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        told = Parser().parsestr(archive.read(name).decode())
        assert f"{Path(name).parent}/licenses/LICENSE" in archive.namelist()
    assert (told["License-Expression"], told["Description-Content-Type"]) == ("Apache-2.0", "text/markdown")
    assert told["Summary"]
    assert "example." not in str(told.get_all("Project-URL")), "an address that leads nowhere"
    assert "](.." not in told.get_payload(), "an index has none of the files beside it"


def machine(wheels: Path, folder: Path, *what: str) -> Machine:
    made = Machine(folder)
    made.index.symlink_to(wheels)
    made.install(*what)
    return made


@pytest.fixture(scope="module")
def author(wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Machine:
    return machine(wheels, tmp_path_factory.mktemp("machine"), "pagoda-plugin-sdk[dev]")


@pytest.fixture(scope="module")
def project(author: Machine) -> Path:
    """What `new`, `test` and `build` make."""
    for arguments in (("new", "demo"), ("test",), ("build",)):
        cwd = author.work if arguments == ("new", "demo") else author.work / "demo"
        ended = author.run("pagoda-plugin", *arguments, cwd=cwd)
        assert ended.returncode == 0, ended.stdout
    return author.work / "demo"


def test_a_clean_machine_makes_tests_and_builds_a_plugin(project: Path) -> None:
    assert sorted(path.suffix for path in (project / "dist").iterdir()) == [".gz", ".whl"]


@pytest.fixture
def index(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """An index of packages on loopback, and its folder."""
    folder, port = tmp_path / "published", free_port()
    folder.mkdir()
    command = [sys.executable, "-m", "pypiserver", "run", "-i", "127.0.0.1", "-p", str(port)]
    options = ["--disable-fallback", "-a", ".", "-P", "."]
    with subprocess.Popen([*command, *options, str(folder)], stderr=subprocess.DEVNULL) as server:
        deadline = time.monotonic() + 60
        while True:
            try:
                httpx.get(f"http://127.0.0.1:{port}/simple/").raise_for_status()
                break
            except httpx.HTTPError:
                assert time.monotonic() < deadline
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/", folder
        server.terminate()


LOGIN = {"TWINE_USERNAME": "ada", "TWINE_PASSWORD": "secret"}


def test_publish_uploads_and_a_host_installs(
    author: Machine, project: Path, index: tuple[str, Path], wheels: Path, tmp_path: Path
) -> None:
    url, published = index
    tried = author.run("pagoda-plugin", "publish", "--index", url, "--dry-run", cwd=project)
    assert (tried.returncode, list(published.iterdir())) == (0, [])
    done = author.run("pagoda-plugin", "publish", "--index", url, cwd=project, **LOGIN)
    assert done.returncode == 0, done.stdout
    assert {path.name for path in published.iterdir()} >= {path.name for path in (project / "dist").iterdir()}
    again = author.run("pagoda-plugin", "publish", "--index", url, cwd=project, **LOGIN)
    assert again.returncode == 1
    assert "raise `version` where this one is there" in again.stdout

    (tmp_path / "host").mkdir()
    host = machine(wheels, tmp_path / "host", "pagoda-core", "pagoda-api", "pydantic", "djangorestframework")
    host.uv(
        host.folder, "pip", "install", "--no-deps", "--default-index", f"{url}simple/", "pagoda-demo-plugin"
    )
    ids = '{"demo": [400, 409]}'
    settings = {"ENABLED_PLUGINS": "demo", "PLUGIN_OPERATION_ID_CONFIG": ids}
    checked = host.run("pagoda", "plugins", "check", cwd=host.work, **settings)
    assert checked.returncode == 0, checked.stdout
    assert "ok: 1 plugin(s) active" in checked.stdout


def test_the_sdk_alone_says_what_to_install(wheels: Path, tmp_path: Path) -> None:
    small = machine(wheels, tmp_path, "pagoda-plugin-sdk")
    ended = small.run("pagoda-plugin", "new", "demo", cwd=small.work)
    assert ended.returncode == 1
    assert "pip install 'pagoda-plugin-sdk[dev]'" in ended.stdout
    assert list(small.work.iterdir()) == []
    shown = small.run("pagoda-plugin", "--help", cwd=small.work)
    assert shown.returncode == 0, shown.stdout
    assert "publish" in shown.stdout
