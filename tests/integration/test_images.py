"""The images themselves: what both hold, what neither needs, and what their labels say."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from typing import Any

import docker
import pytest
from docker.models.images import Image

from tests.integration.stage.engine import API_IMAGE, WORKER_IMAGE
from tests.integration.stage.promises import Promises

pytestmark = pytest.mark.smoke

LARGEST_MB = 260
IMAGES = [API_IMAGE, WORKER_IMAGE]
LIST_INSTALLED = """
import importlib.metadata as m, json
print(json.dumps(sorted((d.name.lower().replace("_", "-"), d.version) for d in m.distributions())))
"""
COMPILERS = """
import shutil
print([name for name in ("cc", "gcc", "g++", "clang", "make", "ld") if shutil.which(name)])
"""


@pytest.fixture(scope="module")
def client(docker_engine: None) -> Iterator[docker.DockerClient]:
    client = docker.from_env()
    yield client
    client.close()


@pytest.fixture(params=IMAGES, ids=["api", "worker"])
def image(request: pytest.FixtureRequest, client: docker.DockerClient) -> Image:
    return client.images.get(request.param)


def printed(client: docker.DockerClient, image: Image, *command: str) -> str:
    """Run a command as confined as the image is meant to run; return what it prints."""
    tmpfs = {"/tmp": "", "/var/lib/pagoda": "uid=10001,gid=10001"}
    output: bytes = client.containers.run(
        image, list(command), remove=True, read_only=True, tmpfs=tmpfs, cap_drop=["ALL"],
        security_opt=["no-new-privileges"], network_disabled=True,
    )  # fmt: skip
    return output.decode()


def content(client: docker.DockerClient, image: Image, path: str) -> str:
    """Return a file of the image; long ones come whole, as logs of a container that has ended may not."""
    container = client.containers.create(image)
    try:
        chunks, _ = container.get_archive(path)
        with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
            member = archive.extractfile(archive.getmembers()[0])
            assert member is not None, f"{path} is no file"
            return member.read().decode()
    finally:
        container.remove()


def test_both_share_every_layer(client: docker.DockerClient, promise: Promises) -> None:
    api, worker = (client.images.get(name).attrs["RootFS"]["Layers"] for name in IMAGES)

    assert api == worker
    promise("images: layers that both share", f"{len(api)} of {len(api)}")


def test_it_is_small(image: Image, promise: Promises) -> None:
    size = image.attrs["Size"] / 1_000_000

    assert size < LARGEST_MB
    promise(
        f"images: {image.labels['org.opencontainers.image.title']}", f"{size:.0f} MB (below {LARGEST_MB})"
    )


def test_it_runs_without_root_shell_or_tools(image: Image) -> None:
    settings: dict[str, Any] = image.attrs["Config"]

    assert settings["User"] == "10001:10001"
    assert settings["Entrypoint"] == ["dumb-init", "--single-child", "--"]
    assert settings["Cmd"][0] in {"pagoda-api", "pagoda-worker"}  # no shell between init and program
    assert settings["Healthcheck"]["Test"][0] == "CMD"
    assert settings["StopSignal"] == "SIGTERM"


def test_it_holds_no_compiler(client: docker.DockerClient, image: Image) -> None:
    assert printed(client, image, "python", "-c", COMPILERS).strip() == "[]"


def test_its_label_is_the_digest_that_it_computes(client: docker.DockerClient, image: Image) -> None:
    digest = printed(client, image, "pagoda", "plugins", "digest").strip()

    assert image.labels["pagoda.registry-digest"] == digest
    assert len(digest) == 64
    assert image.labels["org.opencontainers.image.revision"] != "unknown"


def test_its_sbom_lists_what_is_installed(
    client: docker.DockerClient, image: Image, promise: Promises
) -> None:
    sbom = json.loads(content(client, image, "/opt/pagoda/sbom.cdx.json"))
    installed = json.loads(printed(client, image, "python", "-c", LIST_INSTALLED))
    listed = sorted([item["name"].lower().replace("_", "-"), item["version"]] for item in sbom["components"])

    assert sbom["bomFormat"] == "CycloneDX"
    assert listed == installed
    promise(f"images: SBOM, {image.labels['org.opencontainers.image.title']}", f"{len(listed)} distributions")


def test_ours_are_installed_from_wheels_with_hashes(client: docker.DockerClient, image: Image) -> None:
    lines = content(client, image, "/opt/pagoda/wheels.lock").splitlines()
    names = {line.split("/")[-1].split("-")[0] for line in lines}

    assert {"pagoda_plugin_sdk", "pagoda_core", "pagoda_api", "pagoda_worker", "pagoda_trial"} <= names
    assert all(" --hash=sha256:" in line for line in lines)
