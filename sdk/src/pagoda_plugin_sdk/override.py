"""Take the place of an operation on the entries of one entity, and make the answers.

A method of a plugin is marked with `@override_operation`; the operator binds it to an entity by the setting
BACKEND_PLUGIN_ENTITY_OVERRIDES. It is called after the host has checked who asks, with their rights.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from types import FunctionType
from typing import TYPE_CHECKING, Any, Literal, get_args

from pagoda_plugin_sdk.exceptions import PluginValidationError, near_misses

if TYPE_CHECKING:
    from django.http.response import HttpResponseBase
    from rest_framework.request import Request
    from rest_framework.response import Response

    from pagoda_plugin_sdk.protocols import EntityProtocol, EntryProtocol, UserProtocol

OverrideOperation = Literal["create", "retrieve", "update", "delete", "list"]

OVERRIDE_OPERATIONS: tuple[OverrideOperation, ...] = get_args(OverrideOperation)

OVERRIDE_META_ATTR = "_override_meta"
"""Name of the function attribute that holds the `OverrideMeta`."""


@dataclass(frozen=True, slots=True)
class OverrideMeta:
    """What a method takes the place of."""

    operation: OverrideOperation

    def to_dict(self) -> dict[str, str]:
        """Return ``{"operation": ...}``."""
        return {"operation": self.operation}


@dataclass(slots=True)
class OverrideContext:
    """What an override is called with."""

    request: Request
    user: UserProtocol
    entity: EntityProtocol
    plugin_id: str
    operation: OverrideOperation
    entry: EntryProtocol | None = None  # for retrieve, update and delete
    data: dict[str, Any] | None = None  # the body, for create and update: as the client sent it, not checked
    params: Any = field(default_factory=dict)  # what `Plugin.validate_params` made of the operator's

    @property
    def is_authenticated(self) -> bool:
        """Return whether somebody is logged in."""
        user: UserProtocol | None = self.user
        return user is not None and bool(user.is_authenticated)

    def get_request_data(self) -> dict[str, Any]:
        """Return a copy of `data`, or of the request's body where there is none."""
        return dict(self.data or self.request.data or {})


type Overrides = Callable[[Any, OverrideContext], HttpResponseBase | None]  # Any: the plugin itself


def override_operation[F: Overrides](operation: OverrideOperation) -> Callable[[F], F]:
    """Mark a method ``(self, context)``; it returns a response, or None to leave the operation to the host.

    Raises:
        PluginValidationError: there is no such operation.
    """
    if isinstance(operation, FunctionType):
        raise PluginValidationError(
            f"@override_operation stands above {operation.__name__} without brackets. "
            "Write @override_operation(...) with the operation inside them."
        )
    found = next((name for name in OVERRIDE_OPERATIONS if name == str(operation).lower()), None)
    if found is None:
        raise PluginValidationError(
            f"Invalid operation: {operation!r}, expected one of {', '.join(OVERRIDE_OPERATIONS)}."
            f"{near_misses(str(operation), OVERRIDE_OPERATIONS)}"
        )

    def decorate(function: F) -> F:
        setattr(function, OVERRIDE_META_ATTR, OverrideMeta(found))
        return function

    return decorate


def override_meta(function: object) -> OverrideMeta | None:
    """Return what `function` was marked with, or None."""
    meta: OverrideMeta | None = getattr(function, OVERRIDE_META_ATTR, None)
    return meta


# Answers. `data` holds JSON values.


def success_response(data: Mapping[str, Any] | None = None, status_code: int = 200) -> Response:
    """Answer 200 with `data`."""
    return _response(data or {}, status_code)


def created_response(
    data: Mapping[str, Any] | None = None, entry_id: int | None = None, entry_name: str | None = None
) -> Response:
    """Answer 201 with `data`, or with ``{"id", "name"}`` as far as they are given."""
    named = {"id": entry_id, "name": entry_name}
    return _response({k: v for k, v in named.items() if v is not None} if data is None else data, 201)


def accepted_response(
    data: Mapping[str, Any] | None = None, message: str = "Request accepted for processing"
) -> Response:
    """Answer 202 with `data` and, unless it has one, `message`: the work is left to a job."""
    return _response({"message": message, **(data or {})}, 202)


def no_content_response() -> Response:
    """Answer 204."""
    return _response(None, 204)


def error_response(
    message: str, status_code: int = 400, details: Mapping[str, Any] | None = None
) -> Response:
    """Answer ``{"error": message}``, with `details` where there are any."""
    return _response({"error": message, **({"details": details} if details else {})}, status_code)


def not_found_response(message: str = "Entry not found") -> Response:
    """Answer 404 with ``{"error": message}``."""
    return error_response(message, 404)


def permission_denied_response(
    message: str = "Permission denied", denied_entries: Sequence[int] | None = None
) -> Response:
    """Answer 403 with ``{"error": message}``, and the ids of the entries that it is about."""
    denied = {"denied_entries": list(denied_entries)} if denied_entries else {}
    return _response({"error": message, **denied}, 403)


def validation_error_response(errors: Mapping[str, Any] | Sequence[str] | str) -> Response:
    """Answer 400 with `errors`; a text stands under ``"detail"``."""
    return _response({"detail": errors} if isinstance(errors, str) else errors, 400)


def _response(data: Any, status: int) -> Response:
    # REST framework needs configured settings, and plugins import this module without.
    response: Response = import_module("rest_framework.response").Response(data, status=status)
    return response
