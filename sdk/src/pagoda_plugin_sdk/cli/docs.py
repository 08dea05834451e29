"""`pagoda-plugin docs`: a page on the plugin, of what it declares and what its host says of its endpoints."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

import click

from pagoda_plugin_sdk.cli.development import development_environment
from pagoda_plugin_sdk.cli.processes import run_module
from pagoda_plugin_sdk.project import read_project

# Runs in the host: the classes of views need its settings, and the OpenAPI is that of its API.
WRITE = """
import importlib, json, os
from pathlib import Path
from django.core.management import call_command
from pagoda_plugin_sdk.cli.pages import page_of
folder = Path(os.environ["PAGES"])
schema = folder / "schema.json"
call_command("spectacular", "--format", "openapi-json", "--file", str(schema))
for target in json.loads(os.environ["TARGETS"]):
    module, _, name = target.partition(":")
    plugin = getattr(importlib.import_module(module), name)()
    (folder / f"{plugin.id}.md").write_text(page_of(plugin, json.loads(schema.read_text())))
schema.unlink()
"""


@click.command()
@click.option(
    "--output", type=click.Path(path_type=Path, file_okay=False), default=Path("docs"), show_default=True
)
def docs(*, output: Path) -> None:
    """Write OUTPUT/<plugin>.md: hooks, endpoints, tasks, settings and permissions of the plugin."""
    project = read_project(Path.cwd())
    with tempfile.TemporaryDirectory(prefix="pagoda-plugin-") as made:
        environ = development_environment(project) | {
            "DJANGO_SETTINGS_MODULE": "pagoda_api.settings",
            "PAGES": made,
            "TARGETS": json.dumps([*project.entry_points.values()]),
        }
        ended = run_module(
            "pagoda.cli", "manage", "shell", "--no-imports", "--command", WRITE, environ=environ
        )
        if ended.returncode:
            raise click.ClickException(f"The host can't tell of the plugin:\n{ended.stdout.strip()}")
        output.mkdir(parents=True, exist_ok=True)
        for page in sorted(Path(made).glob("*.md")):
            shutil.copy(page, output / page.name)
            click.echo(f"wrote {output / page.name}")
