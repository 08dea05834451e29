"""What the endpoints take and answer. Their names are components of the host's one OpenAPI schema."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers


class HelloWorldMessageSerializer(serializers.Serializer[Any]):
    """A message for people."""

    message = serializers.CharField(read_only=True)


class StringField(serializers.CharField):
    """A text; DRF's own would take a number for one."""

    def to_internal_value(self, data: Any) -> str:
        """Return the text."""
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class HelloWorldTaskSerializer(serializers.Serializer[Any]):
    """Whom the task is to greet, and the job that does."""

    name = StringField(max_length=200, default="World", write_only=True)
    job = serializers.IntegerField(read_only=True)  # follow it at /api/v2/jobs/<job>/


class HelloWorldStatusSerializer(serializers.Serializer[Any]):
    """The plugin, and the operation id of its task."""

    id = serializers.CharField(read_only=True)
    name = serializers.CharField(read_only=True)
    version = serializers.CharField(read_only=True)
    hooks = serializers.ListField(child=serializers.CharField(), read_only=True)
    operation_id = serializers.IntegerField(read_only=True)


class HelloWorldEntitySerializer(serializers.Serializer[Any]):
    """An entity of the host, read through the SDK's models."""

    id = serializers.IntegerField(read_only=True)
    name = serializers.CharField(read_only=True)
    note = serializers.CharField(read_only=True)
