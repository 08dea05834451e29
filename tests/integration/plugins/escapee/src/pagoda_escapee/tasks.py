"""The same in the worker's container, and what its files, its environment and bare clients are good for."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

from pagoda_escapee.attempts import tried
from pagoda_plugin_sdk.tasks import JobContext, plugin_task


@plugin_task(0)
def sdk(job: JobContext) -> dict[str, str]:
    """Try what the parameters name by the SDK."""
    facts, names = job.params["facts"], job.params["names"]
    if not job.params["authority"]:
        return {name: tried(name, facts) for name in names}
    with job.authority():
        return {name: tried(name, facts) for name in names}


@plugin_task(1)
def environment(_job: JobContext) -> dict[str, dict[str, str]]:
    """Return ``{process: its environment}`` of all that /proc shows."""
    found = {}
    for file in Path("/proc").glob("[0-9]*/environ"):
        try:
            text = file.read_bytes().decode(errors="replace")
        except OSError:  # of another user, or gone
            continue
        found[file.parent.name] = dict(pair.partition("=")[::2] for pair in text.split("\0") if pair)
    return found


@plugin_task(2)
def call(job: JobContext) -> Any:
    """Run code that was brought along, and return what its `main` does; Any: JSON."""
    for name, source in job.params["modules"].items():
        module = types.ModuleType(name)
        sys.modules[name] = module
        exec(compile(source, name, "exec"), module.__dict__)
    return module.main(job.id, **job.params["arguments"])
