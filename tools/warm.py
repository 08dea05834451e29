"""Run modules in forks of one process that has imported what they need, each as a process of its own.

Most of what a short process of Python costs is the import of what others wrote. Give :class:`Warm` what the
modules import and what asks no environment when it is loaded; the rest each fork imports anew.
"""

from __future__ import annotations

import gc
import json
import os
import runpy
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import IO, Self, cast

ROOT = Path(__file__).resolve().parent.parent


class Warm:
    """A process that has imported `libraries`, in whose forks modules run; it ends with the block."""

    def __init__(self, *libraries: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tools.warm", *libraries],
            cwd=ROOT,
            env={"PATH": ""},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._input, self._output = cast(IO[str], self._process.stdin), cast(IO[str], self._process.stdout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.__exit__(kind, error, trace)

    def run(
        self,
        module: str,
        arguments: Sequence[str],
        outputs: Sequence[Path],
        *,
        environment: Mapping[str, str],
        folder: Path,
    ) -> int:
        """Run ``python -m module`` in a folder, with this environment alone; return its exit status.

        What it prints and its errors go to the two `outputs`; the folder is first on its import path.
        """
        start = {"environment": dict(environment), "folder": str(folder), "module": module}
        start |= {"arguments": list(arguments), "outputs": list(map(str, outputs))}
        print(json.dumps(start), file=self._input, flush=True)
        return int(self._output.readline())


def become(
    environment: dict[str, str], folder: str, module: str, arguments: list[str], outputs: list[str]
) -> None:
    """Turn into a process that was started with these, and do what it does."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    for number, path in enumerate((os.devnull, *outputs)):
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT), number)
    more = filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))
    sys.path[:1] = dict.fromkeys([folder, *more])
    sys.dont_write_bytecode = "PYTHONDONTWRITEBYTECODE" in environment
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def main(libraries: Sequence[str]) -> None:
    """Import the libraries, and run what each line of JSON on the input asks for until it ends."""
    for name in libraries:
        import_module(name)
    gc.freeze()  # no fork looks through what all of them share
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            become(**json.loads(line))
            return
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
