"""Serializers of plugin APIs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from rest_framework import serializers

from pagoda_plugin_sdk.exceptions import PluginError


class PluginSerializerMixin:
    """Put before a serializer class: knows its plugin and gives it a place for rules of its own."""

    plugin_id: str | None = None  # taken from the view unless set

    @property
    def plugin_context(self) -> dict[str, Any]:
        """Return the view's plugin context, or the plugin's id alone outside a view.

        Raises:
            PluginError: there is no view, and the serializer does not name its plugin.
        """
        view = getattr(self, "context", {}).get("view")
        if view is not None and hasattr(view, "get_plugin_context"):
            context: dict[str, Any] = view.get_plugin_context()
            return context | ({"plugin_id": self.plugin_id} if self.plugin_id else {})
        if self.plugin_id:
            return {"plugin_id": self.plugin_id}
        raise PluginError(
            f"Serializer {type(self).__qualname__} does not know its plugin. Set its `plugin_id`."
        )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Run the serializer's validation, then `validate_plugin_data`."""
        checked: dict[str, Any] = super().validate(attrs)  # type: ignore[misc]  # the serializer follows
        return self.validate_plugin_data(checked)

    def validate_plugin_data(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Check or complete the fields together; override it. Raise ValidationError to refuse."""
        return attrs


class PluginModelSerializer(PluginSerializerMixin, serializers.ModelSerializer[Any]):
    """A serializer of a model of the plugin; Any as that model is the plugin's."""

    def get_field_names(self, declared_fields: Any, info: Any) -> Any:
        """Return the fields, narrowed by `filter_fields_for_plugin`."""
        return self.filter_fields_for_plugin(list(super().get_field_names(declared_fields, info)))

    def filter_fields_for_plugin(self, field_names: list[str]) -> list[str]:
        """Narrow the fields; override it. All unless overridden."""
        return field_names


class PluginListSerializer(PluginSerializerMixin, serializers.Serializer[Any]):
    """Shows a list as ``{"items", "count", "plugin_id"}``; a dict by the fields of the subclass."""

    def to_representation(self, instance: Any) -> Any:
        """Return the list, or the dict, as JSON values."""
        if isinstance(instance, dict):
            return super().to_representation(instance)
        items = list(instance)
        return {"items": items, "count": len(items), "plugin_id": self.plugin_context["plugin_id"]}


class PluginErrorSerializer(serializers.Serializer[Any]):
    """An error as an answer: ``{"error_code", "message", "details", "plugin_id", "timestamp"}``."""

    error_code = serializers.CharField(max_length=100)
    message = serializers.CharField()
    details = serializers.DictField(required=False)
    plugin_id = serializers.CharField(max_length=100, required=False)
    timestamp = serializers.DateTimeField(required=False, help_text="Now, unless given.")

    def to_representation(self, instance: Any) -> Any:
        """Return the error as JSON values."""
        shown = super().to_representation(instance)
        if not shown.get("timestamp"):
            shown["timestamp"] = datetime.now(UTC).isoformat()
        return shown


class PluginValidationMixin:
    """Checks for a serializer's ``validate_<field>`` methods; each returns the value that it was given."""

    instance: Any

    def validate_not_empty(self, value: Any, field_name: str) -> Any:
        """Refuse what is empty, or text of white space alone.

        Raises:
            ValidationError: it is.
        """
        if not value or (isinstance(value, str) and not value.strip()):
            raise serializers.ValidationError(f"{field_name} cannot be empty")
        return value

    def validate_string_length(
        self, value: str, field_name: str, min_length: int = 1, max_length: int = 255
    ) -> str:
        """Refuse what is no text, or one that is too short or too long.

        Raises:
            ValidationError: it is.
        """
        given: object = value
        if not isinstance(given, str):
            raise serializers.ValidationError(f"{field_name} must be a string")
        if len(value) < min_length:
            raise serializers.ValidationError(f"{field_name} must be at least {min_length} characters long")
        if len(value) > max_length:
            raise serializers.ValidationError(
                f"{field_name} must be no more than {max_length} characters long"
            )
        return value

    def validate_unique_in_plugin(self, value: Any, field_name: str, queryset: Any) -> Any:
        """Refuse what another row of `queryset` has; the row that is being changed does not count.

        Raises:
            ValidationError: one has it.
        """
        instance = getattr(self, "instance", None)
        others = queryset.exclude(pk=instance.pk) if instance is not None else queryset
        if others.filter(**{field_name: value}).exists():
            raise serializers.ValidationError(f"{field_name} {value!r} already exists in this plugin")
        return value
