"""Deferred hook handlers: each run is a job on the plugin's queue, made with the change it is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.apps import apps

from pagoda import running
from pagoda.hooks.manager import manager
from pagoda.hooks.records import HandlerRecord
from pagoda.jobs import operations, store
from pagoda.jobs.job_errors import JobError
from pagoda_plugin_sdk.hooks import HOOK_SPECS, HookSpec
from pagoda_plugin_sdk.operations import JobOperation

_MODELS = {"entry": "entry.Entry", "entity": "entity.Entity"}
_GIVEN = ("user",)  # the job has it


def install() -> None:
    """Have deferred handlers become jobs."""
    manager().set_deferrer(defer)


@running.as_host()
def defer(record: HandlerRecord, spec: HookSpec, args: Sequence[Any]) -> None:
    """Queue a run of the handler: it goes out when the change is committed, and never if it is undone."""
    named = dict(zip(spec.arguments, args, strict=False))
    subject = named[spec.subject]
    params = {
        "hook": spec.name,
        "handler": record.key,
        "object": subject.pk,
        "values": {k: v for k, v in named.items() if k not in (*_GIVEN, spec.subject)},
    }
    store.submit(
        store.JobRequest(
            operation=operations.resolve(JobOperation.RUN_DEFERRED_HOOK),
            plugin=record.plugin_id,
            user=named.get("user"),
            params=params,
            text=f"{spec.name}: {record.name}",
        )
    )


def run(params: Mapping[str, Any], user: Any) -> None:
    """Call the handler that `params` of a job name, with the object read anew.

    Raises:
        JobError: the handler or the object does not exist any more.
    """
    spec = HOOK_SPECS[params["hook"]]
    record = _record(spec, params["handler"])
    model = apps.get_model(_MODELS[spec.subject])
    with running.as_host():
        subject = model._base_manager.filter(pk=params["object"]).first()  # deleted ones, too
    if subject is None:
        raise JobError(
            f"{model.__name__} {params['object']!r} of deferred hook {spec.name!r} does not exist any more."
        )
    values = {**params["values"], "user": user, spec.subject: subject}
    record.handler(*(values[name] for name in spec.arguments))


def _record(spec: HookSpec, key: str) -> HandlerRecord:
    record = manager().find(key)
    if record is None:
        raise JobError(
            f"Deferred handler {key!r} of {spec.name!r} is not registered in this worker. Start the worker "
            "with the plugin's version that has it, then retry the job."
        )
    return record
