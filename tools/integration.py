"""Build the images with the tests' plugins, then test them on real servers."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tools import images

TAG = "integration"
PLUGINS = ("plugins/hello-world", "plugins/inventory")
ENABLED = ("hello-world", "inventory")
RANGES = {"hello-world": [200, 299], "inventory": [300, 399]}
TEST_PLUGINS = images.ROOT / "tests" / "integration" / "plugins"

ENVIRONMENT = {
    "TESTCONTAINERS_RYUK_DISABLED": "true",  # the tests sweep up by their own label, also after a kill
    "TESTCONTAINERS_CONNECTION_MODE": "docker_host",  # published ports, on loopback
}


FIRST_OF_THIS_RELEASE = "core/src/pagoda/domain/entry/migrations/0003_current_values.py"
"""Added by the first commit of the release that is made; what was before it stands in for the one before."""


def previous() -> str | None:
    """Return the commit of the release before, by its tag or the above; None without its history."""
    tag = _git("describe", "--tags", "--abbrev=0", "--match", "v[0-9]*", "HEAD^")
    first = _git("log", "-1", "--format=%H", "--diff-filter=A", "--", FIRST_OF_THIS_RELEASE)
    return _git("rev-parse", "--verify", "--short", f"{tag}^{{commit}}" if tag else f"{first}^") or None


def build_previous(commit: str) -> None:
    """Build the images of the release before from its own tree with its own tools, unless they are there."""
    names = [f"pagoda-{service}:before-{commit}" for service in images.SERVICES]
    if all(_quietly("docker", "image", "inspect", name) for name in names):
        return
    with tempfile.TemporaryDirectory(prefix="pagoda-before-") as folder:
        archive = subprocess.run(
            ("git", "archive", commit), cwd=images.ROOT, stdout=subprocess.PIPE, check=True
        )
        subprocess.run(("tar", "-x", "-C", folder), input=archive.stdout, check=True)
        tests = sorted(Path(folder, "tests/integration/plugins").glob("*/pyproject.toml"))
        plugins = (*PLUGINS, *(str(path.parent.relative_to(folder)) for path in tests))
        script = "from tools import images; images.build(images.Selection("
        script += f"plugins={plugins!r}, enabled={ENABLED!r}, ranges={RANGES!r}), tag='before-{commit}')"
        subprocess.run((sys.executable, "-c", script), cwd=folder, check=True)
    print(f"built {' and '.join(names)}", flush=True)


def _git(*arguments: str) -> str:
    done = subprocess.run(("git", *arguments), cwd=images.ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def _quietly(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def build_images() -> None:
    """Build both images with every plugin of the tests beside Pagoda's own."""
    folders = sorted(path.parent.relative_to(images.ROOT) for path in TEST_PLUGINS.glob("*/pyproject.toml"))
    selection = images.Selection(
        plugins=(*PLUGINS, *map(str, folders)),
        enabled=ENABLED,
        ranges=RANGES,
    )
    for image, digest in images.build(selection, tag=TAG).items():
        print(f"built {image}, registry digest {digest}", flush=True)


def main() -> None:
    """Run the command line; further arguments go to pytest. The exit status is pytest's."""
    parser = argparse.ArgumentParser(prog="integration", description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="the part that takes minutes")
    parser.add_argument("--only", metavar="MODULE", help="one module of the tests, such as test_escape")
    arguments, further = parser.parse_known_args()
    if _quietly("docker", "info"):
        build_images()
        commit = previous()
        if commit and not arguments.smoke and arguments.only in (None, "test_upgrade"):
            build_previous(commit)
            ENVIRONMENT["PAGODA_BEFORE"] = commit
    tests = f"tests/integration/{arguments.only}.py" if arguments.only else "tests/integration"
    command = [sys.executable, "-m", "pytest", tests, "--durations=10"]
    command += ["-m", "smoke and not rabbitmq"] if arguments.smoke else []
    environment = {**ENVIRONMENT, **os.environ}
    sys.exit(subprocess.run([*command, *further], cwd=images.ROOT, env=environment, check=False).returncode)


if __name__ == "__main__":
    main()
