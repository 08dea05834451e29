"""`pagoda-plugin chaos` tells what a plugin leaves behind, each kind of it, and nothing of a clean one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.author.conftest import Run

PYPROJECT = """
[project]
name = "careless"
version = "1"
dependencies = ["pagoda-plugin-sdk"]
[project.entry-points."pagoda.plugins"]
careless = "careless:Careless"
[tool.pagoda.chaos.entries]
Host = { os = "linux" }
[tool.pagoda.chaos.params]
half_written = { name = "one" }
"""

PLUGIN = """
import os, socket, subprocess, sys, tempfile, threading, time
from django.db import transaction
from pagoda_plugin_sdk import HookRejected, Plugin, PluginTaskConfig, plugin_task
from pagoda_plugin_sdk.decorators import entry_hook, validation_hook
from pagoda_plugin_sdk.models import Entity, Job
from pagoda_plugin_sdk.tasks import PluginTaskRegistry

kept = []

@plugin_task(0)
def half_written(job):
    for name in (job.params["name"], "two"):
        entity = Entity.objects.filter(name=name).first()
        entity or Entity.objects.create_entity(user=job.user, name=name, attrs=[])
        job.checkpoint()

@plugin_task(1)
def not_idempotent(job):
    Entity.objects.create_entity(user=job.user, name=f"Run {job.attempt}", attrs=[])

@plugin_task(2)
def file(job):
    made, path = tempfile.mkstemp(prefix="careless")
    os.write(made, b"x" * 10)
    os.close(made)
    os.unlink(path)

@plugin_task(3)
def tidy_file(job):
    made, path = tempfile.mkstemp()
    try:
        os.write(made, b"x" * 10)
        Entity.objects.count()
    finally:
        os.close(made)
        os.unlink(path)

@plugin_task(4)
def swallowing(job):
    for number in range(2):
        try:
            Entity.objects.count()
        except Exception:
            pass

@plugin_task(5)
def masking(job):
    try:
        Entity.objects.count()
    except Exception:
        raise RuntimeError("what happened?") from None

@plugin_task(6)
def without_params(job):
    return job.params["missing"]

@plugin_task(7)
def fenced(job):
    with job.fence():
        for name in ("one", "two"):
            if not Entity.objects.filter(name=name).exists():
                Entity.objects.create_entity(user=job.user, name=name, attrs=[])

@plugin_task(8)
def killed(job):
    Entity.objects.count()
    os._exit(7)

@plugin_task(9)
def unkept(job):
    return object()


class Careless(Plugin):
    id = "careless"
    name = "Careless"
    version = "1"
    task_config = PluginTaskConfig(
        plugin_id="careless",
        module_path="careless",
        tasks={name: (place, name) for place, name in enumerate((
            "half_written", "not_idempotent", "file", "tidy_file", "swallowing", "masking", "without_params",
            "fenced", "killed", "unkept"))},
        cancelable_operations=["half_written"],
    )

    @entry_hook("after_create", entity="Host")
    def thread(self, entity_name, user, entry):
        threading.Thread(target=time.sleep, args=(60,), daemon=True, name="careless").start()

    @entry_hook("after_update")
    def connection(self, entity_name, user, entry):
        kept.append(socket.create_server(("127.0.0.1", 0)))

    @entry_hook("before_delete")
    def process(self, entity_name, user, entry):
        kept.append(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]))

    @entry_hook("after_delete")
    def draft(self, entity_name, user, entry):
        Job._create_new_job(user, PluginTaskRegistry.get_operation_id("careless", "fenced"), {})

    @entry_hook("after_restore", deferred=True)
    def again(self, entity_name, user, entry):
        Entity.objects.create_entity(user=user, name=f"Again {Entity.objects.count()}", attrs=[])

    @entry_hook("before_restore")
    def on_commit(self, entity_name, user, entry):
        _, path = tempfile.mkstemp(prefix="careless")
        os.close(_)
        transaction.on_commit(lambda: os.unlink(path))

    @entry_hook("before_create")
    def thread_error(self, entity_name, user, data):
        threading.Thread(target=lambda: 1 / 0).start()

    @validation_hook(entity="Nobody")
    def refuses(self, user, schema_name, name, attrs, instance):
        raise HookRejected("never")
