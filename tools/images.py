"""Build the images `pagoda-api` and `pagoda-worker`, labelled with version, revision and registry digest."""

from __future__ import annotations

import argparse
import configparser
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCKERFILE = "docker/Dockerfile"
WHEELS = Path("docker/wheels")  # what is built from sees the repository alone
SERVICES = ("api", "worker")
RANGES = {"hello-world": [200, 299], "inventory": [300, 399]}
MEGABYTE = 1_000_000
LARGEST_MB = 260
"""A larger image is a fault: it is pulled on every node, in every release."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What goes into the images, and what they run unless their environment says otherwise."""

    plugins: tuple[str, ...]  # distributions of docker/plugins.lock, folders of this repository, wheels
    enabled: tuple[str, ...]  # entry points or ids
    ranges: Mapping[str, object]  # {plugin: [first id, last id]}

    def arguments(self) -> dict[str, str]:
        """Return the Dockerfile's build arguments."""
        return {
            "PLUGINS": " ".join(self.plugins),
            "ENABLED_PLUGINS": ",".join(self.enabled),
            "PLUGIN_OPERATION_ID_CONFIG": json.dumps(self.ranges),
        }


def build(selection: Selection, *, tag: str) -> dict[str, str]:
    """Build both images; return ``{image: registry digest}``.

    The digest is what the image itself computes, so it takes two steps: the shared stage first, then the
    last stages with the digest in their labels; every other layer comes from the first step.
    """
    arguments = selection.arguments()
    runtime = docker_build("runtime", f"pagoda-runtime:{tag}", arguments)
    digest = docker("run", "--rm", "--network", "none", runtime, "pagoda", "plugins", "digest").strip()
    labels = {"VERSION": version(), "REVISION": revision(), "REGISTRY_DIGEST": digest}
    images = [docker_build(name, f"pagoda-{name}:{tag}", arguments | labels) for name in SERVICES]
    return dict.fromkeys(images, digest)


def docker_build(target: str, image: str, arguments: Mapping[str, str]) -> str:
    """Build one target; return the image's name. The builder's output is shown only when it fails."""
    options = [option for name, value in arguments.items() for option in ("--build-arg", f"{name}={value}")]
    docker("build", "--file", DOCKERFILE, "--target", target, "--tag", image, *options, ".")
    return image


def docker(*arguments: str) -> str:
    """Run the docker command line; return what it prints, or end with its output when it fails."""
    done = subprocess.run(
        ("docker", *arguments), cwd=ROOT, env=_environment(), capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(
            f"{done.stdout[-8000:]}{done.stderr[-8000:]}images: `docker {arguments[0]}` failed, see above"
        )
    return done.stdout


def _environment() -> dict[str, str]:
    """Return the environment, with the classic builder chosen where the client has no other."""
    has_buildx = (
        subprocess.run(("docker", "buildx", "version"), capture_output=True, check=False).returncode == 0
    )
    return {**os.environ, **({} if has_buildx else {"DOCKER_BUILDKIT": "0"})}


def version() -> str:
    """Return the version of the host's distribution."""
    table = tomllib.loads((ROOT / "core" / "pyproject.toml").read_text(encoding="utf-8"))
    return str(table["project"]["version"])


def revision() -> str:
    """Return the commit that is checked out, with a mark when the files differ from it."""
    found = subprocess.run(
        ("git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"),
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return found.stdout.strip() or "unknown"


def to_a_cluster(built: Sequence[str]) -> str:
    """Return what to do for the nodes of a cluster to find the images."""
    tag = built[0].rpartition(":")[2]
    other = "" if tag == version() else f" --set image.tag={tag}"
    pushed = [f"  docker tag {name} $REGISTRY/{name} && docker push $REGISTRY/{name}" for name in built]
    return "\n".join(
        (
            "For a cluster, push them to a registry of its nodes (REGISTRY=registry.example.org/cmdb),",
            *pushed,
            f"  helm install pagoda deploy/helm/pagoda --set image.registry=$REGISTRY{other}",
            f"or load them: kind load docker-image {' '.join(built)}, minikube image load.",
        )
    )


def size_mb(image: str) -> float:
    """Return an image's size in megabytes (10^6 bytes), base image included."""
    return int(docker("image", "inspect", "--format", "{{.Size}}", image)) / MEGABYTE


def staged(plugins: Sequence[str]) -> tuple[str, ...]:
    """Copy the wheels among `plugins` to where an image is built from; each is named with its hash then."""
    shutil.rmtree(ROOT / WHEELS, ignore_errors=True)
    return tuple(_staged(Path(item)) if item.endswith(".whl") else item for item in plugins)


def _staged(wheel: Path) -> str:
    if not zipfile.is_zipfile(wheel):
        sys.exit(f"images: {wheel} is no wheel, or is not there: name a file that `pip wheel` made")
    (ROOT / WHEELS).mkdir(parents=True, exist_ok=True)
    shutil.copy(wheel, ROOT / WHEELS)
    return f"{WHEELS / wheel.name}#sha256={hashlib.sha256(wheel.read_bytes()).hexdigest()}"


def entry_points(plugins: Sequence[str]) -> tuple[str, ...]:
    """Return the names under which the plugins in these folders and wheels are enabled."""
    names: list[str] = []
    for item in plugins:
        if item.endswith(".whl"):
            names += _of_wheel(Path(item))
        elif "/" in item:
            table = tomllib.loads((ROOT / item / "pyproject.toml").read_text(encoding="utf-8"))
            names += table["project"].get("entry-points", {}).get("pagoda.plugins", {})
    return tuple(names)


def _of_wheel(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        files = [name for name in archive.namelist() if name.endswith(".dist-info/entry_points.txt")]
        table = configparser.ConfigParser(delimiters="=")
        table.optionxform = str  # type: ignore[assignment,method-assign]  # names keep their case
        for file in files:
            table.read_string(archive.read(file).decode())
    return list(table["pagoda.plugins"]) if table.has_section("pagoda.plugins") else []


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="images", description=__doc__)
    parser.add_argument("--tag", help="by default the version, which the chart asks for, and latest")
    parser.add_argument("--plugins", nargs="+", default=["plugins/hello-world", "plugins/inventory"],
                        help="distributions of docker/plugins.lock, folders here, wheels")  # fmt: skip
    parser.add_argument(
        "--enabled", nargs="+", help="by default every plugin of the named folders and wheels"
    )
    parser.add_argument("--ranges", type=json.loads, help="operation ids, {plugin: [first, last]} as JSON")
    return parser


def main() -> None:
    """Run the command line; exit 1 when an image is too large."""
    arguments = _parser().parse_args()
    plugins = staged(arguments.plugins)
    enabled = arguments.enabled or entry_points(arguments.plugins)
    ranges = arguments.ranges  # one for a plugin that is not there would stop the start
    if ranges is None:
        ranges = {name: ids for name, ids in RANGES.items() if name in enabled}
    selection = Selection(plugins=plugins, enabled=tuple(enabled), ranges=ranges)
    too_large = False
    built = build(selection, tag=arguments.tag or version())
    for image, digest in built.items():
        size = size_mb(image)
        too_large |= size > LARGEST_MB
        print(f"{image:<28} {size:5.0f} MB (at most {LARGEST_MB})  registry digest {digest}")
        if arguments.tag is None:
            docker("tag", image, f"{image.rpartition(':')[0]}:latest")
    print(to_a_cluster([*built]))
    if too_large:
        sys.exit(f"images: larger than {LARGEST_MB} MB; look with `docker history`")


if __name__ == "__main__":
    main()
