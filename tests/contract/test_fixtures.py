"""The pytest plugin in a plugin's project, as its author runs it: a process, no configuration, no install."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "plugins" / "testing.md").read_text(encoding="utf-8")

PYPROJECT = """
[project]
name = "acme-counter"
version = "1.0"
dependencies = ["pagoda-plugin-sdk>=1.0,<2"]

[project.entry-points."pagoda.plugins"]
counter = "acme_counter.plugin:CounterPlugin"

[tool.pagoda.settings]
limit = 5
"""
PLUGIN = """
from pydantic import BaseModel

from pagoda_plugin_sdk import HookRejected, Plugin, PluginTaskConfig
from pagoda_plugin_sdk.decorators import validation_hook


class CounterSettings(BaseModel):
    limit: int


class CounterPlugin(Plugin):
    id = "acme-counter"
    name = "Counter"
    settings_model = CounterSettings
    api_v2_patterns = "acme_counter.urls"
    tasks = {"count": (0, "count"), "fail": (1, "fail")}
    task_config = PluginTaskConfig("counter", "acme_counter.tasks", tasks)

    @validation_hook()
    def is_short(self, user, schema_name, name, attrs, instance):
        if len(name) > self.settings.limit:
            raise HookRejected(f"{name} is longer than {self.settings.limit}")
"""
TASKS = """
from pagoda_plugin_sdk import plugin_task
from pagoda_plugin_sdk.models import Entry


@plugin_task
def count(job):
    return {"entries": Entry.objects.count(), "add": job.params.get("add")}


@plugin_task(1)
def fail(job):
    raise ValueError("no")
"""
URLS = """
from django.urls import path
from rest_framework.response import Response

from pagoda_plugin_sdk import Job, PluginAPIView
from pagoda_plugin_sdk.models import Entity


class Counts(PluginAPIView):
    def get(self, request):
        names = [entity.name for entity in Entity.objects.all() if entity.may_permitted(request.user, 4)]
        return Response({"user": request.user.username, "writable": names})

    def post(self, request):
        job = Job.objects.submit(plugin="counter", operation_name="count", user=request.user)
        return Response({"job": job.id})


urlpatterns = [path("counts/", Counts.as_view())]
"""
TESTS = """
import pytest

from acme_counter.tasks import count
from pagoda_plugin_sdk import HookRejected, JobStatus, PermissionLevel
from pagoda_plugin_sdk.models import Entity, Entry

URL = "/api/v2/plugins/acme-counter/counts/"


@pytest.fixture(params=["memory_host", "pagoda_host"])
def host(request):
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("turn", [1, 2])
def test_each_test_has_a_host_of_its_own(host, turn):
    assert Entity.objects.count() == 0
    entity = Entity.objects.create_entity(user=None, name="Host")
    Entry.objects.create_entry(user=None, schema=entity, name="web-1")
    with pytest.raises(HookRejected, match="web-10 is longer than 5"):
        Entry.objects.create_entry(user=None, schema=entity, name="web-10")


def check_task(run_task):
    job = run_task("count", {"add": 2})
    assert (job.status, job.result, job.error) == (JobStatus.DONE, {"entries": 0, "add": 2}, "")
    failed = run_task("fail")
    assert (failed.status, failed.error) == (JobStatus.ERROR, "ValueError: no")


def test_run_task_in_memory(memory_host, run_task):
    check_task(run_task)


def test_run_task_on_the_real_host(pagoda_host, run_task):
    check_task(run_task)


def check_hook_and_settings(run_hook, plugin_settings):
    with pytest.raises(HookRejected, match="longer than 5"):
        run_hook("entry.validate", None, "Host", "web-10", [], None)
    assert plugin_settings(limit=6).limit == 6
    assert run_hook("entry.validate", None, "Host", "web-10", [], None) is None


def test_hook_and_settings_in_memory(run_hook, plugin_settings):
    check_hook_and_settings(run_hook, plugin_settings)


def test_hook_and_settings_on_the_real_host(pagoda_host, run_hook, plugin_settings):
    check_hook_and_settings(run_hook, plugin_settings)


