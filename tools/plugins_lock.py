"""Write docker/plugins.lock: what the images' plugins need beyond the host's own packages."""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "docker" / "plugins.lock"
RUNTIME = ROOT / "requirements" / "runtime.txt"
OURS = ("pagoda-plugin-sdk", "pagoda-core", "pagoda-api", "pagoda-worker")
HEADER = "# Made by `make plugins-lock`; don't edit. Packages of requirements/runtime.txt are not repeated.\n"


def host_pins(text: str) -> list[str]:
    """Return the names that the host's own lock pins."""
    return re.findall(r"^([A-Za-z0-9][\w.-]*)==", text, flags=re.MULTILINE)


def resolve(plugins: list[str]) -> str:
    """Return the lock of these plugins.

    The host's pins hold: a plugin that needs another version of one of them ends the program with uv's words.
    """
    files = [item for item in plugins if "/" in item or item.endswith(".whl")]
    named = [str(Path(item).resolve()) if item in files else item for item in plugins]
    wanted = "".join(f"{item}\n" for item in (*named, "./sdk"))
    left_out = [*host_pins(RUNTIME.read_text(encoding="utf-8")), *OURS, *map(distribution_of, files)]
    command = [
        str(ROOT / ".uv" / "bin" / "uv"), "pip", "compile", "-", "--quiet", "--no-header", "--no-annotate",
        "--universal", "--python-version", "3.13", "--generate-hashes", "--only-binary", ":all:",
        "--constraints", str(RUNTIME), *(f"--no-emit-package={name}" for name in left_out),
    ]  # fmt: skip
    done = subprocess.run(
        command, cwd=ROOT, input=wanted, text=True, stdout=subprocess.PIPE, check=False,
        env={**os.environ, "UV_PYTHON_DOWNLOADS": "never"},
    )  # fmt: skip
    if done.returncode:
        sys.exit(f"plugins-lock: uv could not resolve {' '.join(plugins)}, see above; the lock is unchanged")
    return done.stdout.partition("# The following packages were excluded")[0].strip()


def distribution_of(folder: str) -> str:
    """Return the name of the distribution in a folder or a wheel, which is no part of the lock."""
    if folder.endswith(".whl"):
        return Path(folder).name.partition("-")[0]
    text = (ROOT / folder / "pyproject.toml").read_text(encoding="utf-8")
    found = re.search(r'^name\s*=\s*"([^"]+)"', text, flags=re.MULTILINE)
    if found is None:
        sys.exit(f"plugins-lock: {folder}/pyproject.toml names no project")
    return found[1]


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="plugins-lock", description=__doc__)
    parser.add_argument(
        "plugins", nargs="+", help="requirements (acme-plugin==1.2), wheels, folders with a /"
    )
    plugins = parser.parse_args().plugins
    locked = resolve(plugins)
    LOCK.write_text(
        f"{HEADER}# plugins: {' '.join(plugins)}\n{locked}{chr(10) if locked else ''}", encoding="utf-8"
    )
    print(f"{LOCK.relative_to(ROOT)}: {len(host_pins(locked))} package(s) beyond the host's")


if __name__ == "__main__":
    main()
