"""Migrates as the owner, makes accounts with the permissions of its argument, and fills the tables once."""

from __future__ import annotations

import json
import sys

import django
from django.core.management import call_command

from pagoda.config.loading import load_settings
from pagoda.config.logging import configure_logging

configure_logging(load_settings(), service="cli")
django.setup()
call_command("migrate", verbosity=0)

from dataclasses import replace  # noqa: E402

from django.contrib.admin.models import LogEntry  # noqa: E402
from django.db import connection  # noqa: E402
from django.db.models.functions import Now  # noqa: E402
from pagoda_trial.models import Trace  # noqa: E402

from pagoda.audit.actions import Action  # noqa: E402
from pagoda.audit.models import AuditEvent  # noqa: E402
from pagoda.audit.recording import record  # noqa: E402
from pagoda.database_accounts import applying  # noqa: E402
from pagoda.domain.entity.models import Entity  # noqa: E402
from pagoda.domain.entry.models import Entry  # noqa: E402
from pagoda.domain.user.models import ApiToken, Role, RolePermission, User  # noqa: E402
from pagoda.fencing.models import Breaker  # noqa: E402
from pagoda.jobs import operations, store  # noqa: E402
from pagoda.jobs.models import Job, JobFile  # noqa: E402
from pagoda.plugins.registry import registry  # noqa: E402
from pagoda.rates.models import LoginCount  # noqa: E402
from pagoda.watching.models import AlertState, Presence, TrafficMinute  # noqa: E402
from pagoda_plugin_sdk.operations import JobStatus  # noqa: E402

PERMISSIONS = json.loads(sys.argv[1])


def made() -> applying.DatabaseAccountsMade:
    accounts = [
        replace(account, permissions=frozenset(PERMISSIONS.get(account.plugin_id, ())))
        for account in applying.plugin_accounts(registry())
    ]
    return applying.apply_accounts(accounts, {}, enabled={account.role for account in accounts})


def job_of(plugin: str, task: str, user: User, **params: str) -> Job:
    request = store.JobRequest(operation=operations.resolve_name(plugin, task), user=user, params=params)
    job = store.create(request)  # nobody is sent to it
    store.run_here(job)
    return job


def claimed(job: Job) -> store.Attempt:
    attempt = store.claim(job.pk, "elsewhere/1", 3600.0)
    assert attempt is not None
    return attempt


def fill() -> dict[str, object]:
    boss = User.objects.create_superuser("boss", password="a password of boss")
    ann, bob = User.objects.create_user("ann"), User.objects.create_user("bob")
    attrs = [{"name": "text", "type": "string"}]
    kinds = {
        name: Entity.objects.create_entity(user=boss, name=name, attrs=attrs, default_permission=8)
        for name in ("Open", "Traced", "Secret")
    }
    for name, value in (("Open", "open to all"), ("Secret", "top secret")):
        Entry.objects.create_entry(user=boss, schema=kinds[name], name=f"of {name}", attrs={"text": value})
    for text in PERMISSIONS["neighbour"]:
        if text.startswith("entry:read:"):
            Entity.objects.create_entity(user=boss, name=text.removeprefix("entry:read:"))
    own, ended, other = (
        job_of("neighbour", "whereabouts", ann),
        job_of("neighbour", "whereabouts", ann),
        job_of("hello-world", "greet", bob, name="Bob"),
    )
    claimed(own)
    store.finish(claimed(ended), JobStatus.DONE)
    store.add_log(other.pk, 1, [store.JobLogLine(level="info", message="of hello-world")])
    JobFile.objects.create(job=other, content=b"of hello-world")
    numbers = {"since": 0, "window": 0, "calls": 9, "failures": 0, "retry_at": 0, "version": 1}
    Breaker.objects.create(plugin="trial", surface="task", status="closed", streaks={}, **numbers)
    TrafficMinute.objects.create(plugin="inventory", surface="hook", minute=1)
    Presence.objects.create(node="api@h/1", service="api", host="h", pid=1)
    record(Action.USER_UPDATED, subject="boss")
    ApiToken.issue(bob, "of bob", None)
    role = Role.objects.create(name="role")
    RolePermission.objects.create(role=role, entity=kinds["Secret"], level=2)
    LoginCount.objects.create(key="bob", waits_until=Now(), forgotten_at=Now())
    LogEntry.objects.create(user=boss, action_flag=1)
    AlertState.objects.create(rule="queue_age", subject="core")
    Trace.objects.create(what="of trial", subject="x", host="h", process=1)
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO django_session VALUES ('key', 'data', now())")
    return {
        "own_job": own.pk,
        "own_ended": ended.pk,
        "other_job": other.pk,
        "own_user": ann.pk,
        "other_user": bob.pk,
        "secret_entity": kinds["Secret"].pk,
        "open_entity": kinds["Open"].pk,
        "other_event": AuditEvent.objects.latest("pk").pk,
    }


applied = made()
facts = fill() if not User.objects.exists() else {}
sys.stdout.write(json.dumps({"facts": facts, "faults": applied.faults, "revoked": applied.revoked}) + "\n")
