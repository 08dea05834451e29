"""What the endpoints answer. Their names are components of the host's one OpenAPI schema."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers


class InventoryScanSerializer(serializers.Serializer[Any]):
    """The job that scans."""

    job = serializers.IntegerField(read_only=True)  # follow it at /api/v2/jobs/<job>/
    operation = serializers.CharField(read_only=True)
    queue = serializers.CharField(read_only=True)


class InventoryCountSerializer(serializers.Serializer[Any]):
    """How much of one entity is in stock."""

    entity = serializers.CharField(read_only=True)
    entries = serializers.IntegerField(read_only=True)


class InventoryLastScanSerializer(serializers.Serializer[Any]):
    """When a host was scanned."""

    host = serializers.CharField(read_only=True)
    scanned_at = serializers.DateTimeField(read_only=True)
    age_seconds = serializers.FloatField(read_only=True)


class InventoryHostSerializer(serializers.Serializer[Any]):
    """A host of the stock."""

    id = serializers.IntegerField(read_only=True)  # of its entry: DELETE /api/v2/entries/<id>/ removes it
    host = serializers.CharField(read_only=True)
    last_seen = serializers.DateTimeField(read_only=True, allow_null=True)
    is_gone = serializers.BooleanField(read_only=True)


class InventorySummarySerializer(serializers.Serializer[Any]):
    """The stock as a whole."""

    entries = serializers.IntegerField(read_only=True)
    entities = InventoryCountSerializer(many=True, read_only=True)
    last_scans = InventoryLastScanSerializer(many=True, read_only=True)  # newest first
