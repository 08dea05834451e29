"""One shape for every error the API answers.

Faults of fields are keyed by the field, as DRF does; everything else is ``detail``. Both carry ``code`` (for
programs), and ``plugin`` when a plugin refused or failed.
"""

from __future__ import annotations

from math import ceil
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, PermissionDenied, RequestDataTooBig, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.views import defaults
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.serializers import as_serializer_error
from rest_framework.views import exception_handler

from pagoda.hooks.errors import HookTimeout, RejectedByPlugin
from pagoda.plugins.runtime import registry
from pagoda_api.plugin_responses import ResponseTooLarge, UnusableResponse
from pagoda_api.plugin_routes import API_PREFIX, plugin_of
from pagoda_api.request_id import request_id_of
from pagoda_plugin_sdk.exceptions import HookRejected, PluginLoadError, PluginSecurityError

_NO_FIELD = (NON_FIELD_ERRORS, "non_field_errors")
"""How Django and DRF key the faults that belong to no field."""


class Conflict(exceptions.APIException):
    """The request is fine; the state of the thing does not allow it now."""

    status_code = 409
    default_code = "conflict"


class BodyTooLarge(exceptions.APIException):
    """The body is longer than the server accepts."""

    status_code = 413
    default_code = "body_too_large"


def handle_exception(error: Exception, context: dict[str, Any]) -> Response | None:
    """Answer what a DRF view raised; None for the unexpected, which the fence records and answers."""
    known = _as_api_exception(error)
    if known is None:
        return None
    response = exception_handler(known, context)
    if response is not None:
        response.data = _body(known, error)
    return response


def _as_api_exception(error: Exception) -> exceptions.APIException | None:
    match error:
        case exceptions.APIException():
            return error
        case Http404():
            return exceptions.NotFound(*error.args)
        case RejectedByPlugin():
            return exceptions.ValidationError({**error.fields, "detail": str(error)})
        case HookRejected():
            return exceptions.ValidationError({"detail": str(error)})
        case PermissionDenied() | PluginSecurityError():
            return exceptions.PermissionDenied(*error.args)
        case ValidationError():
            return exceptions.ValidationError(as_serializer_error(error))
        case RequestDataTooBig():
            return BodyTooLarge(str(error))
        case _:
            return None


def _body(known: exceptions.APIException, error: Exception) -> dict[str, Any]:
    match known.detail:
        case dict() as faults:
            body: dict[str, Any] = _with_detail(faults)
        case list() as messages:
            body = {"detail": " ".join(map(str, messages))}
        case detail:
            body = {"detail": detail}
    body.setdefault("code", _code(known, error))
    if isinstance(error, RejectedByPlugin):
        body["plugin"] = error.plugin_id
    return body


def _with_detail(faults: dict[str, Any]) -> dict[str, Any]:
    """Return the faults by field, those of no field as the ``detail``."""
    body = {field: messages for field, messages in faults.items() if field not in _NO_FIELD}
    of_no_field = [str(message) for field in _NO_FIELD for message in faults.get(field, ())]
    return body | ({"detail": " ".join(of_no_field)} if of_no_field else {})


def _code(known: exceptions.APIException, error: Exception) -> str:
    if isinstance(error, HookRejected):
        return error.code
    if isinstance(known, exceptions.ValidationError):
        return known.default_code
    return str(getattr(known.detail, "code", known.default_code))


def unexpected_error(request: HttpRequest, plugin_id: str | None) -> JsonResponse:
    """Answer 500 with the request id, by which the log record is found, and the plugin when it is one's."""
    request_id = request_id_of(request)
    whose = f"An endpoint of plugin {plugin_id!r}" if plugin_id else "The server"
    detail = f"{whose} failed. The cause is in the server's log under request id {request_id!r}."
    code = "plugin_endpoint_failed" if plugin_id else "internal_error"
    return _problem(request, detail, code, 500, plugin_id)


