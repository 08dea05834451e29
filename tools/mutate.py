"""Change a module bit by bit and show which changes its tests do not notice.

`make mutate ARGS="sdk/src/pagoda_plugin_sdk/washing.py sdk/tests/test_washing.py"`; it works on a copy of
what git tracks. What it prints is to be read, not to be brought to nothing: many a change means the same, or
is one of words.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = "src"  # of a distribution; its tests are beside it
TOOL = ROOT / ".mutate"
LOCK = ROOT / "requirements" / "mutate.txt"


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="mutate", description=__doc__.splitlines()[0])
    parser.add_argument("module", nargs="?", default="sdk/src/pagoda_plugin_sdk/washing.py")
    parser.add_argument("tests", nargs="?", default="sdk/tests/test_washing.py", help="what should notice")
    arguments = parser.parse_args()
    for path in (arguments.module, arguments.tests):
        if not (ROOT / path).exists():
            sys.exit(f"mutate: {path} is not there; name it from the root of the repository")
    project, _, module = arguments.module.partition(f"/{SOURCES}/")
    if not module or not arguments.tests.startswith(f"{project}/"):
        sys.exit("mutate: name a module below the src of a distribution, and tests of the same distribution")
    install()
    with tempfile.TemporaryDirectory(prefix="pagoda-mutate-") as folder:
        copy = Path(folder)
        copy_tracked(copy)
        return mutate(copy, project, f"{SOURCES}/{module}", arguments.tests.removeprefix(f"{project}/"))


def install() -> None:
    """Put mutmut and what it needs beside the environment, by the lock, unless it is there."""
    done = TOOL / "lock.txt"
    if done.exists() and done.read_bytes() == LOCK.read_bytes():
        return
    shutil.rmtree(TOOL, ignore_errors=True)
    uv = ROOT / ".uv" / "bin" / "uv"
    options = (
        "--quiet",
        "--python",
        sys.executable,
        "--target",
        TOOL,
        "--require-hashes",
        "--only-binary",
        ":all:",
    )
    subprocess.run((uv, "pip", "install", *options, "-r", LOCK), cwd=ROOT, check=True)
    shutil.copy(LOCK, done)


def copy_tracked(to: Path) -> None:
    """Copy the files that git tracks, as they are in the working tree."""
    listed = subprocess.run(("git", "ls-files", "-z"), cwd=ROOT, check=True, capture_output=True, text=True)
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, to / name)


def mutate(copy: Path, project: str, module: str, tests: str) -> int:
    """Try every mutant of the module, print those that the tests pass with, and return the exit status."""
    config = copy / project / "pyproject.toml"
    with config.open("a", encoding="utf-8") as file:
        file.write(
            f'\n[tool.mutmut]\nsource_paths = ["{SOURCES}"]\nonly_mutate = ["{module}"]\n'
            # What one run leaves open is noticed in the next: they share a process.
            'also_copy = ["tests"]\npytest_add_cli_args = ["-p", "no:unraisableexception"]\n'
            f'pytest_add_cli_args_test_selection = ["{tests}"]\n'
        )
    if status := mutmut(config.parent, copy, "run").returncode:
        return status
    listed = mutmut(config.parent, copy, "results", quiet=True).stdout
    survivors = [line.partition(":")[0].strip() for line in listed.splitlines() if line.endswith("survived")]
    for name in survivors:
        print(mutmut(config.parent, copy, "show", name, quiet=True).stdout)
    print(f"mutate: {len(survivors)} changes of {module} that {tests} does not notice")
    return 0


def mutmut(folder: Path, copy: Path, *words: str, quiet: bool = False) -> subprocess.CompletedProcess[str]:
    """Run mutmut in the folder of a distribution; conftests find the copy's tools."""
    environ = os.environ | {"PYTHONPATH": os.pathsep.join((str(copy), str(TOOL)))}
    command = (sys.executable, "-m", "mutmut", *words)
    return subprocess.run(command, cwd=folder, env=environ, capture_output=quiet, text=True, check=False)


if __name__ == "__main__":
    sys.exit(main())
