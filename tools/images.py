"""Build the images `pagoda-api` and `pagoda-worker`, labelled with version, revision and registry digest."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCKERFILE = "docker/Dockerfile"
SERVICES = ("api", "worker")
MEGABYTE = 1_000_000
LARGEST_MB = 260
"""A larger image is a fault: it is pulled on every node, in every release."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What goes into the images, and what they run unless their environment says otherwise."""

    plugins: tuple[str, ...]  # distributions of docker/plugins.lock, folders of this repository
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


def size_mb(image: str) -> float:
    """Return an image's size in megabytes (10^6 bytes), base image included."""
    return int(docker("image", "inspect", "--format", "{{.Size}}", image)) / MEGABYTE


def entry_points(folders: Sequence[str]) -> tuple[str, ...]:
    """Return the names under which the plugins in these folders are enabled."""
    names: list[str] = []
    for folder in folders:
        table = tomllib.loads((ROOT / folder / "pyproject.toml").read_text(encoding="utf-8"))
        names += table["project"].get("entry-points", {}).get("pagoda.plugins", {})
    return tuple(names)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="images", description=__doc__)
    parser.add_argument("--tag", default="latest")
    parser.add_argument("--plugins", nargs="+", default=["plugins/hello-world", "plugins/inventory"],
                        help="distributions of docker/plugins.lock, folders of the repository")  # fmt: skip
    parser.add_argument("--enabled", nargs="+", help="by default every plugin of the named folders")
    parser.add_argument("--ranges", type=json.loads,
                        default={"hello-world": [200, 299], "inventory": [300, 399]},
                        help="operation ids, {plugin: [first, last]} as JSON")  # fmt: skip
    return parser


def main() -> None:
    """Run the command line; exit 1 when an image is too large."""
    arguments = _parser().parse_args()
    enabled = arguments.enabled or entry_points([name for name in arguments.plugins if "/" in name])
    selection = Selection(plugins=tuple(arguments.plugins), enabled=tuple(enabled), ranges=arguments.ranges)
    too_large = False
    for image, digest in build(selection, tag=arguments.tag).items():
        size = size_mb(image)
        too_large |= size > LARGEST_MB
        print(f"{image:<28} {size:5.0f} MB (at most {LARGEST_MB})  registry digest {digest}")
    if too_large:
        sys.exit(f"images: larger than {LARGEST_MB} MB; look with `docker history`")


if __name__ == "__main__":
    main()
