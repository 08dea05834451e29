from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from pagoda.domain.acting import acting_as
from pagoda.domain.entity.models import Entity
from pagoda.domain.user.models import User
from pagoda.hooks.manager import HookManager, install
from pagoda.jobs import deferred, operations, store
from pagoda.jobs.engine import run_attempt
from pagoda.jobs.models import Job
from pagoda.jobs.testing import RecordingPublisher
from pagoda_plugin_sdk.hooks import HOOK_SPECS
from pagoda_plugin_sdk.operations import JobOperation, JobStatus

calls: list[Any] = []


def note(user: Any, entity: Any) -> None:
    calls.append((user, entity.name))


def refuse(user: Any, entity: Any) -> None:
    raise ValueError("not today")


@pytest.fixture
def manager(db: None) -> Iterator[HookManager]:
    """The process's hook manager, replaced by one that defers to jobs."""
    calls.clear()
    fresh = HookManager()
    replaced = install(fresh)
    deferred.install()
    yield fresh
    fresh.close()
    install(replaced)


@pytest.fixture
def user(db: None) -> User:
    return User.objects.create(username="ada", is_superuser=True)


def run(job: Job) -> Job:
    attempt = store.claim(job.pk, "node/1", 30)
    assert attempt is not None
    run_attempt(attempt, operations.resolve(job.operation), report=lambda error: None)
    job.refresh_from_db()
    return job


def test_a_deferred_handler_runs_in_a_job_of_its_plugin(
    manager: HookManager, user: User, publisher: RecordingPublisher
) -> None:
    manager.register_hook("entity.after_create", note, plugin_id="shop", deferred=True)
    entity = Entity.objects.create(name="customer")

    manager.execute_hook("entity.after_create", user, entity)

    assert calls == []
    job = Job.objects.get()
    assert (job.plugin, job.queue, job.operation) == ("shop", "plugin.shop", JobOperation.RUN_DEFERRED_HOOK)
    assert (job.user, job.text) == (user, "entity.after_create: note")
    assert run(job).status == JobStatus.DONE
    assert calls == [(user, "customer")]


def test_it_gets_the_object_as_it_is_then(manager: HookManager, publisher: RecordingPublisher) -> None:
    manager.register_hook("entity.after_update", note, plugin_id="shop", deferred=True)
    entity = Entity.objects.create(name="customer")
    manager.execute_hook("entity.after_update", None, entity)
    Entity.objects.filter(pk=entity.pk).update(name="client")

    run(Job.objects.get(operation=JobOperation.RUN_DEFERRED_HOOK))

    assert calls == [(None, "client")]


def test_it_is_queued_with_the_change_and_undone_with_it(
    manager: HookManager, publisher: RecordingPublisher, committed: Any
) -> None:
    manager.register_hook("entity.after_create", note, plugin_id="shop", deferred=True)

    with committed():
        manager.execute_hook("entity.after_create", None, Entity.objects.create(name="customer"))
        assert publisher.sent == []

    assert [message.task_name for message in publisher.sent] == ["core.run_deferred_hook"]


@pytest.mark.django_db(transaction=True)
def test_a_change_that_is_rolled_back_runs_no_handler(
    manager: HookManager, publisher: RecordingPublisher
) -> None:
    from django.db import transaction

    manager.register_hook("entity.after_create", note, plugin_id="shop", deferred=True)

    with transaction.atomic():
        manager.execute_hook("entity.after_create", None, Entity.objects.create(name="customer"))
        transaction.set_rollback(True)

    assert (Job.objects.count(), publisher.sent) == (0, [])


def test_arguments_of_an_entry_hook_travel_too(
    manager: HookManager, user: User, publisher: RecordingPublisher
) -> None:
    from pagoda.domain.entry.models import Entry

    seen: list[Any] = []

    def on_delete(entity_name: str, user: Any, entry: Any) -> None:
        seen.append((entity_name, user, entry.name))

    manager.register_hook("entry.after_delete", on_delete, plugin_id="shop", deferred=True)
    schema = Entity.objects.create(name="customer")
    entry = Entry.objects.create_entry(user=user, schema=schema, name="acme")

    with acting_as(user):
        manager.execute_hook("entry.after_delete", "customer", user, entry)
    Entry._base_manager.filter(pk=entry.pk).update(is_active=False)
    run(Job.objects.get(operation=JobOperation.RUN_DEFERRED_HOOK))

    assert seen == [("customer", user, "acme")]


def test_a_handler_that_fails_is_tried_again(manager: HookManager, publisher: RecordingPublisher) -> None:
    manager.register_hook("entity.after_create", refuse, plugin_id="shop", deferred=True)
    manager.execute_hook("entity.after_create", None, Entity.objects.create(name="customer"))

    job = run(Job.objects.get())

    assert (job.status, job.phase, job.error) == (JobStatus.PROCESSING, "scheduled", "ValueError: not today")


def test_a_handler_that_is_gone_is_named(manager: HookManager, publisher: RecordingPublisher) -> None:
    manager.register_hook("entity.after_create", note, plugin_id="shop", deferred=True)
    manager.execute_hook("entity.after_create", None, Entity.objects.create(name="customer"))
    manager.unregister_plugin("shop")

    job = run(Job.objects.get())

    assert job.error.startswith(
        "JobError: Deferred handler 'shop:entity.after_create:note' of 'entity.after_create' is not"
    )


def test_an_object_that_is_gone_is_named(manager: HookManager, publisher: RecordingPublisher) -> None:
    manager.register_hook("entity.after_create", note, plugin_id="shop", deferred=True)
    entity = Entity.objects.create(name="customer")
    manager.execute_hook("entity.after_create", None, entity)
    Entity._base_manager.filter(pk=entity.pk)._raw_delete("default")

    job = run(Job.objects.get())

    assert job.error.startswith(
        f"JobError: Entity {entity.pk} of deferred hook 'entity.after_create' does not exist"
    )


@pytest.mark.parametrize("name", [name for name in HOOK_SPECS if ".after_" in name])
def test_every_after_hook_has_a_subject_and_arguments_that_json_can_hold(name: str) -> None:
    spec = HOOK_SPECS[name]

    assert spec.subject in spec.arguments
    assert set(spec.arguments) - {"user", spec.subject} <= {"entity_name"}
    assert json.dumps({"entity_name": "customer"})
