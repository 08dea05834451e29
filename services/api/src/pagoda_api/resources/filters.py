"""Filters that entities and entries share."""

from __future__ import annotations

from datetime import UTC
from typing import Any

import django_filters
from django import forms
from django.db.models import QuerySet
from django_filters.fields import IsoDateTimeField
from drf_spectacular.drainage import set_override

from pagoda.domain.user.models import User
from pagoda_api.fields import MAX_ID
from pagoda_plugin_sdk.rules.saying import say
from pagoda_plugin_sdk.rules.text import spellings


def asking_user(filterset: django_filters.FilterSet) -> User | None:
    """Return who sent the request that a filter belongs to."""
    user = getattr(filterset.request, "user", None)
    return user if isinstance(user, User) else None


class _IdField(forms.IntegerField):
    def to_python(self, value: Any) -> int | None:  # Any: as the base has it
        text = str(value or "")
        if text and not (
            text.isascii() and text.isdecimal()
        ):  # int() takes "1_0", and digits of every script
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid")
        return super().to_python(value)


class IdFilter(django_filters.NumberFilter):
    """Takes an id: a whole number that the database can hold."""

    field_class = _IdField  # type: ignore[assignment]  # no fractions

    def __init__(self, *args: Any, **options: Any) -> None:  # Any: as the base has it
        super().__init__(*args, min_value=0, max_value=MAX_ID, **options)
        schema = {"type": "integer", "minimum": 0, "maximum": MAX_ID}
        set_override(self, "field", schema | ({"description": self.label} if self.label else {}))


class _MomentField(IsoDateTimeField):
    def clean(self, value: Any) -> Any:  # Any: as the base has it
        moment = super().clean(value)
        try:
            return moment and moment.astimezone(UTC)
        except OverflowError as error:  # in the first or last hours that a date may have
            fault = say(
                "It is before the year 1 or behind the year 9999 in UTC; give a later or an earlier one."
            )
            raise forms.ValidationError(fault, code="invalid") from error


class MomentFilter(django_filters.IsoDateTimeFilter):
    """Takes a moment in ISO 8601 that the database can hold, whatever its time zone is."""

    field_class = _MomentField


class NameFilter(django_filters.CharFilter):
    """Finds rows by their name, however it is spelled."""

    def filter(self, qs: QuerySet[Any], value: Any) -> QuerySet[Any]:  # Any: several models; a text or None
        """Return those of `qs` that have the name."""
        return qs.filter(**{f"{self.field_name}__in": spellings([value])}) if value else qs


class StandingFilter(django_filters.FilterSet):
    """Finds by part of the name; deleted rows are shown only where they are asked for."""

    search = django_filters.CharFilter(field_name="name", lookup_expr="icontains", label="Part of the name.")
    is_active = django_filters.ChoiceFilter(
        method="by_activity",
        label="`false` shows deleted ones, `all` both.",
        choices=[(value, value) for value in ("true", "false", "all")],
    )

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:  # Any: the model is the subclass's
        """Filter; without ``is_active`` deleted rows are left out."""
        if not self.form.cleaned_data.get("is_active"):
            queryset = queryset.filter(is_active=True)
        filtered: QuerySet[Any] = super().filter_queryset(queryset)
        return filtered

    def by_activity(self, queryset: QuerySet[Any], _name: str, value: str) -> QuerySet[Any]:
        """Return those that are active, deleted, or both."""
        return queryset if value == "all" else queryset.filter(is_active=value == "true")