def plugin_unavailable(request: HttpRequest, plugin_id: str, retry_seconds: float) -> JsonResponse:
    """Answer for an endpoint whose breaker is open."""
    detail = f"The endpoints of plugin {plugin_id!r} are out of service, as they failed too often."
    return _try_later(request, plugin_id, detail, "plugin_unavailable", retry_seconds)


def plugin_busy(request: HttpRequest, plugin_id: str, retry_seconds: float) -> JsonResponse:
    """Answer for an endpoint of a plugin that holds all it may of the server."""
    detail = f"Plugin {plugin_id!r} has as many requests at work as one plugin may have."
    return _try_later(request, plugin_id, detail, "plugin_busy", retry_seconds)


def plugin_failed(request: HttpRequest, plugin_id: str, error: BaseException) -> JsonResponse:
    """Answer for an endpoint that raised, ran too long, or returned what is no use."""
    match error:
        case HookTimeout():
            fault, code, status = f"it was {error}", "plugin_endpoint_timeout", 504
        case UnusableResponse() | ResponseTooLarge():
            fault, code, status = (
                f"it {error}" if isinstance(error, UnusableResponse) else str(error),
                error.code,
                502,
            )
        case _:
            return unexpected_error(request, plugin_id)
    detail = f"An endpoint of plugin {plugin_id!r} failed: {fault}."
    return _problem(request, detail, code, status, plugin_id)


def _try_later(
    request: HttpRequest, plugin_id: str, detail: str, code: str, retry_seconds: float
) -> JsonResponse:
    seconds = ceil(retry_seconds)
    response = _problem(request, f"{detail} Try again in {seconds} s.", code, 503, plugin_id)
    response.headers["Retry-After"] = str(seconds)
    return response


def _problem(
    request: HttpRequest, detail: str, code: str, status: int, plugin_id: str | None
) -> JsonResponse:
    body = {"detail": detail, "code": code, "request_id": request_id_of(request)}
    return logged(JsonResponse(body | ({"plugin": plugin_id} if plugin_id else {}), status=status))


def logged[R: HttpResponse](response: R) -> R:
    """Return `response` marked as logged, so that Django does not add a record of its own."""
    setattr(response, "_has_been_logged", True)  # noqa: B010 - Django's mark, which its types don't know
    return response


def not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Answer an unknown path: JSON below /api/, Django's page elsewhere."""
    if not _wants_json(request):
        return defaults.page_not_found(request, exception)
    nothing = f"Nothing is served at {request.path!r}. GET /api/v2/schema/ lists what is."
    detail = _plugin_fault(request.path) or nothing
    return JsonResponse({"detail": detail, "code": "not_found"}, status=404)


def _plugin_fault(path: str) -> str | None:
    """Return why the plugin that `path` names is not served, None when that is not the reason."""
    prefix = f"/{API_PREFIX}"
    name = path.removeprefix(prefix).partition("/")[0] if path.startswith(prefix) else ""
    if not name:
        return None
    try:
        record = registry().get(name)
    except PluginLoadError as error:
        return str(error)
    if record.is_active:
        return None
    return f"Plugin {record.id!r} is {record.status.value}. GET {prefix}{record.id}/ tells why."


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Answer a refusal by a plain Django view: JSON below /api/, Django's page elsewhere."""
    if not _wants_json(request):
        return defaults.permission_denied(request, exception)
    detail = str(exception) or "You may not do this."
    return JsonResponse({"detail": detail, "code": "permission_denied"}, status=403)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Answer a request that Django refuses: JSON below /api/, Django's page elsewhere."""
    if not _wants_json(request):
        return defaults.bad_request(request, exception)
    # The exception's text may quote headers of the request; it is in the log.
    return JsonResponse({"detail": "The request is malformed.", "code": "bad_request"}, status=400)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer what failed outside of any view."""
    return unexpected_error(request, plugin_of(request.resolver_match))


def _wants_json(request: HttpRequest) -> bool:
    return request.path.startswith("/api/")
