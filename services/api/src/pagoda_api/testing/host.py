"""The real host as a test sees it: a database of its own, users of any level, clients, tasks, hooks."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any, Self

from django.contrib.contenttypes.models import ContentType
from django.core.cache import cache
from django.core.management import call_command
from django.db import connection
from django.test import Client
from rest_framework.test import APIClient

from pagoda.domain.acting import acting_as
from pagoda.domain.entity.models import Entity, EntityAttr
from pagoda.domain.user.models import ApiToken, Role, RolePermission, User
from pagoda.hooks.manager import manager
from pagoda.hooks.testing import fresh_breaker
from pagoda.jobs.models import Job
from pagoda.jobs.testing import recording_publisher
from pagoda.plugins.configuration import settings_of
from pagoda.plugins.permissions import PluginGrants
from pagoda.plugins.registry import registry
from pagoda_api import endpoint_fence
from pagoda_plugin_sdk.plugin import Plugin


class PagodaHost:
    """The host of this process for one test; what is written is committed, and gone with the database.

    Plugins have what they ask for in `Plugin.permissions`. Jobs wait until `run_jobs` or `run_task`.
    """

    def __init__(self, template: Path, path: Path) -> None:
        self._template, self._path = template, path
        self._undo = ExitStack()

    @staticmethod
    def prepare(path: Path) -> None:
        """Make a database with every table at `path`; the hosts of the tests have copies of it."""
        _connect(path)
        call_command("migrate", verbosity=0, interactive=False)
        connection.close()

    def __enter__(self) -> Self:
        shutil.copyfile(self._template, self._path)
        _connect(self._path)
        self._undo.callback(connection.close)
        ContentType.objects.clear_cache()
        cache.clear()
        self._undo.enter_context(fresh_breaker())
        self._undo.callback(endpoint_fence.install, endpoint_fence.install(None))
        self._undo.enter_context(recording_publisher())
        for record in registry().active:
            record.grants = PluginGrants(record.grants.asked, record.grants.asked)
        return self

    def __exit__(self, *_: object) -> None:
        self._undo.close()

    @property
    def plugins(self) -> list[Plugin]:
        """The plugins in service, in their order."""
        return [record.plugin for record in registry().active if record.plugin is not None]

    def register(self, plugin: Plugin, **values: Any) -> Plugin:  # Any: of the plugin's settings
        """Put one more plugin in service for the test, with its settings; its URLs are not served."""
        self._undo.callback(registry().register(plugin))
        if values:
            self.settings(values, plugin)
        return plugin

    def settings(self, values: Mapping[str, Any], plugin: Plugin | None = None) -> Any:
        """Give a plugin, the first by default, these settings for the test and return them, validated.

        Any: an instance of its model.

        Raises:
            PluginRefused: they do not fit; each fault names its field.
        """
        plugin = plugin or self.plugins[0]
        record, before = registry().get(plugin.id), plugin.settings
        if record.declared is None:
            raise ValueError(f"{record.label} is {record.status.value}, expected active.")
        kept = before.model_dump() if before is not None else {}
        plugin.settings = settings_of(
            record.declared, record.label, [plugin.id], {plugin.id: kept | {**values}}
        )
        self._undo.callback(setattr, plugin, "settings", before)
        return plugin.settings

    def user(self, username: str = "ann", *, is_superuser: bool = False) -> User:
        """Return the user of this name, made at the first call."""
        return User.objects.get_or_create(
            username=username, defaults={"is_superuser": is_superuser, "is_staff": is_superuser}
        )[0]

    def allow(self, user: User, level: int, *things: Any) -> None:
        """Give `user` a level on entities, attributes and entries, or, if none is named, on every entity."""
        role = Role.objects.create(name=f"{user.username} {Role.objects.count()}")
        role.users.add(user)
        for thing in things or Entity.objects.all():
            kind = (
                "entity"
                if isinstance(thing, Entity)
                else "attr"
                if isinstance(thing, EntityAttr)
                else "entry"
            )
            RolePermission.objects.create(role=role, level=level, **{kind: thing})

    def acting(self, user: User | None) -> AbstractContextManager[User | None]:
        """Return a block in which `user` acts, as in a request of theirs."""
        return acting_as(user)

    def client(self, user: User | None) -> APIClient:
        """Return a client of the API that sends a token of `user`; None: it is not logged in."""
        client = APIClient(raise_request_exception=False)
        if user is not None:
            client.credentials(HTTP_AUTHORIZATION=f"Token {ApiToken.issue(user, 'test', None)[1]}")
        return client

    def browser(self, user: User | None) -> Client:
        """Return a browser in which `user` is logged in; None: nobody is."""
        return browser_of(user)

    def run_hook(self, name: str, *arguments: Any, entity_name: str | None = None) -> Any:
        """Run the handlers of a hook as a write does; return the data of a transform or filter."""
        return manager().execute_hook(name, *arguments, entity_name=entity_name)

    def run_task(
        self,
        plugin: str,
        operation_name: str,
        params: Mapping[str, Any] | None = None,
        user: User | None = None,
    ) -> Job:
        """Run an operation of a plugin to its end, once, in this process; return its job."""
        job = Job.objects.submit(plugin=plugin, operation_name=operation_name, user=user, params=params or {})
        return _run(job)

    def run_jobs(self) -> list[Job]:
        """Run the jobs that wait, those that they submit included; return them."""
        done: list[Job] = []
        while (
            waiting := Job.objects.filter(finished_at=None).exclude(pk__in=[job.pk for job in done]).first()
        ):
            done.append(_run(waiting))
        return done


def browser_of(user: User | None) -> Client:
    """Return a browser in which `user` is logged in; None: nobody is."""
    browser = Client(raise_request_exception=False)
    if user is not None:
        browser.force_login(user)
    return browser


def _run(job: Job) -> Job:
    Job.objects.filter(pk=job.pk).update(max_attempts=1)  # a test has no time to wait for the next one
    job.refresh_from_db()
    job.run(will_delay=False)
    job.refresh_from_db()
    return job


def _connect(path: Path) -> None:
    """Have this process's connections, those of threads to come too, be to the database in this file."""
    connection.close()
    connection.settings_dict["NAME"] = str(path)
