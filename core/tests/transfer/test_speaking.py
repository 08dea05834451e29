"""Jobs of the host tell what they did in the language in which they were asked for."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.utils.translation import get_language, override

from pagoda.domain.entity.models import Entity
from pagoda.domain.entry.models import Entry
from pagoda.domain.user.models import User
from pagoda.jobs import schema_tasks
from pagoda.jobs.models import Job
from pagoda.jobs.operations import resolve
from pagoda.jobs.testing import recording_publisher
from pagoda.transfer import tasks
from pagoda.transfer.importing import ImportOptions
from pagoda_plugin_sdk.operations import JobStatus

pytestmark = pytest.mark.django_db

TEXTS = {
    "en": ("import of csv", "Nothing is written: rows were refused.", "expected a number"),
    "ja": ("csv のインポート", "拒否された行があるため", "数を入れてください"),
}


class Heard:
    """What a task tells its job."""

    def __init__(self, job: Job) -> None:
        self.id, self.user, self.params = job.pk, job.user, json.loads(job.params)
        self.said: list[str] = []
        self.ended: dict[str, Any] = {}

    def progress(self, percent: float, text: str = "") -> None:
        self.said.append(text)

    def checkpoint(self) -> None: ...

    def finish(self, status: object, *, text: str = "", result: Any = None) -> None:
        self.ended = {"text": text, "result": result}


@pytest.fixture
def root() -> User:
    user: User = User.objects.create_superuser("root")
    return user


@pytest.fixture
def host() -> Entity:
    made: Entity = Entity.objects.create_entity(
        user=None, name="Host", attrs=[{"name": "ram", "type": "number"}, {"name": "size", "type": "string"}]
    )
    return made


@pytest.mark.parametrize("language", TEXTS)
def test_the_report_of_an_import(root: User, host: Entity, language: str) -> None:
    with override(language), recording_publisher():
        job = tasks.submit_import(
            root, b"name,ram\nweb,many\n", ImportOptions(file_format="csv", entity="Host")
        )
    heard, before = Heard(job), get_language()
    resolve(job.operation).handler(heard)
    title, text, reason = TEXTS[language]
    assert title in job.text
    assert text in heard.ended["text"]
    assert reason in heard.ended["result"]["refusals"][0]["reason"]
    assert get_language() == before


@pytest.mark.parametrize(("language", "told"), [("en", "The file is empty."), ("ja", "ファイルが空です")])
def test_a_file_that_can_t_be_read_is_told_once(root: User, host: Entity, language: str, told: str) -> None:
    """Another try would find the same file; what the job says is for who asked, without a class's name."""
    with override(language):
        job = tasks.submit_import(root, b"", ImportOptions(file_format="csv", entity="Host"))
    job.run(will_delay=False)
    job.refresh_from_db()
    assert (JobStatus(job.status), job.attempt) == (JobStatus.ERROR, 1)
    assert job.text.startswith(told)
    assert "TransferFault" not in job.text + job.error


def test_an_export_that_can_t_be_made_is_told_once(root: User) -> None:
    job = tasks.submit_export(root, file_format="csv", entities=["None such"])
    job.run(will_delay=False)
    job.refresh_from_db()
    assert (JobStatus(job.status), job.attempt) == (JobStatus.ERROR, 1)
    assert "None such" in job.text


@pytest.mark.parametrize(("language", "told"), [("en", "Nothing is changed"), ("ja", "何も変更していません")])
def test_what_a_conversion_is_refused_with(root: User, host: Entity, language: str, told: str) -> None:
    attr = host.attrs.get(name="size")
    with override(language), recording_publisher():
        job = schema_tasks.submit_conversion(root, host, [{"id": attr.pk, "type": "number"}])
    Entry.objects.create_entry(user=None, schema=host, name="web", attrs={"size": "many"})
    heard = Heard(job)
    resolve(job.operation).handler(heard)
    assert told in heard.ended["text"]
