from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from pagoda_plugin_sdk import HookRejected, JobStatus, Plugin, PluginTaskConfig, PluginTaskRegistry
from pagoda_plugin_sdk.decorators import validation_hook
from pagoda_plugin_sdk.models import Entity, EntityAttr, Entry, Job
from pagoda_plugin_sdk.testing import MemoryHost, injected


class Strict(Plugin):
    id = "strict"
    name = "Strict"

    @validation_hook(entity="Host")
    def refuse(self, user: Any, schema_name: str, name: str, attrs: Any, instance: Any) -> None:
        values = {attr["name"]: attr["value"] for attr in attrs}
        if values.get("os") == "DOS":
            raise HookRejected(f"{name} runs DOS")


@pytest.fixture
def host() -> Iterator[MemoryHost]:
    made = MemoryHost(Strict())
    with injected(made.models):
        Entity.objects.create_entity(
            user=None,
            name="Host",
            attrs=[
                {"name": "os", "type": "string"},
                {"name": "addresses", "type": "array_string"},
                {"name": "parent", "type": "object", "referral": ["Host"]},
                {"name": "peers", "type": "array_object", "referral": ["Host"]},
            ],
        )
        yield made


def make(name: str, **attrs: Any) -> Any:
    return Entry.objects.create_entry(
        user=None, schema=Entity.objects.get(name="Host"), name=name, attrs=attrs
    )


def test_entry_shows_its_values_as_the_host_does(host: MemoryHost) -> None:
    parent = make("rack")
    child = make("web-1", os="Linux", parent=parent, peers=[parent])
    reference = {"id": parent.id, "name": "rack", "schema": {"id": 1, "name": "Host"}}

    assert parent.get_attrs() == {"os": None, "addresses": [], "parent": None, "peers": []}
    assert child.get_attrs() == {"os": "Linux", "addresses": [], "parent": reference, "peers": [reference]}
    assert Entry.objects.read_attrs([parent, child]) == {
        parent.id: parent.get_attrs(),
        child.id: child.get_attrs(),
    }


def test_writes_are_listed_and_versions_counted(host: MemoryHost) -> None:
    entry = make("web-1", os="Linux")
    entry.set_attrs(None, os="BSD", addresses=["192.0.2.1"])

    assert host.changes == [("create", "", "Host"), ("create", "Host", "web-1"), ("update", "Host", "web-1")]
    assert host.versions == 3


def test_values_that_equal_the_stored_are_no_change(host: MemoryHost) -> None:
    entry = make("web-1", os="Linux", peers=[make("rack")])
    before = (list(host.changes), host.versions)

    entry.set_attrs(None, os="Linux", peers=[host.entry("Host", "rack")])

    assert (host.changes, host.versions) == before


def test_deleting_an_entry_frees_its_name(host: MemoryHost) -> None:
    make("web-1").delete()

    make("web-1")

    assert [entry.is_active for entry in Entry.objects.filter(name="web-1")] == [False, True]
    assert host.changes[-2:] == [("delete", "Host", "web-1"), ("create", "Host", "web-1")]


@pytest.mark.parametrize(
    ("name", "attrs", "message"),
    [
        ("rack", {}, "Entity 'Host' already has an entry named 'rack'; choose another name."),
        (
            "web-1",
            {"oss": "Linux"},
            (
                "Entity 'Host' has no attribute 'oss'. Did you mean 'os'? "
                "There are 'addresses', 'os', 'parent', 'peers'."
            ),
        ),
    ],
    ids=["taken name", "unknown attribute"],
)
def test_what_the_host_refuses_is_refused(
    name: str, attrs: dict[str, Any], message: str, host: MemoryHost
) -> None:
    make("rack")

    with pytest.raises(ValidationError) as caught:
        make(name, **attrs)

    assert caught.value.messages == [message]
    assert len(host.entries) == 1


def test_validation_hooks_run_for_each_write(host: MemoryHost) -> None:
    entry = make("web-1", os="Linux")

    with pytest.raises(HookRejected, match="web-2 runs DOS"):
        make("web-2", os="DOS")
    with pytest.raises(HookRejected, match="web-1 runs DOS"):
        entry.set_attrs(None, os="DOS")

    assert entry.get_attrs()["os"] == "Linux"
    assert [stored.name for stored in host.entries] == ["web-1"]


def test_attributes_can_be_added_to_an_entity(host: MemoryHost) -> None:
    host.entity("Host").update_attrs(None, [{"name": "cpu_count", "type": "number"}])

    added: Any = EntityAttr.objects.filter(parent_entity__name="Host").last()
    assert (added.name, added.attr_type.type_name) == ("cpu_count", "number")
    assert host.changes[-1] == ("update", "", "Host")


