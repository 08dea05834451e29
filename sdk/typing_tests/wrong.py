"""What mypy and pyright both find: an error on each line that ends in ``wrong``, and on no other."""

from __future__ import annotations

from typing import Any

from pagoda_plugin_sdk import OverrideContext, Plugin, override_operation, plugin_task
from pagoda_plugin_sdk.decorators import entity_hook, entry_hook, get_attrs_hook, validation_hook
from pagoda_plugin_sdk.models import Entity, Entry, Job, User
from pagoda_plugin_sdk.tasks import JobContext

entry_hook("after_craete")  # wrong
entry_hook("entity.after_create")  # wrong
entity_hook("before_restore")  # wrong
get_attrs_hook("attribute")  # wrong
override_operation("crate")  # wrong
entry_hook("before_create", deferred=True)  # wrong
entry_hook("after_create", priority="first")  # wrong


class WronglyTypedPlugin(Plugin):
    @entry_hook("after_create")  # wrong
    def too_few(self, user: User | None, entry: Entry) -> None: ...

    @entry_hook("after_create")  # wrong
    def too_many(self, entity_name: str, user: User | None, entry: Entry, more: int) -> None: ...

    @entry_hook("after_create")  # wrong
    def of_another_type(self, entity_name: int, user: User | None, entry: Entry) -> None: ...

    @entry_hook("after_create")  # wrong
    def of_an_entity(self, entity_name: str, user: User | None, entry: Entity) -> None: ...

    @entry_hook("before_create")  # wrong
    def gives_a_text(self, entity_name: str, user: User | None, data: dict[str, Any]) -> str:
        return ""

    @entry_hook("before_update")  # wrong
    def without_its_entry(self, entity_name: str, user: User | None, data: dict[str, Any]) -> None: ...

    @entity_hook("after_create")  # wrong
    def with_a_name(self, entity_name: str, user: User | None, entity: Entity) -> None: ...

    @validation_hook()  # wrong
    def checks_too_little(self, user: User | None, name: str) -> None: ...

    @get_attrs_hook("entity")  # wrong
    def shows_an_entry(self, entry: Entry, attrinfo: list[dict[str, Any]], is_retrieve: bool) -> None: ...

    @override_operation("create")  # wrong
    def without_context(self) -> None: ...

    @override_operation("create")  # wrong
    def with_more(self, context: OverrideContext, more: int) -> None: ...

    @override_operation("retrieve")  # wrong
    def answers_a_text(self, context: OverrideContext) -> str:
        return context.operation

    @override_operation("list")  # wrong
    async def is_awaited(self, context: OverrideContext) -> None: ...


@plugin_task(0, max_tries=3)  # wrong
def misspelt(job: JobContext) -> None: ...


@plugin_task(0, max_attempts="three")  # wrong
def of_another_type(job: JobContext) -> None: ...


@plugin_task(0)  # wrong
def without_job() -> None: ...


Job.objects.submit(plugin="typed", operation="scan", user=None)  # wrong
Job.objects.submit(plugin="typed", operation_name="scan", user="ann")  # wrong
Job.objects.submit(plugin="typed", operation_name="scan", user=None, target=5)  # wrong
User.objects.get(username="ann").nickname  # wrong
Entry.objects.get(pk=1).title  # wrong
