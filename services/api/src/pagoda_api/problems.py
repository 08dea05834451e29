"""One shape for every error the API answers.

``detail`` says what is wrong and ``code`` says it to programs; ``errors`` has the faults of single fields,
``{field: [message]}``; ``plugin`` is there when a plugin refused or failed. For one minor release faults
stand beside ``errors``, too, unless their field is called as something else that is told.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from math import ceil
from typing import Any, Concatenate

import structlog
from django.core.exceptions import (
    NON_FIELD_ERRORS,
    DisallowedHost,
    PermissionDenied,
    RequestDataTooBig,
    ValidationError,
)
from django.db.models import ProtectedError, RestrictedError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.urls import is_valid_path, reverse
from django.utils.translation import get_language_from_request, override
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.serializers import as_serializer_error
from rest_framework.views import exception_handler

from pagoda.budget import TimeBudgetExceeded
from pagoda.domain.entry.deleting import EntryProtected
from pagoda.health.storage import storage_fault
from pagoda.hooks.rejections import RejectedByPlugin
from pagoda.jobs.job_errors import InvalidParams, TooManyJobs
from pagoda.plugins.registry import registry
from pagoda.rates.logins import LoginThrottled
from pagoda_api.browsers import guarded, theme_of
from pagoda_api.fault_paths import by_path, first_of, summary
from pagoda_api.plugin_responses import ResponseTooLarge, UnusableResponse
from pagoda_api.plugin_routes import API_PREFIX, PAGES_PREFIX
from pagoda_api.request_id import PROBES, request_id_of
from pagoda_plugin_sdk.exceptions import HookRejected, ParamsRefused, PluginLoadError, PluginSecurityError
from pagoda_plugin_sdk.rules.faults import OF_THE_WHOLE
from pagoda_plugin_sdk.rules.limits import limits
from pagoda_plugin_sdk.rules.saying import say
from pagoda_plugin_sdk.washing import shown

DATABASE_RETRY_SECONDS = 5

log = structlog.get_logger(__name__)

CONFLICTS = frozenset({"taken", "unique", "in_use", "deleted", "clash", "in_service"})
"""Codes of faults that are none of the request: the state of the thing does not allow it now."""

_RESERVED = frozenset({"code", "detail", "errors", "plugin", "request_id"})


class Conflict(exceptions.APIException):
    """The request is fine; the state of the thing does not allow it now."""

    status_code = 409
    default_code = "conflict"


class BodyTooLarge(exceptions.APIException):
    """The body is longer than the server accepts."""

    status_code = 413
    default_code = "body_too_large"


class TooMany(exceptions.APIException):
    """Too many logins failed, `wait` is told as Retry-After then; or too many jobs are queued."""

    status_code = 429

    def __init__(self, error: LoginThrottled | TooManyJobs) -> None:
        super().__init__(error.message if isinstance(error, LoginThrottled) else str(error), error.code)
        self.wait = error.seconds if isinstance(error, LoginThrottled) else None


def _to_their_reader[**P](
    answer: Callable[Concatenate[HttpRequest, P], HttpResponse],
) -> Callable[..., HttpResponse]:
    """Have a page speak the language of whoever asked for it; programs are answered in English."""

    @wraps(answer)
    def answered(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        language = "en" if _wants_json(request) else get_language_from_request(request)
        with override(language):
            return answer(request, *args, **kwargs)

    return answered


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
            return _conflict(error) or error
        case Http404():
            return exceptions.NotFound(*error.args)
        case RejectedByPlugin():
            return exceptions.ValidationError({**error.fields, NON_FIELD_ERRORS: [str(error)]})
        case HookRejected() | InvalidParams() | ParamsRefused():  # the latter of a job, whoever submits it
            return exceptions.ValidationError(_faults_of(error))
        case PermissionDenied() | PluginSecurityError():
            return exceptions.PermissionDenied(*error.args)
        case LoginThrottled() | TooManyJobs():
            return TooMany(error)
        case ValidationError():
            known = exceptions.ValidationError(as_serializer_error(error))
            return _conflict(known) or known
        case RequestDataTooBig():
            return BodyTooLarge(str(error))
        case ProtectedError() | RestrictedError():  # before a hard delete: others refer to the row
            return Conflict(str(error.args[0]))
        case _:
            return None


def _body(known: exceptions.APIException, error: Exception) -> dict[str, Any]:
    told: dict[str, Any] = {"code": _code(known, error)}
    if isinstance(error, RejectedByPlugin):
        told["plugin"] = error.plugin_id
    if isinstance(error, EntryProtected):
        told |= {"code": error.code, "references": error.references}
    match known.detail:
        case dict() as faults:
            nested = {field: each for field, each in faults.items() if field not in OF_THE_WHOLE}
            if isinstance(nested.get("detail"), str):  # as plugins raise it: of no field
                faults = {**faults, NON_FIELD_ERRORS: [nested.pop("detail")]}
            of_no_field = [message for field in OF_THE_WHOLE for message in faults.get(field, ())]
            left_out = [str(message) for message in of_no_field if _is_of_more(message)]
            errors, more = first_of(by_path(nested), limits().domain_max_faults)
            detail = " ".join(str(message) for message in of_no_field if not _is_of_more(message))
            if more:
                left_out.append(say("There are {more:,} more faults.", more=more))
            told["detail"] = " ".join(filter(None, [detail or summary(errors), *left_out]))
            beside = {field: each for field, each in errors.items() if field not in _RESERVED}
            return beside | told | ({"errors": errors} if errors else {})
        case list() as messages:
            return told | {"detail": " ".join(map(str, messages[: limits().domain_max_faults]))}
        case detail:
            return told | {"detail": detail}


def _is_of_more(message: object) -> bool:
    """Return whether a message counts what is not told, and names no fault itself."""
    return getattr(message, "code", "") == "more"


def _faults_of(error: HookRejected | InvalidParams | ParamsRefused) -> dict[str, Any]:
    if not isinstance(error, ParamsRefused):
        return {"detail": str(error)}
    return {f"params.{field}" if field else "params": told for field, told in error.faults.items()}


def _conflict(error: exceptions.APIException) -> Conflict | None:
    """Return a refused input as the conflict that it is, None when something is wrong with it."""
    if not isinstance(error, exceptions.ValidationError):
        return None
    codes: list[Any] = [error.get_codes()]
    while containers := [each for each in codes if isinstance(each, dict | list)]:
        codes = [each for each in codes if not isinstance(each, dict | list)]
        codes += [each for held in containers for each in (held.values() if isinstance(held, dict) else held)]
    codes = [each for each in codes if each != "more"]
    return Conflict(error.detail) if codes and CONFLICTS.issuperset(codes) else None


def _code(known: exceptions.APIException, error: Exception) -> str:
    if isinstance(error, HookRejected):
        return error.code
    if isinstance(known.detail, dict | list):
        return known.default_code
    return str(getattr(known.detail, "code", known.default_code))


@_to_their_reader
def unexpected_error(request: HttpRequest, error: BaseException | None) -> HttpResponse:
    """Log what the host let escape and answer it: 503 when it is the database's fault, else 500."""
    log.error("endpoint_failed", path=request.path, request_id=request_id_of(request), exc_info=error)
    return _database_failed(request, error) or _failed(request, None)


