from __future__ import annotations

from typing import Any

import pytest
from rest_framework import serializers

from pagoda_plugin_sdk import PluginError, PluginSerializerMixin


class ItemSerializer(PluginSerializerMixin, serializers.Serializer[Any]):
    low = serializers.IntegerField()
    high = serializers.IntegerField()

    def validate_plugin_data(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["low"] > attrs["high"]:
            raise serializers.ValidationError("low is above high")
        return {**attrs, "span": attrs["high"] - attrs["low"]}


class NamedSerializer(ItemSerializer):
    plugin_id = "named"


class View:
    def get_plugin_context(self) -> dict[str, Any]:
        return {"plugin_id": "of-view", "plugin_version": "1.0.0"}


def test_plugin_completes_the_data() -> None:
    serializer = ItemSerializer(data={"low": 1, "high": 4})

    assert serializer.is_valid()
    assert serializer.validated_data == {"low": 1, "high": 4, "span": 3}


def test_plugin_refuses_the_data() -> None:
    serializer = ItemSerializer(data={"low": 4, "high": 1})

    assert not serializer.is_valid()
    assert serializer.errors == {"non_field_errors": ["low is above high"]}


def test_data_is_kept_unless_the_plugin_has_rules() -> None:
    class Plain(PluginSerializerMixin, serializers.Serializer[Any]):
        low = serializers.IntegerField()

    serializer = Plain(data={"low": 1})

    assert serializer.is_valid()
    assert serializer.validated_data == {"low": 1}


def test_context_is_the_view_s() -> None:
    assert ItemSerializer(context={"view": View()}).plugin_context == {
        "plugin_id": "of-view",
        "plugin_version": "1.0.0",
    }


def test_plugin_that_the_serializer_names_wins() -> None:
    assert NamedSerializer(context={"view": View()}).plugin_context["plugin_id"] == "named"


def test_context_outside_a_view_is_the_named_plugin() -> None:
    assert NamedSerializer().plugin_context == {"plugin_id": "named"}


def test_serializer_that_does_not_know_its_plugin_says_so() -> None:
    with pytest.raises(PluginError, match=r"ItemSerializer does not know its plugin\. Set its `plugin_id`\."):
        _ = ItemSerializer().plugin_context
