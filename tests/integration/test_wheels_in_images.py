"""A wheel that an author has built is taken into the images, with what its lock pins, and is served there."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from testcontainers.core.network import Network

from tests.integration.conftest import TEMPLATE
from tests.integration.stage.promises import Promises
from tests.integration.stage.servers import Postgres, Redis
from tests.integration.stage.stack import Stack
from tests.integration.test_images import content, printed

ROOT = Path(__file__).parents[2]
CONTEXT = (
    "core",
    "docker",
    "plugins",
    "requirements",
    "sdk",
    "services",
    "tests/integration/plugins",
    "tools",
)
TAG = f"wheels-{os.getpid()}"
IMAGES = (f"pagoda-api:{TAG}", f"pagoda-worker:{TAG}")
NEEDED = "iniconfig"
"""A small package that the host does not have, and the plugin needs."""

SETTINGS = {"ENABLED_PLUGINS": "demo", "PLUGIN_OPERATION_ID_CONFIG": '{"demo": [400, 409]}'}


def run(*command: str, cwd: Path) -> str:
    """Run a command; return what it prints."""
    ended = subprocess.run(
        command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout[-8000:]
    return ended.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of a new project, which needs one package more than the host has."""
    folder = tmp_path_factory.mktemp("author")
    command = (sys.executable, "-m", "pagoda_plugin_sdk.cli")
    run(*command, "new", "demo", cwd=folder)
    project = folder / "demo" / "pyproject.toml"
    before = project.read_text()
    project.write_text(before.replace("dependencies = [\n", f'dependencies = [\n  "{NEEDED}",\n', 1))
    assert project.read_text() != before
    run(*command, "build", cwd=project.parent)
    (made,) = (project.parent / "dist").glob("*.whl")
    return made


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the images are made from, as the lock is a file of it."""
    folder = tmp_path_factory.mktemp("repository")
    left_out = shutil.ignore_patterns("__pycache__", "*.egg-info", "node_modules", "wheels")
    for name in CONTEXT:
        shutil.copytree(ROOT / name, folder / name, ignore=left_out)
    shutil.copy(ROOT / ".dockerignore", folder)
    (folder / ".uv").symlink_to(ROOT / ".uv")
    return folder


@pytest.fixture(scope="module")
def images(docker_engine: None, repository: Path, wheel: Path) -> Iterator[tuple[str, str]]:
    """Images that hold this plugin alone, built as the guide tells."""
    locked = run(sys.executable, "tools/plugins_lock.py", str(wheel), cwd=repository)
    assert "docker/plugins.lock: 1 package(s) beyond the host's" in locked
    options = ("--tag", TAG, "--plugins", str(wheel), "--ranges", SETTINGS["PLUGIN_OPERATION_ID_CONFIG"])
    try:
        run(sys.executable, "tools/images.py", *options, cwd=repository)
        yield IMAGES
    finally:
        with contextlib.closing(docker.from_env()) as client:
            for name in (*IMAGES, f"pagoda-runtime:{TAG}"):
                if client.images.list(name):
                    client.images.remove(name, force=True)


def test_the_images_hold_the_wheel_and_what_it_needs(images: tuple[str, str], wheel: Path) -> None:
    show = f"import importlib.metadata as m; print(m.version('{NEEDED}'))"
    with contextlib.closing(docker.from_env()) as client:
        for image in map(client.images.get, images):
            assert f"/{wheel.name} --hash=sha256:" in content(client, image, "/opt/pagoda/wheels.lock")
            assert printed(client, image, "python", "-c", show).strip()
            (plugin,) = json.loads(printed(client, image, "pagoda", "plugins", "list", "--json"))
            assert (plugin["id"], plugin["version"], plugin["status"]) == ("demo", "0.1.0", "active")


def test_the_plugin_is_served_and_its_job_runs(
    images: tuple[str, str], network: Network, postgres: Postgres, redis: Redis, promise: Promises
) -> None:
    database = postgres.copy_of(TEMPLATE)
    with Stack(network, postgres, database, redis, SETTINGS, images=images) as stack:
        stack.run_to_end("pagoda", "migrate")
        stack.start_api()
        stack.start_fleet()
        stack.wait_ready()
        assert stack.client.get("plugins/demo/counts/") == []
        job = stack.client.finished(stack.client.post("plugins/demo/counts/")["job"])
    assert (job["status_name"], job["operation"]) == ("DONE", 400)
    promise("images: a plugin's wheel", "served, and its job done")
