"""Entries, some of whose operations plugins take the place of.

An API with BACKEND_PLUGIN_ENTITY_OVERRIDES alone serves this view set. An override is called once the host
knows that the user may do what they ask for, in the endpoint's fence and with that user's rights.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, cast

import structlog
from django.db.models import Q
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response

from pagoda.audit.actions import Action
from pagoda.audit.recording import record
from pagoda.domain.access.checks import require
from pagoda.domain.entity.models import Entity
from pagoda.domain.entry.models import Entry
from pagoda.domain.user.models import Level
from pagoda.plugins.overrides import SETTING, Override, bindings, override_for, refuse
from pagoda_api.authentication import actor
from pagoda_api.conditional import guarded
from pagoda_api.endpoint_fence import endpoint_fence
from pagoda_api.fields import find_entity
from pagoda_api.resources.entries import EntryViewSet
from pagoda_plugin_sdk.exceptions import HookRejected, PluginError
from pagoda_plugin_sdk.mixins import PluginErrorAnswer
from pagoda_plugin_sdk.override import OverrideContext, OverrideOperation
from pagoda_plugin_sdk.rules.text import clean_name, spellings

log = structlog.get_logger(__name__)

LEVELS = {"update": Level.WRITABLE, "delete": Level.FULL, "create": Level.WRITABLE}
"""``{operation: level that the user needs}``; what is read, the querysets leave out where it is hidden."""

type Method = Callable[..., Response]


class _LeftToTheHost(HttpResponse):
    """Stands for the None of an override, which the fence would take for a fault."""


def _overridable(operation: OverrideOperation, host: Method) -> Method:
    @wraps(host)  # its description in the schema, too
    def method(view: OverridableEntryViewSet, request: Request, **kwargs: Any) -> HttpResponseBase:
        answer = view.overridden(operation, kwargs.get("pk"))
        return host(view, request, **kwargs) if answer is None else answer

    return cast("Method", guarded(method) if operation in ("update", "delete") else method)


class OverridableEntryViewSet(EntryViewSet):
    """Entries, as plugins do them where they are bound to an entity."""

    list = _overridable("list", EntryViewSet.list)
    create = _overridable("create", EntryViewSet.create)
    retrieve = _overridable("retrieve", EntryViewSet.retrieve)
    partial_update = _overridable("update", EntryViewSet.partial_update)
    destroy = _overridable("delete", EntryViewSet.destroy)

    def overridden(self, operation: OverrideOperation, pk: str | None) -> HttpResponseBase | None:
        """Return the answer of the plugin that is bound to the operation, None where the host does it."""
        entry = None if pk is None else self._entry(pk)
        if entry is not None and not entry.is_active:
            return None
        entity = self._named_entity() if entry is None else entry.schema
        override = None if entity is None else override_for(entity.pk, entity.name, operation)
        if entity is None or override is None:
            return None
        if operation in ("create", "update") and not isinstance(self.request.data, Mapping):
            return None  # the host is to say what is wrong
        if operation in LEVELS:
            require(actor(self.request), entry or entity, LEVELS[operation])
        answer = self._ask(override, entity, entry)
        if isinstance(answer, _LeftToTheHost):
            return None
        record(
            Action.ENTRY_OVERRIDDEN,
            subject_type="entity" if entry is None else "entry",
            subject_id=(entry or entity).pk,
            subject=(entry or entity).name,
            details={"operation": operation, "status": answer.status_code},
            plugin=override.plugin_id,
        )
        return answer

    def _named_entity(self) -> Entity | None:
        """Return the entity that a list or a new entry is of; None where the host is to say what is wrong."""
        request = self.request
        sent: Any = request.query_params if request.method in ("GET", "HEAD") else request.data
        if not hasattr(sent, "get"):
            return None
        given = [sent[field] for field in ("schema", "entity") if field in sent]
        if len(given) != 1 or type(given[0]) not in (int, str):
            return None
        return find_entity(given[0], actor(request), field="schema" if "schema" in sent else "entity")

    def _ask(self, override: Override, entity: Entity, entry: Entry | None) -> HttpResponseBase:
        request = self.request
        context = OverrideContext(
            request=request,
            user=cast("Any", request.user),  # of the host's own class, or anonymous
            entity=cast("Any", entity),  # the host's models are held to the Protocols by a test
            entry=cast("Any", entry),
            plugin_id=override.plugin_id,
            operation=override.operation,
            data=dict(request.data) if override.operation in ("create", "update") else None,
            params=override.params,
        )
        with structlog.contextvars.bound_contextvars(plugin=override.plugin_id):
            of_django = request._request  # noqa: SLF001 - which the fence names in its log
            return endpoint_fence().call(override.plugin_id, of_django, self._answer_of, override, context)

    def _answer_of(self, _request: object, override: Override, context: OverrideContext) -> Any:
        """Return what the plugin answers, errors of REST framework and of the SDK as views of plugins do."""
        try:
            answer = override.handler(context)
        except Exception as error:  # noqa: BLE001 - what REST framework does not answer is raised again, to the fence
            if isinstance(error, PluginError) and not isinstance(error, HookRejected):
                answer = self.handle_exception(PluginErrorAnswer(error, override.plugin_id))
            else:
                answer = self.handle_exception(error)
        if answer is None:
            return _LeftToTheHost()
        if isinstance(answer, Response):  # the fence renders it
            return self.finalize_response(self.request, answer)
        return answer


def entry_view_set() -> type[EntryViewSet]:
    """Return what serves entries: no override costs the requests of a host that has none."""
    return OverridableEntryViewSet if bindings() else EntryViewSet


def check_entities() -> None:
    """Check what only the database knows of the bindings: one query, and none without any.

    Raises:
        ImproperlyConfigured: an entity is bound by its id and by its name.
    """
    keys = set(bindings())
    if not keys:
        return
    ids = [int(key) for key in keys if key.isascii() and key.isdecimal() and len(key) < 19]
    entities = list(Entity.objects.active().filter(Q(pk__in=ids) | Q(name__in=spellings(keys))))
    twice = [each for each in entities if {str(each.pk), clean_name(each.name)} <= keys]
    refuse(
        [f"'{e.pk}' and {e.name!r} are one entity, which is bound twice. Keep one of the two." for e in twice]
    )
    for key in sorted(
        keys - {str(each.pk) for each in entities} - {clean_name(each.name) for each in entities}
    ):
        log.warning("override_without_entity", entity=key, setting=SETTING)
