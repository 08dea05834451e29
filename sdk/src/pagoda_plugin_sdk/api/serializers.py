"""Serializers of plugin APIs."""

from __future__ import annotations

from typing import Any

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