def _failed(request: HttpRequest, plugin_id: str | None) -> HttpResponse:
    """Answer 500 with the request id, by which the log record is found, and the plugin when it is one's."""
    request_id = request_id_of(request)
    whose = (
        say("An endpoint of plugin {plugin_id!r}", plugin_id=plugin_id) if plugin_id else say("The server")
    )
    detail = say(
        "{whose} failed. The cause is in the server's log under request id {request_id!r}.",
        whose=whose,
        request_id=request_id,
    )
    code = "plugin_endpoint_failed" if plugin_id else "internal_error"
    return refused(request, detail, code, 500, plugin_id)


def _database_failed(request: HttpRequest, error: BaseException | None) -> HttpResponse | None:
    fault = storage_fault(error)
    if fault is None:
        return None
    return _try_later(request, None, f"{fault.text}.", fault.code, DATABASE_RETRY_SECONDS)


def plugin_unavailable(request: HttpRequest, plugin_id: str, retry_seconds: float) -> HttpResponse:
    """Answer for an endpoint whose breaker is open."""
    detail = say(
        "The endpoints of plugin {plugin_id!r} are out of service, as they failed too often.",
        plugin_id=plugin_id,
    )
    return _try_later(request, plugin_id, detail, "plugin_unavailable", retry_seconds)


