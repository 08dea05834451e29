"""What refers to an entry, ``/api/v2/entries/{id}/references/``, and what is around it, ``.../graph/``."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from pagoda_api.fields import NamedSerializer
from pagoda_plugin_sdk.rules.text import clean_name, label_fault


class ThingSerializer(NamedSerializer):
    """An entry by its id and name, with its entity."""

    schema = NamedSerializer()


class ReferringAttrSerializer(NamedSerializer):
    """The attribute that refers."""

    on_delete = serializers.CharField(
        help_text="What becomes of who refers when what it points to is deleted."
    )


class ReferringSerializer(serializers.Serializer[Any]):
    """One reference to an entry; Any, as it is shown and never made."""

    entry = ThingSerializer(help_text="Who refers.")
    attr = ReferringAttrSerializer()
    name = serializers.CharField(help_text="Of a named reference; empty otherwise.")


class NodeSerializer(ThingSerializer):
    """An entry of a graph."""

    depth = serializers.IntegerField(help_text="Steps from the entry that was asked for.")


class EdgeSerializer(serializers.Serializer[Any]):
    """A reference of a graph; Any, as it is shown and never made."""

    source = serializers.IntegerField(help_text="Id of who refers.")  # type: ignore[assignment]  # no DRF option
    target = serializers.IntegerField()
    attr = NamedSerializer()
    name = serializers.CharField(help_text="Of a named reference; empty otherwise.")


class GraphSerializer(serializers.Serializer[Any]):
    """What is around an entry; Any, as it is shown and never made."""

    nodes = NodeSerializer(many=True)
    edges = EdgeSerializer(many=True)
    is_cut = serializers.BooleanField(help_text="Whether there is more at this depth than is shown.")


def named(request: Request, parameter: str) -> str:
    """Return the name in a query parameter, "" where it is not given.

    Raises:
        ValidationError: it can't be a name.
    """
    given = request.query_params.get(parameter)
    fault = None if given is None else label_fault(clean_name(given))
    if fault is not None:
        raise ValidationError({parameter: [f"The name {fault}."]})
    return given or ""