def test_attribute_of_an_entity_that_does_not_exist_is_refused(host: MemoryHost) -> None:
    with pytest.raises(ValidationError, match="points to an entity named 'Rack', which does not exist"):
        host.entity("Host").update_attrs(None, [{"name": "rack", "type": "object", "referral": ["Rack"]}])


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({}, ["web-1", "web-2", "db-1"]),
        ({"name": "web-2"}, ["web-2"]),
        ({"name__startswith": "web-"}, ["web-1", "web-2"]),
        ({"name__in": ["db-1", "web-1"]}, ["web-1", "db-1"]),
        ({"name__icontains": "B-"}, ["web-1", "web-2", "db-1"]),
        ({"name__contains": "db"}, ["db-1"]),
        ({"name__iexact": "DB-1"}, ["db-1"]),
        ({"id__gt": 1, "id__lte": 2}, ["web-2"]),
        ({"id__gte": 2, "id__lt": 3}, ["web-2"]),
        ({"schema__name": "Host", "values__os": "BSD"}, ["db-1"]),
        ({"schema": 1, "values__os__isnull": True}, ["web-1", "web-2"]),
        ({"is_active": False}, []),
    ],
    ids=str,
)
def test_filter_understands_look_ups(
    conditions: dict[str, Any], expected: list[str], host: MemoryHost
) -> None:
    for name, attrs in (("web-1", {}), ("web-2", {}), ("db-1", {"os": "BSD"})):
        make(name, **attrs)

    found = Entry.objects.filter(**conditions)

    assert [entry.name for entry in found] == expected
    assert [entry.name for entry in Entry.objects.exclude(**conditions)] == [
        name for name in ("web-1", "web-2", "db-1") if name not in expected or not conditions
    ]


def test_query_is_counted_when_it_is_evaluated(host: MemoryHost) -> None:
    make("web-1")
    before = host.reads

    query = Entry.objects.filter(name="web-1").select_related("schema").order_by("-name")
    assert host.reads == before

    assert (len(query), query[0].name, [entry.name for entry in query]) == (1, "web-1", ["web-1"])
    assert host.reads == before + 1

    assert (query.count(), query.exists()) == (1, True)
    assert host.reads == before + 3


def test_query_orders_and_projects(host: MemoryHost) -> None:
    for name in ("b", "a", "c"):
        make(name)

    assert list(Entry.objects.all().order_by("-name").values_list("name", flat=True)) == ["c", "b", "a"]
    assert next(iter(Entry.objects.order_by("name").values_list("name", "schema__name"))) == ("a", "Host")
    first, last = Entry.objects.first(), Entry.objects.order_by("name").last()
    assert first is not None
    assert last is not None
    assert (first.name, last.name) == ("b", "c")


@pytest.mark.parametrize(("name", "error"), [("nothing", "DoesNotExist"), ("web", "MultipleObjectsReturned")])
def test_get_raises_unless_there_is_exactly_one(name: str, error: str, host: MemoryHost) -> None:
    make("web").delete()
    make("web")

    with pytest.raises(getattr(Entry, error), match=r"rows match \{'name': "):
        Entry.objects.get(name=name)


def test_a_level_can_be_set_for_everybody(host: MemoryHost) -> None:
    entry, entity, ann = make("web-1"), host.entity("Host"), host.user("ann")
    assert (entry.may_permitted(ann, 2), entity.may_permitted(ann, 4)) == (True, False)

    entry.level, entity.level = 1, 8

    assert (entry.may_permitted(ann, 2), entity.may_permitted(ann, 8)) == (False, True)


@pytest.fixture
def operation() -> Iterator[int]:
    PluginTaskRegistry.register(PluginTaskConfig("strict", "strict.tasks", {"scan": (0, "scan")}))
    PluginTaskRegistry.validate_all({"strict": (700, 709)})
    yield 700
    PluginTaskRegistry.reset()


def test_job_is_made_run_and_updated(operation: int, host: MemoryHost) -> None:
    job: Any = Job._create_new_job(None, operation, {"deep": True})
    assert (job.status, job.params, job.plugin, job.operation_name) == (
        JobStatus.PREPARING,
        '{"deep": true}',
        "strict",
        "scan",
    )

    job.run()
    assert (job.proceed_if_ready(), job.is_canceled(), job.is_finished()) == (True, False, False)

    job.update(JobStatus.DONE, text="done")
    assert (job.status, job.text, job.is_finished()) == (JobStatus.DONE, "done", True)
    assert Job.objects.get(id=job.id) is job


def test_submitted_job_is_queued(operation: int, host: MemoryHost) -> None:
    job: Any = Job.objects.submit(plugin="strict", operation_name="scan", user=None)

    assert host.jobs == [job]
    assert job.status == JobStatus.PROCESSING


def test_job_that_does_not_exist_is_named_so(host: MemoryHost) -> None:
    with pytest.raises(Job.DoesNotExist, match=r"0 rows match \{'id': 7\}, expected 1"):
        Job.objects.get(id=7)


def test_hosts_know_nothing_of_each_other(host: MemoryHost) -> None:
    make("web-1")

    with injected(MemoryHost().models):
        assert Entry.objects.count() == 0
    assert Entry.objects.count() == 1
