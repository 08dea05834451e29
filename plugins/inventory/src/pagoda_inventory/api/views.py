"""Views of the inventory, for people who are logged in."""

from __future__ import annotations

from typing import Any, ClassVar

from rest_framework.request import Request
from rest_framework.response import Response

from pagoda_inventory.api.serializers import InventoryScanSerializer, InventorySummarySerializer
from pagoda_inventory.last_scan import age_seconds, last_scans
from pagoda_inventory.schema import SCHEMA
from pagoda_plugin_sdk import Job, PluginAPIView, PluginTaskRegistry
from pagoda_plugin_sdk.models import Entity, Entry

READABLE = 2


class InventoryView(PluginAPIView):
    """What the plugin's views have in common."""

    plugin_id = "inventory"


class ScanView(InventoryView):
    """Starts scans."""

    serializer_class: ClassVar[type[Any]] = InventoryScanSerializer  # what it answers

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
        stored = Entity.objects.filter(name__in=list(SCHEMA), is_active=True)
        readable = {entity.name: entity for entity in stored if entity.may_permitted(user, READABLE)}
        return [
            {
                "entity": name,
                "entries": Entry.objects.filter(schema=readable[name], is_active=True).count(),
            }
            for name in SCHEMA
            if name in readable
        ]
