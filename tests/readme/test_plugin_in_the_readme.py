"""The README's plugin works as pasted: its files are taken from the page and run in a host."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()

IN_THE_HOST = """
import json
import django
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
from django.test import Client
from pagoda.domain.entity.models import Entity
from pagoda.domain.user.models import User
from pagoda.jobs.models import Job
user = User.objects.create_superuser("ada", password="secret")
client = Client()
client.force_login(user)
entity = Entity.objects.create_entity(user=user, name="thing")
queued = client.post("/api/v2/plugins/greeter/count/")
job = Job.objects.get(pk=queued.json()["job"])
refused = client.post("/api/v2/entries/", {"name": "LOUD", "schema": entity.pk}, "application/json")
made = client.post("/api/v2/entries/", {"name": "calm", "schema": entity.pk}, "application/json")
direct = Job._create_new_job(user, job.operation)
direct.run(will_delay=False)
direct.refresh_from_db()
print(json.dumps({
    "status": direct.get_status_display(), "result": direct.result,
    "queued": queued.status_code, "job": str(job), "operation": job.operation, "queue": job.queue,
    "refused": [refused.status_code, refused.json()], "made": made.status_code,
}))
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a host says that runs the plugin as the page has it."""
    folder = tmp_path_factory.mktemp("readme")
    files = re.findall(r"<!-- file: (\S+) -->\n```\w+\n(.*?)```", README, flags=re.DOTALL)
    for name, content in files:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    ranges = re.findall(r"PLUGIN_OPERATION_ID_CONFIG='(.*?)'", README)
    environ = os.environ | {
        "DJANGO_SETTINGS_MODULE": "pagoda_api.settings",
        "PAGODA_ALLOWED_HOSTS": "testserver",
        "PAGODA_DATA_DIR": str(folder / "data"),
        "PAGODA_ENV_FILE": "",
        "PLUGIN_EXAMPLES_DIR": str(folder / "my-plugins"),
        "ENABLED_PLUGINS": "greeter",
        "PLUGIN_OPERATION_ID_CONFIG": ranges[0],
    }
    done = subprocess.run(
        (sys.executable, "-c", IN_THE_HOST), env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return said


def test_its_endpoint_queues_a_job_on_its_own_queue(told: dict[str, Any]) -> None:
    assert told["queued"] == 202
    assert (told["operation"], told["queue"]) == (400, "plugin.greeter")
    assert "greeter.count" in told["job"]


def test_its_task_counts(told: dict[str, Any]) -> None:
    assert (told["status"], told["result"]) == ("done", {"entries": 1})


def test_its_validation_hook_refuses_naming_the_plugin(told: dict[str, Any]) -> None:
    status, answer = told["refused"]
    assert status == 400
    assert "greeter" in json.dumps(answer)
    assert "LOUD" in json.dumps(answer)


def test_it_lets_other_entries_pass(told: dict[str, Any]) -> None:
    assert told["made"] == 201


def test_it_has_about_thirty_lines() -> None:
    (code,) = re.findall(r"greeter\.py -->\n```python\n(.*?)```", README, flags=re.DOTALL)
    assert len([line for line in code.splitlines() if line.strip()]) <= 30
