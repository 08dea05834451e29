"""A plugin that mypy and pyright find nothing wrong with. It is read, not run."""

from __future__ import annotations

from typing import Any, assert_type

from pydantic import BaseModel
from rest_framework.request import Request
from rest_framework.response import Response

from pagoda_plugin_sdk import (
    JobStatus,
    OverrideContext,
    Plugin,
    PluginAPIView,
    accepted_response,
    override_operation,
    plugin_task,
    register_plugin_job_task,
)
from pagoda_plugin_sdk.decorators import entity_hook, entry_hook, get_attrs_hook, validation_hook
from pagoda_plugin_sdk.models import Entity, Entry, Job, User
from pagoda_plugin_sdk.protocols import EntityProtocol, EntryProtocol, JobProtocol, UserProtocol
from pagoda_plugin_sdk.tasks import JobContext


class TypedParams(BaseModel):
    rack: int = 1


class TypedPlugin(Plugin):
    id = "typed"
    name = "Typed"
    params_model = TypedParams

    @entry_hook("before_create", entity="Rack")
    def fill(
        self, entity_name: str, user: User | None, validated_data: dict[str, Any], **context: Any
    ) -> dict[str, Any]:
        return {**validated_data, "note": entity_name}

    @entry_hook("entry.before_update")
    def change(
        self, entity_name: str, user: User | None, validated_data: dict[str, Any], entry: Entry
    ) -> dict[str, Any] | None:
        return None

    @entry_hook("before_delete")
    @entry_hook("after_restore_entry_v2", priority=5, deferred=True)
    def see(self, entity_name: str, user: User | None, entry: Entry, **context: Any) -> None:
        assert_type(entry.name, str)

    @entry_hook("after_create")
    def see_all(self, *args: Any, **context: Any) -> None: ...

    @entry_hook("after_update")
    def see_untyped(self, entity_name, user, entry, **context):  # type: ignore[no-untyped-def]
        return entry

    @entity_hook("before_create")
    def fill_entity(self, user: User | None, validated_data: dict[str, Any]) -> dict[str, Any]:
        return validated_data

    @entity_hook("before_update")
    def change_entity(
        self, user: User | None, validated_data: dict[str, Any], entity: Entity
    ) -> dict[str, Any]:
        return validated_data

    @entity_hook("after_delete", deferred=True)
    def see_entity(self, user: UserProtocol | None, entity: EntityProtocol) -> str:
        return entity.name

    @validation_hook("Rack", priority=1)
    def check(
        self,
        user: User | None,
        schema_name: str,
        name: str,
        attrs: list[dict[str, Any]],
        instance: Entry | None,
        **context: Any,
    ) -> None: ...

    @get_attrs_hook()
    def show(
        self, entry: EntryProtocol, attrinfo: list[dict[str, Any]], is_retrieve: bool
    ) -> list[dict[str, Any]]:
        return attrinfo

    @get_attrs_hook("entity")
    def show_entity(self, entity: Entity, attrinfo: list[dict[str, Any]]) -> None: ...

    @override_operation("create")
    def create(self, context: OverrideContext) -> Response | None:
        assert_type(context.entity, EntityProtocol)
        return accepted_response() if context.is_authenticated else None


@plugin_task
def bare(job: JobContext) -> None: ...


@plugin_task(1, max_attempts=3, schedule="*/5 * * * *", singleton=True, soft_time_limit_seconds=1.5)
def scan(job: JobContext) -> dict[str, int]:
    job.progress(10, "scanning")
    return {"n": 1}


@register_plugin_job_task(2)
def raw(self: Any, job_id: int) -> None:
    job = Job.objects.get(id=job_id)
    job.update(JobStatus.DONE)


class ScanningView(PluginAPIView):
    def post(self, request: Request) -> Response:
        entry = Entry.objects.filter(schema__name="Rack").first()
        job = Job.objects.submit(
            plugin="typed", operation_name="scan", user=request.user, params={"n": 1}, target=entry
        )
        assert_type(job, JobProtocol)
        assert_type(
            Job.objects.submit_many(plugin="typed", operation_name="scan", user=None, params=[{}]),
            list[JobProtocol],
        )
        Job._create_new_job(request.user, 200, {"n": 1})
        assert_type(Job.method_table().get(200), Any | None)
        Job._create_new_job(request.user, entry, 200, "text", {"n": 1})
        ann = User.objects.filter(username="ann").first()
        assert_type(ann, UserProtocol | None)
        return Response({"id": job.id, "email": ann.email if ann else None})