"""


@pytest.fixture(scope="module")
def left(plugin_command: Run, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], str]:
    """What is told of the careless plugin: ``{(handler or task, fault): what is left, or why not}``."""
    folder = tmp_path_factory.mktemp("careless")
    (folder / "pyproject.toml").write_text(PYPROJECT)
    (folder / "careless.py").write_text(PLUGIN)
    ended = plugin_command("chaos", "--places", "3", "--json", cwd=folder)
    assert ended.returncode == 1, ended.stdout
    trials, end = json.JSONDecoder().raw_decode(ended.stdout, ended.stdout.index("[\n"))
    assert "something was left behind" in ended.stdout[end:]
    return {
        (trial["subject"].split()[1].rpartition(".")[2], trial["fault"]): trial["why_not"]
        or "; ".join(trial["left"])
        for trial in trials
    }


@pytest.mark.parametrize(
    ("name", "fault", "told"),
    [
        ("thread_error", "no fault", "an error in a thread (ZeroDivisionError"),
        ("thread", "no fault", "the thread 'careless'"),
        ("connection", "no fault", "an open network connection"),
        ("process", "no fault", "the process python"),
        ("draft", "no fault", "the job 'fenced', which nobody queued"),
        ("on_commit", "rolled back", "in the folder for temporary files"),
        ("again", "run twice", "1 more row of entity_entity"),
        (
            "half_written",
            "cancelled",
            "at checkpoint 1: 1 more row of entity_entity",
        ),
        ("half_written", "cut off", "1 more row of entity_entity (is_active=True, name='one'"),
        ("not_idempotent", "run twice", "name='Run 2'"),
        ("file", "cut off", "at careless.py:27: the file careless"),
        ("swallowing", "cut off", "it goes on after it was cut off"),
        ("masking", "database away", "the exception RuntimeError: what happened?"),
        ("without_params", "no fault", "[tool.pagoda.chaos.params] without_params"),
        ("unkept", "no fault", "its job, which fails: InvalidParams: Result of the task can't be stored"),
        ("killed", "no fault", "the end of its process (exit 7)"),
    ],
)
def test_what_is_left_behind_is_told(
    left: dict[tuple[str, str], str], name: str, fault: str, told: str
) -> None:
    assert told in left[name, fault]


@pytest.mark.parametrize("name", ["tidy_file", "fenced", "refuses"])
def test_a_clean_one_leaves_nothing(left: dict[tuple[str, str], str], name: str) -> None:
    told = {fault: text for (of, fault), text in left.items() if of == name}
    assert len(told) == 6
    assert {text for text in told.values() if text} <= {
        "it has no checkpoint",
        "it opens no fence",
        "nobody can cancel a handler",
        "it makes no query",
        "it calls nothing that could take long",
        "the host runs a handler again only where it is deferred",
    }


def test_the_plugin_of_the_template_is_clean(plugin_command: Run, demo: Path) -> None:
    ended = plugin_command("chaos", "--places", "4", cwd=demo)
    assert ended.returncode == 0, ended.stdout
    assert "demo: count (task)\n  no fault: nothing left\n  cut off at 4 places: nothing left" in ended.stdout
    assert "cancelled: nothing left\n  database away at 4 places: nothing left" in ended.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--params", "count"), "expected a task's name, =, and a JSON object"),
        (("no such name",), "there is no such handler, task, endpoint or override"),
    ],
)
def test_what_can_t_be_run_is_told(
    plugin_command: Run, demo: Path, arguments: tuple[str, ...], told: str
) -> None:
    ended = plugin_command("chaos", *arguments, cwd=demo)
    assert (ended.returncode, told in ended.stdout) == (1, True), ended.stdout


def test_an_entry_that_is_refused_is_told_with_the_remedy(plugin_command: Run, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(PYPROJECT.replace("Host =", "Nobody = { os = 1 }\nHost ="))
    refusing = (
        PLUGIN.replace("(Plugin):", "(Plugin):\n    django_apps = []")
        .replace('    @entry_hook("before_create")', '    @entry_hook("after_create", entity="Nobody")')
        .replace("(self, entity_name, user, data)", "(self, entity_name, user, entry)")
    )
    (tmp_path / "careless.py").write_text(refusing)
    ended = plugin_command("chaos", "thread_error", cwd=tmp_path)
    assert ended.returncode == 1
    assert "not run: the write does not reach it" in ended.stdout
    assert "never" in ended.stdout
    assert "[tool.pagoda.chaos.entries] Nobody" in ended.stdout
