"""Parts that several resources show."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers


class NamedSerializer(serializers.Serializer[Any]):
    """An object by its id and name; Any: entities, entries, groups and roles have both."""

    id = serializers.IntegerField(read_only=True)
    name = serializers.CharField(read_only=True)


class UserSerializer(serializers.Serializer[Any]):
    """A user by id and name; Any, as it is shown and never made."""

    id = serializers.IntegerField(read_only=True)
    username = serializers.CharField(read_only=True)
