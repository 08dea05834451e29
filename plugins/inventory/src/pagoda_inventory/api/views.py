"""Views of the inventory, for people who are logged in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from rest_framework.request import Request
from rest_framework.response import Response

from pagoda_inventory.api.serializers import (
    InventoryHostSerializer,
    InventoryScanSerializer,
    InventorySummarySerializer,
)
from pagoda_inventory.gone import last_seen
from pagoda_inventory.last_scan import age_seconds, last_scans
from pagoda_inventory.schema import HOST, SCHEMA
from pagoda_plugin_sdk import Job, PermissionLevel, PluginAPIView, PluginPagination, PluginTaskRegistry
from pagoda_plugin_sdk.models import Entity, Entry
from pagoda_plugin_sdk.protocols import EntityProtocol


class InventoryView(PluginAPIView):
    """What the plugin's views have in common."""

    plugin_id = "inventory"


class ScanView(InventoryView):
    """Starts scans."""

    serializer_class: ClassVar[type[Any]] = InventoryScanSerializer  # what it answers
    response_statuses: ClassVar[Mapping[str, int]] = {"POST": 202}

    def post(self, request: Request) -> Response:
        """Queue a scan and answer 202; while one is queued or running it is that one."""
        operation = PluginTaskRegistry.operation(PluginTaskRegistry.get_operation_id("inventory", "scan"))
        job = Job.objects.submit(plugin=operation.plugin_id, operation_name=operation.name, user=request.user)
        queued = {"job": job.id, "operation": operation.name, "queue": operation.queue}
        return Response(InventoryScanSerializer(queued).data, status=202)


class SummaryView(InventoryView):
    """Counts what is in stock, of the entities that the user may read."""

    serializer_class: ClassVar[type[Any]] = InventorySummarySerializer

    def get(self, request: Request) -> Response:
        counts = self._counts(request.user)
        with self.authority():  # whoever asked for them
            scans = last_scans()
        summary = {
            "entries": sum(count["entries"] for count in counts),
            "entities": counts,
            "last_scans": [
                {"host": host, "scanned_at": moment, "age_seconds": age_seconds(moment)}
                for host, moment in sorted(scans.items(), key=lambda item: item[1], reverse=True)
            ],
        }
        return Response(InventorySummarySerializer(summary).data)

    def _counts(self, user: Any) -> list[dict[str, Any]]:
        readable = readable_entities(user)
        return [
            {
                "entity": name,
                "entries": Entry.objects.filter(schema=readable[name], is_active=True).count(),
            }
            for name in SCHEMA
            if name in readable
        ]


class HostsView(InventoryView):
    """Lists the hosts that the user may read, page by page: when each was last seen, and which are gone."""

    serializer_class: ClassVar[type[Any]] = InventoryHostSerializer
    pagination_class = PluginPagination  # by which the OpenAPI schema knows that it answers with pages

    def get(self, request: Request) -> Response:
        schemas = [entity for name, entity in readable_entities(request.user).items() if name == HOST]
        hosts = Entry.objects.filter(schema__in=schemas, is_active=True).order_by("name")
        paginator = self.pagination_class()
        page = list(paginator.paginate_queryset(hosts, request, view=self))
        values = Entry.objects.read_attrs(page)
        rows = [
            {
                "id": host.id,
                "host": host.name,
                "last_seen": last_seen(host, values[host.id]),
                "is_gone": values[host.id].get("present") is False,
            }
            for host in page
        ]
        return paginator.get_paginated_response(InventoryHostSerializer(rows, many=True).data)


def readable_entities(user: Any) -> dict[str, EntityProtocol]:
    """Return the inventory's entities that a user may read, by name."""
    stored = Entity.objects.filter(name__in=list(SCHEMA), is_active=True)
    return {entity.name: entity for entity in stored if entity.may_permitted(user, PermissionLevel.READABLE)}
