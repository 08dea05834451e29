"""The history of entities and entries, ``/api/v2/{entities,entries}/{id}/history/``, and ``revert/``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from pagoda.audit.history import KINDS, History, HistoryItem
from pagoda_api.fields import MAX_ID, UserSerializer
from pagoda_api.strict import StrictSerializer
from pagoda_plugin_sdk.rules.saying import say
from pagoda_plugin_sdk.washing import shown

_SKEW: Final = timedelta(minutes=1)  # by which the clock of a client may be fast


AT = OpenApiParameter(
    "at", datetime, description="A time that is past: shows what was there then, by the rights of now."
)


class PastMoment(serializers.DateTimeField):
    """A moment that is past; without a time zone it is in UTC."""

    def __init__(self, **options: Any) -> None:  # Any: DRF's
        super().__init__(default_timezone=UTC, **options)

    def to_internal_value(self, value: Any) -> datetime:  # Any: unchecked
        """Return the moment in UTC.

        Raises:
            ValidationError: it is none, or is not past yet.
        """
        try:
            moment: datetime = super().to_internal_value(value).astimezone(UTC)
        except OverflowError as error:
            raise ValidationError(
                say("{value} is before the year 1 or behind the year 9999.", value=shown(value))
            ) from error
        now = timezone.now()
        if moment > now + _SKEW:
            raise ValidationError(
                say("{value} is not past yet: it is {now} here.", value=shown(value), now=now.isoformat())
            )
        return moment


def moment_of(request: Request) -> datetime | None:
    """Return the time in the query parameter ``at``, None where it is not given.

    Raises:
        ValidationError: it is no time, or is not past yet.
    """
    given = request.query_params.getlist("at")
    if not given:
        return None
    try:
        if len(given) > 1:
            raise ValidationError(say("Give one time."))
        moment: datetime = PastMoment().run_validation(given[0])
    except ValidationError as error:
        detail = cast("list[Any]", error.detail)
        if " " in given[0].strip():  # as an address has it that was not escaped
            detail = [*detail, say("In an address the + of an offset is written %2B.")]
        raise ValidationError({"at": detail}, code="invalid") from error
    return moment


_ACTIVITIES: Final = {"true": True, "false": False, "all": None}


def activity_of(request: Request, known: Sequence[str]) -> bool | None:
    """Return what a list of the past shows: what stood then, what was deleted, or both (None).

    Raises:
        ValidationError: something is asked that is none of the `known` parameters, or ``is_active`` is wrong.
    """
    given = request.query_params
    if asked := [each for each in given if each not in known]:
        fault = say(
            "It can't be answered for the past (`at`); there are {of_the_past}.",
            of_the_past=", ".join(known),
        )
        raise ValidationError({each: [fault] for each in asked}, code="past")
    activity = given.get("is_active", "true")
    if activity not in _ACTIVITIES:
        raise ValidationError(
            {"is_active": [say("Give one of {activities}.", activities=", ".join(_ACTIVITIES))]}
        )
    return _ACTIVITIES[activity]


class RevertSerializer(StrictSerializer):
    """To which version a value goes back, or to which time the entry."""

    one_of = ("version", "at")

    version = serializers.IntegerField(
        required=False, min_value=1, max_value=MAX_ID, help_text="Its `id` in the history: of one attribute."
    )
    at = PastMoment(required=False, help_text="A time: name, note and all values go back to it.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Return what is given."""
        if len(attrs) != 1:
            raise ValidationError({"version": [say("Give either `version`, of a value, or `at`, a time.")]})
        return attrs


class HistorySerializer(serializers.Serializer[Any]):
    """One thing that became of an entity or an entry; Any, as it is shown and never made."""

    id = serializers.IntegerField(allow_null=True, help_text="Of the version of a value; null of others.")
    kind = serializers.ChoiceField(choices=KINDS, help_text="`value`: an attribute got this value.")
    attr = serializers.DictField(
        allow_null=True, help_text="`id`, `name` and `type` of the attribute that it is about; null: of none."
    )
    value = serializers.JSONField(allow_null=True)
    is_latest = serializers.BooleanField(help_text="Whether the attribute still has this value.")
    changes = serializers.DictField(
        help_text='Own fields that changed, such as `name` and `note`: `{field: {"old", "new"}}`.'
    )
    created_time = serializers.DateTimeField()
    created_user = UserSerializer(allow_null=True, help_text="Who did it, or on whose behalf a job did.")
    plugin = serializers.CharField(help_text="Whose code did it; empty for the host's.")
    job_id = serializers.IntegerField(allow_null=True, help_text="The job that did it.")


def _shown(items: Iterable[HistoryItem]) -> list[dict[str, Any]]:
    """Return items as JSON values, in the shape of `HistorySerializer`."""
    rows = [
        {
            "id": item.version.pk if item.version else None,
            "kind": item.kind,
            "attr": item.attr
            and {
                "id": item.attr.pk,
                "name": item.attr.name,
                "type": (item.version or item.attr).attr_type.type_name,
            },
            "value": item.value,
            "is_latest": item.version is not None and item.version.is_latest,
            "changes": {name: {"old": was, "new": now} for name, (was, now) in item.changes.items()},
            "created_time": item.at,
            "created_user": item.user,
            "plugin": item.plugin,
            "job_id": item.job_id,
        }
        for item in items
    ]
    return list(HistorySerializer(rows, many=True).data)


def history_page(view: GenericViewSet[Any], history: History) -> Response:
    """Return the page of a history that the request asks for; Any: entities and entries have one."""
    page: Any = view.paginate_queryset(history)  # type: ignore[arg-type]  # counted and cut as a queryset is
    return view.get_paginated_response(_shown(page))
