"""Make the development environment on a machine that has only git, make and a Python.

Runs on any Python >= 3.9 with the standard library alone. Without arguments it installs everything;
``environment`` stops at uv and an empty virtual environment, which is all that ``make lock`` needs.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UV = ROOT / ".uv" / "bin" / "uv"
VENV_PYTHON = ROOT / ".venv" / "bin" / "python"
STAMP = ROOT / ".venv" / ".installed"
OLDEST_PYTHON = (3, 12)
OLDEST_UV = (0, 8)
DISTRIBUTIONS = ("sdk", "core", "services/api", "services/worker", "plugins/hello-world", "plugins/inventory")
# uv may fetch packages, never an interpreter: which Python runs is the machine's decision.
ENVIRONMENT = {**os.environ, "UV_PYTHON_DOWNLOADS": "never", "VIRTUAL_ENV": str(ROOT / ".venv")}


def run(*command: str | Path) -> None:
    """Run a command in the workspace and stop with its exit code when it fails."""
    code = subprocess.run([str(part) for part in command], cwd=ROOT, env=ENVIRONMENT, check=False).returncode
    if code:
        sys.exit(f"bootstrap: `{' '.join(str(part) for part in command)}` failed with exit code {code}")


def version_of(command: str | Path, *arguments: str) -> tuple[int, ...]:
    """Return the first dotted number that the command prints, () when it can't be run."""
    try:
        result = subprocess.run([str(command), *arguments], capture_output=True, text=True, check=False)
    except OSError:
        return ()
    found = re.search(r"\d+(\.\d+)+", result.stdout)
    return tuple(map(int, found.group().split("."))) if found and not result.returncode else ()


def interpreters(wanted: str) -> Iterator[Path]:
    """Yield the machine's interpreters: those of the wanted version first, then the others, newest last."""
    home = Path.home()
    stores = [
        Path(os.environ.get("PYENV_ROOT") or home / ".pyenv") / "versions",
        Path(os.environ.get("UV_PYTHON_INSTALL_DIR") or home / ".local" / "share" / "uv" / "python"),
    ]
    path = [Path(folder) for folder in os.environ.get("PATH", os.defpath).split(os.pathsep)]
    for pattern in (rf"python{re.escape(wanted)}", r"python3\.\d+", r"python3"):
        for folder in [*path, *(version / "bin" for store in stores for version in sorted(store.glob("*")))]:
            if folder.is_dir():
                yield from sorted(file for file in folder.iterdir() if re.fullmatch(pattern, file.name))


def find_interpreter() -> Path:
    """Return the interpreter of ``.python-version``, or any other that the distributions support."""
    wanted = (ROOT / ".python-version").read_text(encoding="utf-8").strip()
    for candidate in interpreters(wanted):
        if version_of(candidate, "--version") >= OLDEST_PYTHON:
            return candidate
    oldest = ".".join(map(str, OLDEST_PYTHON))
    return sys.exit(
        f"bootstrap: Pagoda needs Python >= {oldest}, found none on PATH, in pyenv or in uv: install Python "
        f"{wanted} with the system's package manager, or put its folder on PATH"
    )


def ensure_uv(interpreter: Path) -> None:
    """Put uv at ``.uv/bin/uv``: a link to the machine's own when it is new enough, else the pinned one."""
    if version_of(UV, "--version") >= OLDEST_UV:
        return
    shutil.rmtree(ROOT / ".uv", ignore_errors=True)
    own = shutil.which("uv")
    if own and version_of(own, "--version") >= OLDEST_UV:
        UV.parent.mkdir(parents=True)
        UV.symlink_to(own)
        return
    run(interpreter, "-m", "venv", UV.parent.parent)
    install = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes")
    run(UV.with_name("python"), *install, "--only-binary", ":all:", "-r", "requirements/uv.txt")


def ensure_environment() -> None:
    """Make ``.venv`` unless it is there with the interpreter that would be chosen today."""
    interpreter = find_interpreter()
    ensure_uv(interpreter)
    if version_of(VENV_PYTHON, "--version")[:2] != version_of(interpreter, "--version")[:2]:
        run(UV, "venv", "--quiet", "--clear", "--python", interpreter, ROOT / ".venv")


# Prints a line for every plugin in the environment: its distribution, and where it came from.
LIST_PLUGINS = """
import json
from importlib.metadata import distributions
for one in distributions():
    if any(point.group == "pagoda.plugins" for point in one.entry_points):
        origin = json.loads(one.read_text("direct_url.json") or "{}").get("url")
        print(one.name, origin or f"{one.name}=={one.version}")
"""


def plugins() -> dict[str, str]:
    """Return ``{distribution: where it came from}`` of the plugins in the environment."""
    listed = subprocess.run(
        [str(VENV_PYTHON), "-c", LIST_PLUGINS], capture_output=True, text=True, check=False
    )
    return dict(line.split(" ", 1) for line in listed.stdout.splitlines())


def install() -> None:
    """Install exactly the locked packages, then our distributions from their folders.

    Plugins of others are removed with all else that is not locked; each is named with how it comes back.
    """
    before = plugins()
    # Compiled once here instead of in every process where Python may not write its bytecode.
    options = ("--require-hashes", "--only-binary", ":all:", "--compile-bytecode")
    run(UV, "pip", "sync", "--quiet", *options, "requirements/dev.txt")
    editable = [part for folder in DISTRIBUTIONS for part in ("--editable", f"./{folder}")]
    run(UV, "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", *editable)
    removed = sorted(set(before) - set(plugins()))
    for name in removed:
        print(
            f"bootstrap: removed {name}, which is not locked; it comes back with "
            f"`.uv/bin/uv pip install {before[name]}`"
        )
    STAMP.touch()


def main(arguments: list[str]) -> None:
    """Do the steps that the command line asks for."""
    if arguments not in ([], ["environment"]):
        sys.exit(f"bootstrap: unknown arguments {arguments!r}: expected none or 'environment'")
    ensure_environment()
    if not arguments:
        install()


if __name__ == "__main__":
    main(sys.argv[1:])
