"""Write the locks in ``requirements/``, or check that they still belong to what they were made from.

A lock's header holds a digest of its inputs, so that the check needs neither network nor resolver.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "requirements"
LOCKS = ("uv", "build", "runtime", "dev", "mutate")  # in this order: each takes the pins of those before
OLDEST_PYTHON = "3.12"
HEADER = "# inputs: sha256:"


def requirement_lines(name: str) -> list[str]:
    """Return what an .in file asks for, with the files it includes, without comments."""
    lines: list[str] = []
    for raw in (REQUIREMENTS / f"{name}.in").read_text(encoding="utf-8").splitlines():
        line = re.sub(r"(^|\s+)#.*", "", raw).strip()
        if line.startswith("-r "):
            lines += requirement_lines(Path(line[3:]).stem)
        elif line and not line.startswith("-c "):
            lines.append(line)
    return lines


def folder_of(line: str) -> Path | None:
    """Return the distribution's folder when the requirement is one of ours."""
    return ROOT / line.partition("[")[0] if line.startswith("./") else None


def project(folder: Path) -> dict[str, Any]:
    """Read the [project] table of a distribution."""
    table: dict[str, Any] = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return table


def digest(name: str) -> str:
    """Return a digest of everything that decides the lock's content, formatting and comments left out."""
    lines = requirement_lines(name)
    keys = ("name", "requires-python", "dependencies", "optional-dependencies")
    tables = [project(folder) for folder in map(folder_of, lines) if folder]
    inputs = {"lines": lines, "projects": [{key: table.get(key) for key in keys} for table in tables]}
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()


def pins(name: str) -> set[str]:
    """Return the lock's ``name==version`` pins."""
    text = (REQUIREMENTS / f"{name}.txt").read_text(encoding="utf-8")
    return set(re.findall(r"^[\w.-]+==[^\s;]+", text, flags=re.MULTILINE))


def write(name: str, options: list[str]) -> None:
    """Resolve one lock, keeping the pins it has unless the options ask for upgrades."""
    target = REQUIREMENTS / f"{name}.txt"
    ours = [project(folder)["name"] for folder in map(folder_of, requirement_lines(name)) if folder]
    command: list[str | Path] = [
        ROOT / ".uv" / "bin" / "uv", "pip", "compile", f"requirements/{name}.in",
        "--output-file", target, "--quiet", "--no-header",
        "--universal", "--python-version", OLDEST_PYTHON, "--generate-hashes",
        "--only-binary", ":all:",  # nothing may need a compiler
        *(f"--no-emit-package={package}" for package in ours),
        *options,
    ]  # fmt: skip
    result = subprocess.run(
        command, cwd=ROOT, check=False, env={**os.environ, "UV_PYTHON_DOWNLOADS": "never"}
    )
    if result.returncode:
        sys.exit(f"lock: uv could not resolve requirements/{name}.in, see above; {target.name} is unchanged")
    locked = target.read_text(encoding="utf-8").partition("\n# The following packages were excluded")[0]
    header = f"# Made by `make lock` from {name}.in; don't edit.\n{HEADER}{digest(name)}\n"
    target.write_text(header + locked.rstrip("\n") + "\n", encoding="utf-8")


def faults() -> list[str]:
    """Return what is wrong with the locks as they stand, one sentence each."""
    found = []
    for name in LOCKS:
        target = REQUIREMENTS / f"{name}.txt"
        header = target.read_text(encoding="utf-8").splitlines()[1:2] if target.exists() else []
        if header != [HEADER + digest(name)]:
            found.append(
                f"requirements/{name}.txt was not made from today's {name}.in and pyproject.toml files"
            )
    if not found and (strays := pins("runtime") - pins("dev")):
        found.append(f"requirements/dev.txt lacks pins of runtime.txt: {sorted(strays)!r}")
    return found


def main(arguments: list[str]) -> None:
    """Check with ``--check``, else write; further arguments go to uv."""
    if arguments == ["--check"]:
        if found := faults():
            sys.exit(
                "\n".join(["lock: " + fault for fault in found] + ["run `make lock`, then commit the result"])
            )
        return
    for name in LOCKS:
        write(name, arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
