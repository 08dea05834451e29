"""Build the images with the tests' plugins, then test them on real servers."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

from tools import images

TAG = "integration"
PLUGINS = ("plugins/hello-world", "plugins/inventory")
TEST_PLUGINS = images.ROOT / "tests" / "integration" / "plugins"

ENVIRONMENT = {
    "TESTCONTAINERS_RYUK_DISABLED": "true",  # the tests sweep up by their own label, also after a kill
    "TESTCONTAINERS_CONNECTION_MODE": "docker_host",  # published ports, on loopback
}


def build_images() -> None:
    """Build both images with every plugin of the tests beside Pagoda's own."""
    folders = sorted(path.parent.relative_to(images.ROOT) for path in TEST_PLUGINS.glob("*/pyproject.toml"))
    selection = images.Selection(
        plugins=(*PLUGINS, *map(str, folders)),
        enabled=("hello-world", "inventory"),
        ranges={"hello-world": [200, 299], "inventory": [300, 399]},
    )
    for image, digest in images.build(selection, tag=TAG).items():
        print(f"built {image}, registry digest {digest}", flush=True)


def main() -> None:
    """Run the command line; further arguments go to pytest. The exit status is pytest's."""
    parser = argparse.ArgumentParser(prog="integration", description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="the part that takes minutes")
    parser.add_argument("--only", metavar="MODULE", help="one module of the tests, such as test_escape")
    arguments, further = parser.parse_known_args()
    if subprocess.run(("docker", "info"), capture_output=True, check=False).returncode == 0:
        build_images()
    tests = f"tests/integration/{arguments.only}.py" if arguments.only else "tests/integration"
    command = [sys.executable, "-m", "pytest", tests, "--durations=10"]
    command += ["-m", "smoke and not rabbitmq"] if arguments.smoke else []
    environment = {**ENVIRONMENT, **os.environ}
    sys.exit(subprocess.run([*command, *further], cwd=images.ROOT, env=environment, check=False).returncode)


if __name__ == "__main__":
    main()
