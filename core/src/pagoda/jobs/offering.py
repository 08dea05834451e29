"""Tasks that people run themselves, from the API and the console: which, and who may.

A task is offered by the model of its params, unless its operation is hidden. Running one is no right to what
it does: it acts for whoever asked, with their rights, and ``TaskOptions.permission`` bounds who may ask.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import PermissionDenied

from pagoda.domain.access import readable
from pagoda.domain.entity.models import Entity
from pagoda.domain.entry.models import Entry
from pagoda.domain.user.models import User
from pagoda.domain.user.permissions import Viewer
from pagoda.jobs.job_errors import PluginNotActive, TaskNotOffered, UnknownOperation, UnknownTarget
from pagoda.jobs.models import Job
from pagoda.jobs.operations import OperationSpec, all_specs, resolve_name
from pagoda.jobs.plugin_host import active_plugin_ids, known_plugin_names
from pagoda_plugin_sdk.rules.saying import say
from pagoda_plugin_sdk.rules.text import clean_name
from pagoda_plugin_sdk.task_registry import PluginTaskRegistry
from pagoda_plugin_sdk.washing import shown


def is_offered(spec: OperationSpec) -> bool:
    """Return whether people may run the task at all."""
    return spec.options is not None and spec.options.params_model is not None and not spec.is_hidden


def may_run(user: Viewer, spec: OperationSpec) -> bool:
    """Return whether `user` may run the task."""
    if not isinstance(user, User) or not user.is_active or not is_offered(spec) or spec.options is None:
        return False
    return spec.options.permission is None or user.has_perm(spec.options.permission)


def offered_to(user: Viewer, target: str | None = None, entity: str = "") -> list[OperationSpec]:
    """Return the tasks that `user` may run, by plugin and name: all, or those that work on a `target`.

    That is the entity of this name, or an entry of it.
    """
    found = [
        spec
        for spec in all_specs()
        if target is None or (target_of(spec) == target and target_entity_of(spec) in (None, entity))
    ]
    return sorted(
        (spec for spec in found if may_run(user, spec)), key=lambda spec: (spec.plugin_id, spec.name)
    )


def run_offered(
    user: User,
    plugin: str,
    name: str,
    *,
    params: Mapping[str, Any],
    entry: int | None = None,
    entity: int | None = None,
) -> Job:
    """Return a new job of a plugin's task for `user`, on what has one of these ids, which they may read.

    Raises:
        PluginNotActive: the plugin is known and out of service.
        UnknownOperation: there is no such plugin or task; the closest names are given.
        TaskNotOffered: the task is not for people.
        PermissionDenied: the user lacks the permission that the task asks for.
        UnknownTarget: there is no such entry or entity for the user, or none is given to a task that has one.
        ParamsRefused: the params do not fit the task's model.
        TooManyJobs: the user has as many unfinished ones as one may have.
    """
    spec = _resolve(plugin, name)
    if not is_offered(spec):
        raise TaskNotOffered(
            say(
                "Task {name!r} of plugin {plugin!r} can't be run from here: its plugin starts it "
                "itself. One that has a `params_model` and is not hidden can.",
                name=name,
                plugin=plugin,
            )
        )
    if not may_run(user, spec):
        needed = spec.options.permission if spec.options is not None else None
        raise PermissionDenied(
            say(
                "You need the permission {needed!r} to run task {task_name}.",
                needed=needed,
                task_name=spec.task_name,
            )
        )
    _require_target(spec, {"entry": entry, "entity": entity})
    target = _target(user, entry, entity)
    _require_entity(spec, target)
    return Job.objects.submit(
        plugin=spec.plugin_id,
        operation_name=spec.name,
        user=user,
        params=params,
        target=target,
    )


def _resolve(plugin: str, name: str) -> OperationSpec:
    try:
        return resolve_name(plugin, name)
    except UnknownOperation as error:
        plugin_id = PluginTaskRegistry.canonical(plugin)
        if plugin not in known_plugin_names() or plugin_id in active_plugin_ids():
            raise
        raise PluginNotActive(
            say(
                "Plugin {plugin!r} is enabled and not in service: /api/v2/plugins/{plugin_id}/ and "
                "`pagoda plugins list` say why. Mend that, and start the processes anew.",
                plugin=plugin,
                plugin_id=plugin_id,
            )
        ) from error


def target_of(spec: OperationSpec) -> str | None:
    """Return what people have to give to the task, ``entry`` or ``entity``; None: nothing."""
    return None if spec.options is None else spec.options.target


def target_entity_of(spec: OperationSpec) -> str | None:
    """Return the name of the entity that the target is to be, or to be an entry of; None: any."""
    name: str | None = None if spec.options is None else clean_name(spec.options.target_entity)
    return name


def _require_entity(spec: OperationSpec, target: Entry | Entity | None) -> None:
    entity = target_entity_of(spec)
    if target is None or entity is None:
        return
    kind, given = ("entry", target.schema.name) if isinstance(target, Entry) else ("entity", target.name)
    if given != entity:
        told = say(
            "Task {name!r} works on entity {entity!r} or its entries alone, and {target!r} is of {given!r}.",
            name=spec.name,
            entity=entity,
            target=target.name,
            given=given,
        )
        raise UnknownTarget(kind, told)


def _require_target(spec: OperationSpec, given: Mapping[str, int | None]) -> None:
    match target_of(spec):
        case "entry" if given["entry"] is None:
            raise UnknownTarget("entry", say("Task {name!r} works on an entry: give one.", name=spec.name))
        case "entity" if given["entity"] is None:
            raise UnknownTarget("entity", say("Task {name!r} works on an entity: give one.", name=spec.name))


def _target(user: User, entry: int | None, entity: int | None) -> Entry | Entity | None:
    if entry is not None and entity is not None:
        raise UnknownTarget("entity", say("A job works on an entry or on an entity: give one of them."))
    if entry is not None:
        return _found(readable(Entry.objects.active(), user).filter(pk=entry).first(), "entry", entry)
    if entity is not None:
        return _found(readable(Entity.objects.active(), user).filter(pk=entity).first(), "entity", entity)
    return None


def _found[T](row: T | None, kind: str, number: int) -> T:
    if row is None:
        raise UnknownTarget(
            kind, say("There is no {kind} {number}, or you may not see it.", kind=kind, number=shown(number))
        )
    return row