def check_clients(api_client):
    entity = Entity.objects.create_entity(user=None, name="Host")
    Entity.objects.create_entity(user=None, name="Rack")
    assert api_client(None).get(URL).status_code == 401
    assert api_client("ann").get(URL).json() == {"user": "ann", "writable": []}
    both = api_client("bob", PermissionLevel.WRITABLE).get(URL).json()
    assert both == {"user": "bob", "writable": ["Host", "Rack"]}
    one = api_client("cid", PermissionLevel.FULL, entity).get(URL).json()
    assert one == {"user": "cid", "writable": ["Host"]}
    root = api_client("root", is_superuser=True).get(URL).json()
    assert root["writable"] == ["Host", "Rack"]


def test_clients_in_memory(memory_host, api_client):
    check_clients(api_client)


def test_clients_on_the_real_host(pagoda_host, api_client):
    check_clients(api_client)


def test_submitted_jobs_wait_until_they_are_run(host):
    from acme_counter.urls import Job

    job = Job.objects.submit(plugin="counter", operation_name="count", user=None)
    assert job.status != JobStatus.DONE
    assert [each.status for each in host.run_jobs()] == [JobStatus.DONE]


def test_the_stack_serves_and_works(pagoda_stack):
    with pagoda_stack.client() as client:
        assert client.get(URL).json()["user"] == "admin"
        job = client.post(URL).json()["job"]
    assert pagoda_stack.wait_for_job(job)["status"] == JobStatus.DONE
"""


def write(folder: Path, **more: str) -> Path:
    package = folder / "src" / "acme_counter"
    package.mkdir(parents=True)
    (folder / "tests").mkdir()
    files = {"plugin": PLUGIN, "tasks": TASKS, "urls": URLS, "__init__": ""} | more
    for name, text in files.items():
        (package / f"{name}.py").write_text(text)
    (folder / "pyproject.toml").write_text(PYPROJECT)
    return folder


def run_pytest(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", *options]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_every_fixture_works_in_a_project_that_configures_nothing(tmp_path: Path) -> None:
    project = write(tmp_path / "acme-counter")
    (project / "tests" / "test_counter.py").write_text(TESTS)

    ended = run_pytest(project)

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "13 passed" in ended.stdout


def test_the_guide_s_example_passes_as_pasted_in_workers_of_xdist_too(tmp_path: Path) -> None:
    project = write(tmp_path / "acme-counter")
    (block,) = re.findall(r"```python\n(.*?)```", GUIDE, flags=re.DOTALL)
    (project / "tests" / "test_guide.py").write_text(block)
    memory = "def test_memory(memory_host):\n    assert Entry.objects.count() == 0\n"
    (project / "tests" / "test_memory.py").write_text(
        f"from pagoda_plugin_sdk.models import Entry\n\n\n{memory}"
    )

    ended = run_pytest(project, "-n", "1")

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "2 passed" in ended.stdout


def test_a_plugin_that_the_host_would_skip_ends_the_run_with_the_reasons(tmp_path: Path) -> None:
    project = write(tmp_path / "acme-counter", tasks="count = None\n")

    ended = run_pytest(project)

    assert ended.returncode == pytest.ExitCode.USAGE_ERROR
    assert "Pagoda does not start with counter" in ended.stderr
    assert "Task function acme_counter.tasks.count" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("pyproject", ["", "[project]\nname = 'other'\n"])
def test_other_projects_import_nothing_of_it(pyproject: str, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(pyproject)
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "pyproject.toml").write_text(pyproject)
    (tmp_path / "inner" / "test_other.py").write_text(
        dedent("""
        import sys

        def test_nothing_is_imported():
            assert "pytest_pagoda" in sys.modules
            assert not [name for name in sys.modules if name.startswith(("pagoda", "django."))]
        """)
    )

    ended = run_pytest(
        tmp_path, "-p", "no:django", "-p", "no:schemathesis", "--rootdir", ".", "inner/test_other.py"
    )

    assert ended.returncode == 0, ended.stdout + ended.stderr