def plugin_busy(request: HttpRequest, plugin_id: str, retry_seconds: float) -> HttpResponse:
    """Answer for an endpoint of a plugin that holds all it may of the server."""
    detail = say(
        "Plugin {plugin_id!r} has as many requests at work as one plugin may have.", plugin_id=plugin_id
    )
    return _try_later(request, plugin_id, detail, "plugin_busy", retry_seconds)


def plugin_failed(request: HttpRequest, plugin_id: str, error: BaseException) -> HttpResponse:
    """Answer for an endpoint that raised, ran too long, or returned what is no use."""
    match error:
        case TimeBudgetExceeded():
            fault, code, status = f"it was {error}", "plugin_endpoint_timeout", 504
        case UnusableResponse() | ResponseTooLarge():
            fault, code, status = (
                f"it {error}" if isinstance(error, UnusableResponse) else str(error),
                error.code,
                502,
            )
        case _:
            return _database_failed(request, error) or _failed(request, plugin_id)
    detail = say("An endpoint of plugin {plugin_id!r} failed: {fault}.", plugin_id=plugin_id, fault=fault)
    return refused(request, detail, code, status, plugin_id)


def _try_later(
    request: HttpRequest, plugin_id: str | None, detail: str, code: str, retry_seconds: float
) -> HttpResponse:
    seconds = ceil(retry_seconds)
    response = refused(
        request,
        say("{detail} Try again in {seconds} s.", detail=detail, seconds=seconds),
        code,
        503,
        plugin_id,
    )
    response.headers["Retry-After"] = str(seconds)
    return response


def refused(
    request: HttpRequest, detail: str, code: str, status: int, plugin_id: str | None = None
) -> HttpResponse:
    """Answer in the form that the path promises: JSON or a page."""
    body = {"detail": detail, "code": code, "request_id": request_id_of(request)}
    if not _wants_json(request):
        with override(get_language_from_request(request)):
            shown_as = {"title": HTTPStatus(status).phrase, "theme": theme_of(request)}
            page = render_to_string("console/refused.html", shown_as | body)
        return logged(guarded(HttpResponse(page, status=status)))
    return logged(JsonResponse(body | ({"plugin": plugin_id} if plugin_id else {}), status=status))


def logged[R: HttpResponse](response: R) -> R:
    """Return `response` marked as logged, so that Django does not add a record of its own."""
    setattr(response, "_has_been_logged", True)  # noqa: B010 - Django's mark, which its types don't know
    return response


@_to_their_reader
def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001 - Django names it
    """Answer an unknown path."""
    if is_valid_path(f"{request.path_info}/", getattr(request, "urlconf", None)):
        nothing = say(
            "Nothing is served at {path!r}; send it to '{path}/', with the slash.", path=request.path
        )
    else:
        nothing = say(
            "Nothing is served at {path!r}. GET {schema} lists what is.",
            path=request.path,
            schema=reverse("schema"),
        )
    return refused(request, _plugin_fault(request.path_info) or nothing, "not_found", 404)


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
    about = reverse("plugin-detail", args=[record.id])
    return say(
        "Plugin {record!r} is {value}. GET {about} tells why.",
        record=record.id,
        value=record.status.value,
        about=about,
    )


@_to_their_reader
def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a refusal by a plain Django view."""
    return refused(request, str(exception) or say("You may not do this."), "permission_denied", 403)


@_to_their_reader
def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer a form that a browser sent without the token that shows where the form came from."""
    return refused(
        request,
        say("{reason} Load the page again.", reason=reason or say("CSRF verification failed.")),
        "csrf",
        403,
    )


@_to_their_reader
def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a request that Django refuses."""
    if isinstance(exception, DisallowedHost):
        host = request.META.get("HTTP_HOST", "")
        log.warning("host_not_allowed", host=shown(host), setting="PAGODA_ALLOWED_HOSTS")
        detail = say(
            "The server does not answer to the host {host}. Its operator lists the names that it "
            "answers to in PAGODA_ALLOWED_HOSTS.",
            host=shown(host),
        )
        return refused(request, detail, "host_not_allowed", 400)
    # The exception's text may quote headers of the request; it is in the log.
    return refused(request, say("The request is malformed."), "bad_request", 400)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer what failed outside of any view."""
    return unexpected_error(request, sys.exception())


def _wants_json(request: HttpRequest) -> bool:
    """Return whether programs ask at this path; pages of plugins are for both."""
    path = request.path_info
    if path.startswith(f"/{PAGES_PREFIX}"):
        return "text/html" not in request.headers.get("Accept", "")
    return path.startswith("/api/") or path in PROBES
