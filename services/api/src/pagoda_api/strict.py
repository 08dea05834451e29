"""Input that nobody reads is refused, so that a misspelt field or parameter can't pass in silence."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from types import SimpleNamespace
from typing import Any, ClassVar, Final
from urllib.parse import unquote, unquote_to_bytes

from django.db.models import Model, QuerySet
from django.utils.translation import gettext_lazy
from django_filters import BooleanFilter, CharFilter, MultipleChoiceFilter
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.negotiation import BaseContentNegotiation, DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from pagoda_plugin_sdk.exceptions import near_misses
from pagoda_plugin_sdk.rules.limits import limits
from pagoda_plugin_sdk.rules.saying import say
from pagoda_plugin_sdk.washing import shown

MAX_KEY_LENGTH = 60
_BOOLEANS = frozenset({"true", "false"})
NON_FIELD_ERRORS_KEY = "non_field_errors"
_BODILESS: Final = frozenset({"GET", "HEAD", "DELETE"})
_NOTHING: Final = (None, "", "0")

_JSON_TYPES: Final = (
    (serializers.BooleanField, bool, gettext_lazy("true or false")),
    (serializers.IntegerField, int | float, gettext_lazy("a whole number")),
    ((serializers.CharField, serializers.DateTimeField), str, gettext_lazy("a text")),
)
"""``(fields, what JSON they take, in words)``; those that are not here look at the type themselves."""


class StrictSerializer(serializers.Serializer[Any]):
    """A serializer of input; Any, as it makes no instances: views hand its data to the host's services."""

    one_of: ClassVar[tuple[str, str] | tuple[()]] = ()
    """Fields of which `validate` takes exactly one; the OpenAPI schema says so."""
    not_both: ClassVar[tuple[str, str] | tuple[()]] = ()
    """Fields of which `validate` takes one at most."""
    is_json: ClassVar[bool] = True
    """False: whatever it reads is text, such as parameters are."""

    def to_internal_value(self, data: Any) -> Any:
        """Return the checked fields.

        Raises:
            ValidationError: a field has a wrong value, or is none of the serializer's.
        """
        if isinstance(data, dict):
            refuse_unknown(data, self.fields, noun="field")
            if self.is_json:
                refuse_other_types(data, self.fields)
        return super().to_internal_value(data)


class AcceptNegotiation(DefaultContentNegotiation):
    """Chooses by Accept alone: a parameter called `format` is one that nobody reads."""

    settings: Any = SimpleNamespace(URL_FORMAT_OVERRIDE=None)  # Any: DRF's, of which this alone is read


class FormatNegotiation(DefaultContentNegotiation):
    """Chooses by the parameter `format`, else by Accept."""

    def filter_renderers(self, renderers: Iterable[BaseRenderer], format: str) -> list[BaseRenderer]:  # noqa: A002
        """Return those of a format.

        Raises:
            ValidationError: there are none.
        """
        known = list(renderers)
        found = [each for each in known if each.format == format]
        if not found:
            listed = ", ".join(sorted({str(each.format) for each in known}))
            fault = say(
                "There is no format {given}. There are: {listed}.", given=shown(format), listed=listed
            )
            raise ValidationError({"format": [fault]}, code="unknown")
        return found


