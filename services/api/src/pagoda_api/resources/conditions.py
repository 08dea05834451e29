"""What a list of entries is asked for by query parameters, as the search of the core takes it."""

from __future__ import annotations

from collections.abc import Sequence

from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from pagoda.domain.search.conditions import MAX_FIELD_LENGTH, read_parameters
from pagoda.domain.search.filters import OWN_FIELDS
from pagoda.domain.search.finding import Query
from pagoda.domain.search.resolving import ATTR
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
