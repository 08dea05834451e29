"""What a change of an entity's attributes would do to values, as the API tells it."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from pagoda.domain.entry.effects import ValueEffect
from pagoda_api.fields import NamedSerializer


class TouchedSerializer(serializers.Serializer[Any]):
    """One value: what it is, and what becomes of it; Any, as it is shown and never made."""

    entry = NamedSerializer()
    before = serializers.JSONField(allow_null=True)
    after = serializers.JSONField(allow_null=True, help_text="Null with a fault, and where none is left.")
    reason = serializers.CharField(help_text="Of a fault.")


class EffectSerializer(serializers.Serializer[Any]):
    """What one change of one attribute does to values that the user may see; Any, as above."""

    id = serializers.IntegerField(help_text="Of the attribute.")
    name = serializers.CharField(help_text="Of the attribute, as it would be called.")
    change = serializers.ChoiceField(
        choices=["type", "choices", "is_mandatory", "referral", "removed"],
        help_text="Faults of `type` refuse the change. What the others have faults of stays as it is.",
    )
    type = serializers.CharField()
    new_type = serializers.CharField()
    entries = serializers.IntegerField(
        help_text="Entries that have a value, deleted ones too; of `is_mandatory` those that have none."
    )
    refused = serializers.IntegerField(help_text="Those of them with a fault.")
    is_hidden_refused = serializers.BooleanField(
        help_text="Whether a value that the user may not see can't be converted."
    )
    examples = TouchedSerializer(many=True, help_text="The first few that have no fault.")
    faults = TouchedSerializer(many=True, help_text="The first ones, as many as DOMAIN_MAX_FAULTS.")


class PreviewSerializer(serializers.Serializer[Any]):
    """What a change of attributes would do; Any, as above."""

    changes = EffectSerializer(many=True)
    is_whole = serializers.BooleanField(
        help_text="False: there are more entries than DOMAIN_MAX_CONVERTED, of which the first were "
        "looked at. A change of a type is for `convert/` then."
    )


def show_preview(effects: list[ValueEffect], *, is_whole: bool) -> dict[str, Any]:
    """Return the answer."""
    return {"changes": [each.to_json() for each in effects], "is_whole": is_whole}
