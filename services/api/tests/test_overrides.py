"""Plugins that take the place of operations on entries."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.urls import include, path
from rest_framework.exceptions import NotFound
from rest_framework.routers import SimpleRouter

from pagoda.audit.models import AuditEvent
from pagoda.domain.entity.models import Entity
from pagoda.domain.entry.models import Entry
from pagoda.domain.user.models import Level
from pagoda.fencing import breaker_states
from pagoda.hooks.manager import manager
from pagoda.plugins import overrides as bound
from pagoda.plugins.registry import registry
from pagoda_api.overrides import OverridableEntryViewSet, check_entities, entry_view_set
from pagoda_api.resources.entries import EntryViewSet
from pagoda_plugin_sdk import (
    HookRejected,
    OverrideContext,
    Plugin,
    PluginError,
    created_response,
    override_operation,
    permission_denied_response,
    success_response,
)
from pagoda_plugin_sdk import models as sdk_models

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]

router = SimpleRouter()
router.register("entries", OverridableEntryViewSet, basename="entry")
urlpatterns = [path("api/v2/", include(router.urls))]
handler404 = "pagoda_api.problems.not_found"
handler500 = "pagoda_api.problems.server_error"


class Racks(Plugin):
    id = name = "racks"
    does: ClassVar[Callable[[OverrideContext], Any]] = staticmethod(lambda context: None)
    seen: ClassVar[list[OverrideContext]] = []

    def _do(self, context: OverrideContext) -> Any:
        self.seen.append(context)
        return type(self).does(context)

    create = override_operation("create")(_do)

    @override_operation("retrieve")
    def retrieve(self, context: OverrideContext) -> Any:
        return self._do(context)

    @override_operation("update")
    def update(self, context: OverrideContext) -> Any:
        return self._do(context)

    @override_operation("delete")
    def delete(self, context: OverrideContext) -> Any:
        return self._do(context)

    @override_operation("list")
    def list(self, context: OverrideContext) -> Any:
        return self._do(context)

    def get_handler(self, operation: str) -> Any:
        return getattr(self, operation)


@pytest.fixture
def host(make_entity: Any) -> Any:
    return make_entity("Host", address="string")


@pytest.fixture
def web(host: Any, make_entry: Any) -> Any:
    return make_entry(host, "web-1", address="10.0.0.1")


@pytest.fixture
def does(register: Any, host: Any) -> Iterator[Callable[[Callable[[OverrideContext], Any]], None]]:
    """Bind every operation on hosts, and say what it does."""
    register(Racks())
    Racks.seen.clear()
    operations = ["create", "retrieve", "update", "delete", "list"]
    bound.bind(registry(), {"Host": {"plugin": "racks", "operations": operations, "params": {"rack": 7}}})

    def say(what: Callable[[OverrideContext], Any]) -> None:
        Racks.does = staticmethod(what)

    yield say
    bound.bind(registry(), {})


def send(api: Any, operation: str, web: Any, **data: Any) -> Any:
    one = f"/api/v2/entries/{web.pk}/"
    match operation:
        case "create":
            body = {"schema": "Host", "name": "web-2", **data}
            return api.post("/api/v2/entries/", body, format="json")
        case "update":
            return api.patch(one, {"note": "x", **data}, format="json")
        case "delete":
            return api.delete(one)
        case "retrieve":
            return api.get(one)
    return api.get("/api/v2/entries/?entity=Host")


OPERATIONS = ["create", "retrieve", "update", "delete", "list"]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_plugin_answers_in_the_place_of_the_host(
    operation: str, does: Any, api: Any, ann: Any, web: Any, host: Any
) -> None:
    does(lambda context: success_response({"of": context.operation}, status_code=203))

    response = send(api, operation, web, more={"deep": 1})

    assert (response.status_code, response.json()) == (203, {"of": operation})
    (context,) = Racks.seen
    assert (context.plugin_id, context.params, context.user) == ("racks", {"rack": 7}, ann)
    assert context.entity.name == "Host"
    assert (context.entry is None) == (operation in ("create", "list"))
    body = {"create": {"schema": "Host", "name": "web-2"}, "update": {"note": "x"}}.get(operation)
    assert context.data == (None if body is None else {**body, "more": {"deep": 1}})
    assert list(Entry.objects.values_list("name", "note", "is_active")) == [("web-1", "", True)]
    event = AuditEvent.objects.latest("id")
    assert (event.action, event.plugin, event.actor) == ("entry.overridden", "racks", "ann")
    assert event.details == {"operation": operation, "status": 203}
    assert event.subject == ("Host" if context.entry is None else "web-1")


@pytest.mark.parametrize("operation", OPERATIONS)
def test_none_leaves_it_to_the_host(operation: str, does: Any, api: Any, web: Any) -> None:
    does(lambda context: None)

    response = send(api, operation, web)

    expected = {"create": 201, "delete": 204}
    assert response.status_code == expected.get(operation, 200)
    assert len(Racks.seen) == 1
    assert not AuditEvent.objects.filter(action="entry.overridden").exists()
    assert Entry.objects.filter(name="web-2").exists() == (operation == "create")


@pytest.mark.parametrize(
    ("operation", "level", "status"),
    [
        ("create", Level.READABLE, 403),
        ("update", Level.READABLE, 403),
        ("delete", Level.WRITABLE, 403),
        ("retrieve", Level.NOTHING, 404),
        ("list", Level.NOTHING, 400),
        ("create", Level.NOTHING, 400),
    ],
)
def test_who_may_not_do_it_never_reaches_the_plugin(
    operation: str, level: int, status: int, does: Any, client_of: Any, make_user: Any, web: Any, host: Any
) -> None:
    host.default_permission = level
    host.save()
    does(lambda context: success_response())

    assert send(client_of(make_user("bob")), operation, web).status_code == status
    assert Racks.seen == []


def test_entries_of_other_entities_are_the_host_s(
    does: Any, api: Any, make_entity: Any, make_entry: Any
) -> None:
    does(lambda context: success_response())
    other = make_entry(make_entity("Rack"), "r1")

    assert api.get(f"/api/v2/entries/{other.pk}/").json()["name"] == "r1"
    assert api.get("/api/v2/entries/").json()["count"] == 1
    assert Racks.seen == []


def test_an_entity_is_bound_by_its_id_before_its_name(does: Any, api: Any, web: Any, host: Any) -> None:
    does(lambda context: success_response(context.params))
    binding = {"plugin": "racks", "operations": ["retrieve"]}
    bound.bind(registry(), {"Host": binding, str(host.pk): {**binding, "params": {"by": "id"}}})

    assert send(api, "retrieve", web).json() == {"by": "id"}


def test_a_plugin_writes_with_the_rights_of_its_user(
    does: Any, client_of: Any, make_user: Any, make_entity: Any, host: Any, web: Any
) -> None:
    make_entity("Hidden")
    hidden: Any = Entity.objects.get(name="Hidden")
    hidden.default_permission = Level.NOTHING
    hidden.save()
    bob = make_user("bob")

    def make(context: OverrideContext) -> Any:
        seen = list(sdk_models.Entity.objects.all().values_list("name", flat=True))
        entry: Any = sdk_models.Entry.objects.create_entry(
            user=context.user, schema=context.entity, name="made"
        )
        return created_response({"seen": seen, "id": entry.id})

    does(make)

    assert send(client_of(bob), "create", web).json() == {
        "seen": ["Host"],
        "id": Entry.objects.get(name="made").pk,
    }


@pytest.mark.parametrize(
    ("answer", "status", "text"),
    [
        (lambda c: permission_denied_response("Not you."), 403, "Not you."),
        (lambda c: raise_(NotFound("Nowhere.")), 404, "Nowhere."),
        (lambda c: raise_(PluginError("No stock.")), 400, "No stock."),
        (lambda c: raise_(HookRejected("Not so.")), 400, "Not so."),
        (lambda c: raise_(ZeroDivisionError()), 500, "plugin_endpoint_failed"),
        (lambda c: raise_(SystemExit()), 500, "plugin_endpoint_failed"),
        (lambda c: "text", 502, "plugin_response_unusable"),
    ],
    ids=["answer", "REST framework", "SDK", "rejected", "raises", "exits", "no response"],
)
def test_what_goes_wrong_is_answered_and_stays_the_plugin_s(
    answer: Any, status: int, text: str, does: Any, api: Any, web: Any
) -> None:
    does(answer)

    response = send(api, "retrieve", web)

    assert response.status_code == status
    assert text in response.content.decode()
    assert [state.surface for state in breaker_states()] == (["endpoint"] if status >= 500 else [])


def raise_(error: BaseException) -> Any:
    raise error


def test_an_override_that_hangs_is_cut_off(does: Any, api: Any, web: Any, settings: Any) -> None:
    settings.PAGODA = settings.PAGODA.model_copy(update={"plugin_endpoint_timeout_seconds": 0.2})
    manager().budget.open()
    does(lambda context: time.sleep(30))

    response = send(api, "retrieve", web)

    assert (response.status_code, response.json()["code"]) == (504, "plugin_endpoint_timeout")


@pytest.mark.parametrize("body", [[], "x", {}, {"schema": "Host", "entity": "Host"}, {"schema": ["Host"]}])
def test_a_body_that_names_no_entity_is_refused_by_the_host(body: Any, does: Any, api: Any) -> None:
    does(lambda context: success_response())

    assert api.post("/api/v2/entries/", body, format="json").status_code == 400
    assert Racks.seen == []


@pytest.mark.parametrize("body", [[], ["x"], "x", 1])
def test_a_change_that_is_no_object_is_refused_by_the_host(body: Any, does: Any, api: Any, web: Any) -> None:
    does(lambda context: success_response())

    assert api.patch(f"/api/v2/entries/{web.pk}/", body, format="json").status_code == 400
    assert Racks.seen == []


def test_a_deleted_entry_is_the_host_s(does: Any, api: Any, web: Any) -> None:
    does(lambda context: success_response())
    web.delete()

    assert send(api, "retrieve", web).json()["is_active"] is False
    assert Racks.seen == []


def test_an_entity_that_is_bound_by_id_and_name_is_refused_at_start(does: Any, host: Any) -> None:
    binding = {"plugin": "racks", "operations": ["list"]}
    check_entities()
    bound.bind(registry(), {"Host": binding, str(host.pk): binding, "Nobody": binding})

    with pytest.raises(ImproperlyConfigured, match=f"'{host.pk}' and 'Host' are one entity, which is"):
        check_entities()


def test_a_host_without_overrides_serves_its_own_view_set(does: Any) -> None:
    assert entry_view_set() is OverridableEntryViewSet
    bound.bind(registry(), {})
    assert entry_view_set() is EntryViewSet


@pytest.mark.parametrize("action", ["list", "create", "retrieve", "partial_update", "destroy"])
def test_the_schema_describes_both_alike(action: str) -> None:
    mine, of_host = getattr(OverridableEntryViewSet, action), getattr(EntryViewSet, action)

    assert vars(mine).get("kwargs") == vars(of_host).get("kwargs")
    assert mine.__doc__ == of_host.__doc__


def test_the_example_of_the_page_works_as_pasted(register: Any, api: Any, make_entity: Any) -> None:
    page = (Path(__file__).parents[3] / "docs/plugins/overrides.md").read_text(encoding="utf-8")
    made: dict[str, Any] = {"__name__": "pasted"}
    exec(page.partition("```python\n")[2].partition("```")[0], made)
    setting = json.loads(page.partition("OVERRIDES='")[2].partition("'`")[0])
    make_entity("Rack")
    register(made["RackPlugin"]())
    bound.bind(registry(), setting)

    by_host = api.post("/api/v2/entries/", {"schema": "Rack", "name": "x-1"}, format="json")
    by_plugin = api.post("/api/v2/entries/", {"schema": "Rack", "name": "r-1"}, format="json")
    bound.bind(registry(), {})

    assert (by_host.status_code, "attrs" in by_host.json()) == (201, True)
    created = {"id": Entry.objects.get(name="r-1").pk, "name": "r-1"}
    assert (by_plugin.status_code, by_plugin.json()) == (201, created)
