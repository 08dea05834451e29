"""What a list of entries is asked for by query parameters, as the search of the core takes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from drf_spectacular.utils import OpenApiParameter
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from pagoda.domain.search.conditions import (
    MAX_FIELD_LENGTH,
    MAX_REGEX_LENGTH,
    MAX_TEXT_LENGTH,
    read_parameters,
)
from pagoda.domain.search.filters import OWN_FIELDS
from pagoda.domain.search.finding import Query
from pagoda.domain.search.resolving import ATTR
from pagoda.domain.search.values import OPERATORS_OF, ValueKind
from pagoda_api.fields import find_entity
from pagoda_api.pagination import PagePagination
from pagoda_api.strict import StrictFilterBackend
from pagoda_plugin_sdk.rules.saying import say


class ConditionFilterBackend(StrictFilterBackend):
    """Leaves conditions on fields, such as ``attr.ram__gte=4``, to the search."""

    fields = tuple(OWN_FIELDS)

    def is_open(self, parameter: str) -> bool:
        """Return whether it is a condition, which the search checks."""
        is_field = parameter.startswith(ATTR) or parameter.partition("__")[0] in OWN_FIELDS
        return is_field and len(parameter) <= MAX_FIELD_LENGTH


def query_of(request: Request, pages: PagePagination, known_fields: Sequence[str]) -> Query:
    """Return what the query parameters of a request ask for; filters have read what is none of the search.

    Raises:
        ValidationError: keyed by the parameter.
    """
    given = request.query_params
    if {"cursor", "offset"} <= given.keys():
        fault = say("Give `cursor` or `offset`: each says where the page begins.")
        raise ValidationError({"cursor": [fault], "offset": [fault]})
    backend = ConditionFilterBackend()
    conditions = [(key, value) for key, values in given.lists() if backend.is_open(key) for value in values]
    fields = [field.strip() for field in given.get("fields", "").split(",") if field.strip()]
    entity = given.get("entity")
    others = given.keys() - {key for key, _ in conditions} - {"entity", *pages.query_parameters}
    return Query(
        condition=read_parameters(conditions),
        is_filtered=bool(others),
        entity_ids=None if not entity else [find_entity(entity, request.user, field="entity").pk],
        ordering=given.get("ordering", ""),
        fields=fields,
        known_fields=known_fields,
        cursor=given.get("cursor"),
        offset=pages.get_offset(request),
        limit=pages.get_limit(request),
    )


_SHAPES: Final[Mapping[ValueKind, dict[str, Any]]] = {
    ValueKind.NUMBER: {"type": "number"},
    ValueKind.TEXT: {"type": "string"},
    ValueKind.INSTANT: {"type": "string", "format": "date-time"},
}
_PART: Final = {"type": "string", "maxLength": MAX_TEXT_LENGTH}
_OF_OPERATOR: Final[Mapping[str, dict[str, Any]]] = {
    "contains": _PART,
    "startswith": _PART,
    "regex": {"type": "string", "maxLength": MAX_REGEX_LENGTH, "format": "regex"},
    "in": {
        "type": "string",
        "description": "Values with commas between them; one that has a comma is quoted.",
    },
    "empty": {"type": "boolean"},
}
"""What an operator takes, whatever its field is."""


def condition_parameters() -> list[OpenApiParameter]:
    """Return the OpenAPI parameters of conditions: own fields with what they may be tested for, attributes.

    An attribute's name is none that the host knows: these are an object whose keys are the parameters.
    """
    of_fields = [
        OpenApiParameter(
            field if operator == "eq" else f"{field}__{operator}", _OF_OPERATOR.get(operator, _SHAPES[kind])
        )
        for field, kind in OWN_FIELDS.items()
        for operator in OPERATORS_OF[kind]
    ]
    of_attributes = OpenApiParameter(
        "attr",
        {
            "type": "object",
            "propertyNames": {"pattern": "^attr\\..+$", "maxLength": MAX_FIELD_LENGTH},
            "additionalProperties": {"type": "string"},
        },
        description="Conditions on attributes, a parameter each: `attr.ram__gte=4`, `attr.host.attr.os=x`.",
        style="form",
        explode=True,
    )
    return [*of_fields, of_attributes]