class StrictView(APIView):
    """A view of the host's own: no misspelt query parameter passes in silence, and no body that nobody reads.

    Whatever it answers with, what is wrong is told in JSON.
    """

    content_negotiation_class: type[BaseContentNegotiation] = AcceptNegotiation
    without_body: ClassVar[Collection[str]] = ()
    """Actions, or methods of a view, that read no body, besides those that read or delete."""
    parameters: ClassVar[Mapping[str, Collection[str]]] = {}
    """What is read, by the action of a view set or the method of a view."""
    filtered: ClassVar[Collection[str]] = ("list",)
    """Actions whose parameters a `StrictFilterBackend` knows, and refuses."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:  # Any: as the base has them
        """Refuse what nobody reads, once it is known who asks and before anything is looked for."""
        super().initial(request, *args, **kwargs)
        done = self._done_by(request)
        if done is not None and done not in self.filtered:
            refuse_undecodable(request.META.get("QUERY_STRING", ""))
            refuse_unknown(request.query_params, self.parameters.get(done, ()), noun="query parameter")
        if done is not None and (request.method in _BODILESS or done in self.without_body):
            _refuse_body(request)

    def handle_exception(self, exc: Exception) -> Response:
        """Answer what went wrong."""
        response = super().handle_exception(exc)
        if type(getattr(self.request, "accepted_renderer", None)) is not JSONRenderer:
            self.request.accepted_renderer = JSONRenderer()
            self.request.accepted_media_type = JSONRenderer.media_type
        return response

    def _done_by(self, request: Request) -> str | None:
        """Return the action or method that answers; None: none does, or it tells what the path takes."""
        method = (request.method or "").lower()
        if method == "options":
            return None
        if hasattr(self, "action"):
            action: str | None = self.action
            return action
        name = "get" if method == "head" else method
        return name if hasattr(self, name) else None


class StrictFilterBackend(DjangoFilterBackend):
    """Filters by query parameters, and refuses those that neither the filters nor the pages know."""

    fields: Collection[str] = ()
    """Parameters that others read."""

    def is_open(self, parameter: str) -> bool:
        """Return whether somebody else reads, and checks, a parameter."""
        return parameter in self.fields

    def filter_queryset[M: Model](  # type: ignore[override]  # the request is DRF's
        self, request: Request, queryset: QuerySet[M], view: APIView
    ) -> QuerySet[M]:
        """Return the rows that the parameters ask for.

        Raises:
            ValidationError: a parameter is unknown or has a wrong value.
        """
        refuse_undecodable(request.META.get("QUERY_STRING", ""))
        filterset_class = self.get_filterset_class(view, queryset)
        known = filterset_class.base_filters if filterset_class else {}
        of_pages = getattr(getattr(view, "paginator", None), "query_parameters", ())
        given = [key for key in request.query_params if not self.is_open(key)]
        refuse_unknown(given, [*known, *of_pages, *self.fields], noun="query parameter")
        _refuse_unread(request, known)
        filtered: QuerySet[M] = super().filter_queryset(request, queryset, view)
        return filtered


def _refuse_body(request: Request) -> None:
    """Refuse what is sent where no body is read; an empty object says nothing.

    Raises:
        ValidationError: keyed by its fields.
    """
    if request.META.get("CONTENT_LENGTH") in _NOTHING or not request.body.strip():
        return
    given: Any = request.data if request.content_type.startswith("application/json") else None
    if not isinstance(given, dict):
        raise ValidationError(
            {NON_FIELD_ERRORS_KEY: [say("No body is read here; leave it out.")]}, code="unknown"
        )
    refuse_unknown(given, (), noun="field")


def _refuse_unread(request: Request, known: Mapping[str, Any]) -> None:
    """Refuse what a filter would take for "not given": then all rows would be shown.

    Raises:
        ValidationError: keyed by the parameter.
    """
    for name in known.keys() & request.query_params.keys():
        given = request.query_params.getlist(name)
        if len(given) > 1 and not isinstance(known[name], MultipleChoiceFilter):
            fault = say("It is given {count} times; give it once.", count=len(given))
            raise ValidationError({name: [fault]}, code="invalid")
        if isinstance(known[name], BooleanFilter) and any(each.lower() not in _BOOLEANS for each in given):
            raise ValidationError({name: [say("Give `true` or `false`, or leave it out.")]}, code="invalid")
        if not isinstance(known[name], CharFilter) and "" in given:
            raise ValidationError(
                {name: [say("It is empty; give a value, or leave it out.")]}, code="invalid"
            )


def checked(serializer: serializers.Serializer[Any]) -> dict[str, Any]:
    """Return the fields of a serializer of input.

    Raises:
        ValidationError: it is not valid.
    """
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def sent_back[S: StrictSerializer](serializer: type[S], given: Any, shown: Mapping[str, Any]) -> S:
    """Return the serializer of a body (Any: unchecked), without read-only fields sent as they are shown.

    Raises:
        ValidationError: a read-only field is sent otherwise.
    """
    if isinstance(given, dict):
        known = serializer().fields
        changed = [key for key in shown if key not in known and given.get(key, shown[key]) != shown[key]]
        if changed:
            fault = say("It can't be changed; leave it out, or send it as it is shown now.")
            raise ValidationError({key: [fault] for key in changed}, code="read_only")
        given = {key: each for key, each in given.items() if key in known or key not in shown}
    return serializer(data=given)


def refuse_other_types(given: Mapping[str, Any], fields: Mapping[str, Any]) -> None:
    """Refuse JSON of other types than the OpenAPI schema says: DRF takes 1 for a text, and "yes" for true.

    Any: unchecked values, and fields of every kind.

    Raises:
        ValidationError: keyed by field.
    """
    faults: dict[str, Any] = {
        name: found
        for name, field in fields.items()
        if name in given and (found := _other_types(field, given[name]))
    }
    if faults:
        raise ValidationError(faults, code="type")


def _other_types(field: Any, value: Any) -> list[str] | dict[int, Any]:  # Any: of lists in lists, the same
    """Return the faults of one value; those of a list by position, as DRF's own."""
    if isinstance(field, serializers.ListField) and isinstance(value, list):
        found = {at: _other_types(field.child, each) for at, each in enumerate(value)}
        return {at: faults for at, faults in found.items() if faults}
    for kinds, types, expected in _JSON_TYPES:
        if isinstance(field, kinds) and value is not None and not isinstance(value, types):
            return [say("Expected {expected}, not {value}.", expected=expected, value=shown(value))]
    return []


def refuse_undecodable(query: str) -> None:
    """Refuse a query string that is no UTF-8: Django would look for what stands for the broken bytes.

    Raises:
        ValidationError: keyed by the parameter.
    """
    for part in query.split("&"):
        try:
            unquote_to_bytes(part).decode()
        except UnicodeDecodeError as error:
            name = unquote(part.partition("=")[0])[:MAX_KEY_LENGTH]
            raise ValidationError(
                {name: [say("The value is no UTF-8; encode it anew.")]}, code="invalid"
            ) from error


def refuse_unknown(given: Collection[str], known: Collection[str], *, noun: str) -> None:
    """Refuse keys that are not known, with the near misses; of many the first DOMAIN_MAX_FAULTS.

    Raises:
        ValidationError: keyed by the unknown key.
    """
    unknown = [str(key) for key in given if key not in known]
    if not unknown:
        return
    most, listed = limits().domain_max_faults, ", ".join(sorted(known)) or "none"
    faults = {
        key[:MAX_KEY_LENGTH]: [
            say(
                "There is no {noun} {key}.{hint} There are: {listed}.",
                noun=noun,
                key=shown(key),
                hint=near_misses(key, known),
                listed=listed,
            )
        ]
        for key in unknown[:most]
    }
    if len(unknown) > most:
        more = say("And {count:,} more that are unknown.", count=len(unknown) - most)
        faults[NON_FIELD_ERRORS_KEY] = [*faults.get(NON_FIELD_ERRORS_KEY, ()), ErrorDetail(more, "more")]
    raise ValidationError(faults, code="unknown")
