"""Searches that users save, share and run again: ``/api/v2/search/saved/``."""

from __future__ import annotations

import json
from typing import Any, cast

from django.db import IntegrityError
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from pagoda.domain.search.models import SavedSearch
from pagoda.domain.search.naming import NamesNow
from pagoda.domain.search.saving import delete_search, saved_searches, store_search
from pagoda.domain.user.models import User
from pagoda_api.authentication import actor
from pagoda_api.conditional import ConditionalViewSet, guarded
from pagoda_api.fields import CleanNameField, UserSerializer
from pagoda_api.problems import Conflict
from pagoda_api.resources.searching import FoundSerializer, SearchSerializer, search
from pagoda_api.strict import StrictFilterBackend, StrictSerializer, checked
from pagoda_plugin_sdk.rules.saying import say


class SearchToSaveSerializer(SearchSerializer):
    """What is searched for; which page of it is said when it is run."""

    cursor = None  # type: ignore[assignment]  # how DRF drops a field
    limit = None  # type: ignore[assignment]


class NewSavedSearchSerializer(StrictSerializer):
    """A search and what it is called."""

    name = CleanNameField(help_text="One of each name per user.")
    is_shared = serializers.BooleanField(default=False, help_text="For others to run with their rights.")
    search = SearchToSaveSerializer()


class SavedSearchesSerializer(serializers.ListSerializer[SavedSearch]):
    """Saved searches, the names in all of which are read at once."""

    def to_representation(self, data: Any) -> list[dict[str, Any]]:  # Any: as the base has it
        """Return each as it is shown."""
        rows = list(data)
        names = NamesNow(rows, self.context["request"].user)
        return [_shown(row, names) for row in rows]


class SavedSearchSerializer(serializers.ModelSerializer[SavedSearch]):
    """A saved search."""

    user = UserSerializer(read_only=True)
    search = SearchToSaveSerializer(
        read_only=True, help_text="Under the names that entities and attributes have now."
    )

    class Meta:
        model = SavedSearch
        fields = ["id", "name", "user", "is_shared", "search", "created_time", "updated_time"]
        read_only_fields = fields
        list_serializer_class = SavedSearchesSerializer

    def to_representation(self, instance: SavedSearch) -> dict[str, Any]:
        """Return it as the user sees what it names."""
        return _shown(instance, NamesNow([instance], self.context["request"].user))


def _shown(row: SavedSearch, names: NamesNow) -> dict[str, Any]:
    told = {name: getattr(row, name) for name in SavedSearchSerializer.Meta.fields}
    return told | {"user": UserSerializer(row.user).data, "search": names.search(row)}


class PageSerializer(StrictSerializer):
    """Which page of a saved search."""

    cursor = serializers.CharField(
        required=False, allow_blank=True, allow_null=True, max_length=10_000, help_text="`next` of a page."
    )
    limit = serializers.IntegerField(required=False, min_value=1, max_value=1_000)


class SavedSearchViewSet(ListModelMixin, RetrieveModelMixin, ConditionalViewSet[SavedSearch]):
    """The user's saved searches, and those that others share."""

    permission_classes = (IsAuthenticated,)
    serializer_class = SavedSearchSerializer
    filter_backends = (StrictFilterBackend,)
    lookup_value_regex = r"[0-9]{1,18}"

    def get_queryset(self) -> QuerySet[SavedSearch]:
        """Return those that the user sees, by name."""
        return saved_searches(actor(self.request))

    @property
    def _user(self) -> User:
        return cast("User", self.request.user)  # is logged in

    @extend_schema(request=NewSavedSearchSerializer, responses={201: SavedSearchSerializer})
    def create(self, request: Request) -> Response:
        """Save a search; it is tried with the user's rights first."""
        return Response(self._stored(request), status=201)

    @extend_schema(request=NewSavedSearchSerializer, responses=SavedSearchSerializer)
    @guarded
    def update(self, request: Request, pk: str) -> Response:
        """Replace one of the user's own."""
        return Response(self._stored(request, self.get_object()))

    @extend_schema(responses={204: None})
    @guarded
    def destroy(self, request: Request, pk: str) -> Response:
        """Delete one of the user's own; superusers any that they see."""
        delete_search(self._user, self.get_object())
        return Response(status=204)

    @extend_schema(request=PageSerializer, responses=FoundSerializer)
    @action(detail=True, methods=["post"])
    def run(self, request: Request, pk: str) -> Response:
        """Search, with the rights of who asks, whoever saved it."""
        row, page = self.get_object(), checked(PageSerializer(data=request.data))
        names = NamesNow([row], request.user)
        names.require(row)
        return Response(search({**names.search(row), **page}, request.user))

    def _stored(self, request: Request, row: SavedSearch | None = None) -> dict[str, Any]:
        given = checked(NewSavedSearchSerializer(data=request.data))
        wanted = dict(given["search"])
        if "\\u0000" in json.dumps(wanted):
            raise ValidationError({"search": [say("Null characters are in no text.")]}, code="null")
        search({**wanted, "limit": 1}, request.user)
        try:
            stored = store_search(
                self._user, name=given["name"], search=wanted, is_shared=given["is_shared"], row=row
            )
        except IntegrityError as error:
            raise Conflict(say("You have another saved search of this name; replace that one.")) from error
        return dict(self.get_serializer(stored).data)
