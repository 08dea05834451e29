from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from django.db import models
from rest_framework import serializers

from pagoda_plugin_sdk import PluginError, PluginSerializerMixin
from pagoda_plugin_sdk.api import (
    PluginErrorSerializer,
    PluginListSerializer,
    PluginModelSerializer,
    PluginValidationMixin,
)


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


class Rack(models.Model):
    name = models.CharField(max_length=20)
    units = models.IntegerField()

    class Meta:
        app_label = "racks"

    def __str__(self) -> str:
        return self.name


class RackSerializer(PluginModelSerializer):
    plugin_id = "racks"

    class Meta:
        model = Rack
        fields = ["name", "units"]


def test_model_serializer_shows_the_fields() -> None:
    assert RackSerializer(Rack(name="a", units=4)).data == {"name": "a", "units": 4}
    assert RackSerializer().plugin_context == {"plugin_id": "racks"}


def test_model_serializer_narrows_its_fields() -> None:
    class Narrow(RackSerializer):
        def filter_fields_for_plugin(self, field_names: list[str]) -> list[str]:
            return [name for name in field_names if name != "units"]

    assert Narrow(Rack(name="a", units=4)).data == {"name": "a"}


class Racks(PluginListSerializer):
    plugin_id = "racks"
    total = serializers.IntegerField()


def test_list_is_wrapped_and_a_dict_shown_by_its_fields() -> None:
    assert Racks([1, 2]).to_representation(n for n in (1, 2)) == {
        "items": [1, 2],
        "count": 2,
        "plugin_id": "racks",
    }
    assert Racks({"total": "3"}).data == {"total": 3}


def test_error_has_a_time_unless_given() -> None:
    told = {"error_code": "NO_RACK", "message": "No rack.", "details": {"rack": ["none"]}}
    shown = PluginErrorSerializer(told).data

    assert {**shown, "timestamp": None} == {**told, "timestamp": None}
    assert shown["timestamp"].endswith("+00:00")
    given = {**told, "plugin_id": "racks", "timestamp": "2026-01-02T03:04:05Z"}
    serializer = PluginErrorSerializer(data=given)
    assert serializer.is_valid()
    assert serializer.data["timestamp"] == "2026-01-02T03:04:05Z"


class Found:
    """A queryset that knows which names there are."""

    def __init__(self, *names: str) -> None:
        self.names = names

    def exclude(self, pk: str) -> Found:
        return Found(*(name for name in self.names if name != pk))

    def filter(self, name: str) -> Found:
        return Found(*(each for each in self.names if each == name))

    def exists(self) -> bool:
        return bool(self.names)


class Checks(PluginValidationMixin):
    def __init__(self, instance: Any = None) -> None:
        self.instance = instance


@pytest.mark.parametrize(
    ("check", "arguments", "fault"),
    [
        ("validate_not_empty", ("a", "Name"), None),
        ("validate_not_empty", ("  ", "Name"), "Name cannot be empty"),
        ("validate_not_empty", ([], "Name"), "Name cannot be empty"),
        ("validate_string_length", ("ab", "Name", 1, 2), None),
        ("validate_string_length", ("abc", "Name", 1, 2), "Name must be no more than 2 characters long"),
        ("validate_string_length", ("", "Name"), "Name must be at least 1 characters long"),
        ("validate_string_length", (5, "Name"), "Name must be a string"),
        ("validate_unique_in_plugin", ("a", "name", Found("b")), None),
        ("validate_unique_in_plugin", ("a", "name", Found("a")), "name 'a' already exists in this plugin"),
    ],
)
def test_check_gives_the_value_back_or_refuses_it(check: str, arguments: Any, fault: str | None) -> None:
    validate = getattr(Checks(), check)
    if fault is None:
        assert validate(*arguments) == arguments[0]
        return
    with pytest.raises(serializers.ValidationError, match=fault):
        validate(*arguments)


def test_own_row_is_no_double() -> None:
    unchanged: Any = Checks(SimpleNamespace(pk="a"))

    assert unchanged.validate_unique_in_plugin("a", "name", Found("a")) == "a"
