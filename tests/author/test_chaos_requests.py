"""`pagoda-plugin chaos` tries what answers requests, and tells of what never ends and of connections kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.author.conftest import Run

PYPROJECT = """
[project]
name = "hasty"
version = "1"
dependencies = ["pagoda-plugin-sdk"]
[project.entry-points."pagoda.plugins"]
hasty = "hasty:Hasty"
[tool.pagoda.chaos]
bodies = { "POST pairs/" = { names = ["one", "two"] } }
override_params = { prefix = "r" }
"""

PLUGIN = """
import time
from django.db import connection, transaction
from pydantic import BaseModel
from rest_framework.response import Response
from pagoda_plugin_sdk import Plugin, PluginAPIView, PluginTaskConfig, plugin_task
from pagoda_plugin_sdk import created_response, override_operation
from pagoda_plugin_sdk.models import Entity, Entry

held = []

class Params(BaseModel):
    prefix: str

class PairsView(PluginAPIView):
    def get(self, request):
        return Response(list(Entity.objects.values_list("name", flat=True)))

    def post(self, request):
        for name in request.data["names"]:
            Entity.objects.create_entity(user=request.user, name=name, attrs=[])
        return Response({})

class OneView(PluginAPIView):
    def get(self, request, name):
        return Response({})

@plugin_task(0)
def endless(job):
    while True:
        time.sleep(0.1)

@plugin_task(1)
def kept(job):
    held.append(connection.copy())
    held[-1].cursor()

class Hasty(Plugin):
    id = name = "hasty"
    api_v2_patterns = "hasty_urls"
    params_model = Params
    task_config = PluginTaskConfig("hasty", "hasty", {"endless": (0, "endless"), "kept": (1, "kept")})

    @override_operation("create")
    def create(self, context):
        for name in (context.params.prefix, "other"):
            Entry.objects.create_entry(user=context.user, schema=context.entity, name=name)
        return created_response({})

    @override_operation("delete")
    def delete(self, context):
        with transaction.atomic():
            context.entry.name = "gone"
            context.entry.save(update_fields=["name"])
        return None
"""

URLS = """
from django.urls import path
from hasty import OneView, PairsView

urlpatterns = [path("pairs/", PairsView.as_view()), path("pairs/<str:name>/", OneView.as_view())]
"""

type Told = dict[tuple[str, str], str]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("hasty")
    for name, text in (("pyproject.toml", PYPROJECT), ("hasty.py", PLUGIN), ("hasty_urls.py", URLS)):
        (made / name).write_text(text)
    return made


def told(plugin_command: Run, folder: Path, *arguments: str) -> Told:
    """Return ``{(what is tried, fault): what is left, or why not}``."""
    ended = plugin_command("chaos", "--json", *arguments, cwd=folder)
    assert ended.returncode == 1, ended.stdout
    trials, _ = json.JSONDecoder().raw_decode(ended.stdout, ended.stdout.index("[\n"))
    return {
        (trial["subject"].removeprefix("hasty: "), trial["fault"]): trial["why_not"]
        or "; ".join(trial["left"])
        for trial in trials
    }


def test_half_of_what_a_request_asked_for_is_told(plugin_command: Run, folder: Path) -> None:
    found = told(plugin_command, folder, "--places", "6", "endpoint", "override")
    asked = {name for name, _ in found}
    assert asked == {
        "GET pairs/ (endpoint)",
        "POST pairs/ (endpoint)",
        "GET pairs/<str:name>/ (endpoint)",
        "create (override)",
        "delete (override)",
    }
    assert "1 more row of entity_entity" in found["POST pairs/ (endpoint)", "database away"]
    assert "1 more row of entry_entry" in found["create (override)", "database away"]
    clean = {"GET pairs/ (endpoint)", "delete (override)"}
    left = {text for (name, _), text in found.items() if name in clean}
    assert left == {
        "",
        "nobody can cancel a request",
        "the host answers a request once",
        "the host has no transaction around a request",
    }
    assert found["GET pairs/<str:name>/ (endpoint)", "no fault"] == "its path has parameters"


def test_what_never_ends_and_a_connection_that_stays_are_told(plugin_command: Run, folder: Path) -> None:
    found = told(plugin_command, folder, "--patience", "10", "--places", "1", "(task)")
    assert found["endless (task)", "no fault"] == "itself at work: it does not end within 10 s"
    assert found["kept (task)", "no fault"] == "an open connection to the database"


def test_params_that_it_would_take_are_told(plugin_command: Run, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(PYPROJECT.replace('override_params = { prefix = "r" }', ""))
    for file in ("hasty.py", "hasty_urls.py"):
        (tmp_path / file).write_text((folder / file).read_text())
    ended = plugin_command("chaos", "create", cwd=tmp_path)
    assert ended.returncode == 1
    assert "its params do not fit" in ended.stdout
    assert "prefix Field required. Give them: [tool.pagoda.chaos.override_params]" in ended.stdout
