"""Measure what a plugin costs at start-up: the host with 100 generated plugins against the host with none.

Each plugin is a real distribution (dist-info and package) with three hook handlers. Every boot is a process
of its own, and `django.setup()`, which starts the plugins, is timed in it. Boots with and without plugins
take turns, so that both see the same machine, and the fastest of each counts, as other work on the machine
only ever adds time. CPU time is held against the limit: start-up waits for nothing, so that on an idle
machine it is the wall time, and on a busy one what start-up is to blame for. Exits 1 when a plugin adds more
than the limit.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

LIMIT_MS = 1.2
"""Milliseconds that one plugin may add."""

BOOT = """
import sys, time
sys.path.append(sys.argv[1])
import django
from pagoda.config.logging import configure_logging
from django.conf import settings
configure_logging(settings.PAGODA, service="benchmark")
started, started_cpu = time.perf_counter(), time.process_time()
django.setup()
wall, cpu = time.perf_counter() - started, time.process_time() - started_cpu
from pagoda.plugins.registry import registry
print(wall, cpu, len(registry().active))
"""

PLUGIN = """
from pagoda_plugin_sdk.decorators import entity_hook, entry_hook, validation_hook
from pagoda_plugin_sdk.plugin import Plugin


class BenchPlugin(Plugin):
    id = "{name}"
    name = "Generated plugin {name}"
    version = "1.0.0"

    @entry_hook("after_create")
    def on_create(self, entity_name, user, entry, **kwargs):
        return None

    @entity_hook("before_update", priority=50)
    def on_update(self, user, validated_data, entity, **kwargs):
        return None

    @validation_hook(entity="customer")
    def on_validate(self, user, schema_name, name, attrs, instance, **kwargs):
        return None
"""

METADATA = """Metadata-Version: 2.3
Name: {name}
Version: 1.0.0
Summary: A generated plugin
Requires-Python: >=3.12
Requires-Dist: pagoda-plugin-sdk<2,>=1.0
"""


def generate(folder: Path, count: int) -> list[str]:
    """Write `count` distributions into `folder` and return the names to enable."""
    names = [f"bench-{number:03d}" for number in range(count)]
    for name in names:
        package = folder / name.replace("-", "_")
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        (package / "plugin.py").write_text(PLUGIN.format(name=name))
        info = folder / f"{package.name}-1.0.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(METADATA.format(name=name))
        (info / "entry_points.txt").write_text(
            f"[pagoda.plugins]\n{name} = {package.name}.plugin:BenchPlugin\n"
        )
    return names


@dataclass(frozen=True, slots=True, kw_only=True)
class Boot:
    """What one start of the host took, in milliseconds."""

    wall_ms: float
    cpu_ms: float


def boot(site: Path, data: Path, names: list[str]) -> Boot:
    """Start the host in a process of its own."""
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "DJANGO_SETTINGS_MODULE": "pagoda.settings",
        "ENABLED_PLUGINS": ",".join(names),
        "PAGODA_DATA_DIR": str(data),
        "PAGODA_ENV_FILE": "",
    }
    command = [sys.executable, "-c", BOOT, str(site)]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if run.returncode:
        raise SystemExit(f"the host does not start:\n{run.stderr}")
    wall, cpu, active = run.stdout.split()[-3:]
    if int(active) != len(names):
        raise SystemExit(f"{active} of {len(names)} plugins became active:\n{run.stderr}")
    return Boot(wall_ms=float(wall) * 1000, cpu_ms=float(cpu) * 1000)


def measure(count: int, repeats: int) -> dict[str, float]:
    """Return the figures: ``{name: milliseconds or number}``."""
    with tempfile.TemporaryDirectory() as folder:
        empty, site, data = (Path(folder) / name for name in ("empty", "site", "data"))
        empty.mkdir()
        names = generate(site, count)
        boot(site, data, names)  # compiles the packages and makes the data folder
        runs = [(boot(empty, data, []), boot(site, data, names)) for _ in range(repeats)]
    figures: dict[str, float] = {"plugins": count}
    for kind in ("wall_ms", "cpu_ms"):
        without, loaded = (min(getattr(run, kind) for run in column) for column in zip(*runs, strict=True))
        figures |= {f"without_{kind}": without, f"with_{kind}": loaded}
        figures[f"per_plugin_{kind}"] = (loaded - without) / count
    return figures


def main() -> int:
    """Run the benchmark and print milliseconds per plugin."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plugins", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=12)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    figures = measure(arguments.plugins, arguments.repeats)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")
    print("                             wall        CPU")
    rows = {
        "without plugins": "without",
        f"with {arguments.plugins} plugins": "with",
        "a plugin adds": "per_plugin",
    }
    for label, name in rows.items():
        print(f"{label:20s}{figures[f'{name}_wall_ms']:10.2f} {figures[f'{name}_cpu_ms']:10.2f} ms")
    kept = figures["per_plugin_cpu_ms"] <= LIMIT_MS
    verdict = "ok" if kept else "MISSED"
    print(f"startup: a plugin adds {figures['per_plugin_cpu_ms']:.2f} ms, limit {LIMIT_MS} ms: {verdict}")
    return 0 if kept else 1


if __name__ == "__main__":
    raise SystemExit(main())
