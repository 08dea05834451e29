"""The OpenAPI schema, with a fence around each plugin endpoint: a bad view costs itself alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog
from django.http import HttpRequest
from django.urls import get_script_prefix
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.generators import EndpointEnumerator, SchemaGenerator
from drf_spectacular.openapi import AutoSchema

from pagoda.fencing.interrupts import is_host_interrupt
from pagoda.idempotency.models import MAX_KEY_LENGTH
from pagoda_api.conditional import TAGGED, WITH_SECRETS, ConditionalViewSet, is_guarded
from pagoda_api.endpoint_fence import endpoint_fence
from pagoda_api.plugin_routes import PREFIXES
from pagoda_api.resources.managed import ManagedSerializer
from pagoda_api.shapes import COMPONENTS, by_type
from pagoda_api.strict import StrictSerializer
from pagoda_plugin_sdk.api import PluginAPIView

log = structlog.get_logger(__name__)


class EndpointSchema(AutoSchema):
    """Describes an endpoint; of a plugin's view also what it says of itself by its attributes."""

    def _is_list_view(self, serializer: Any = None) -> bool:
        is_paged = isinstance(self.view, PluginAPIView) and getattr(self.view, "pagination_class", None)
        return bool(is_paged and self.method == "GET") or super()._is_list_view(serializer)

    def get_response_serializers(self) -> Any:
        """Return what it answers, by its status where the view tells that. Any: as the base has it."""
        serializer = super().get_response_serializers()
        statuses = self.view.response_statuses if isinstance(self.view, PluginAPIView) else {}
        return {statuses[self.method]: serializer} if self.method in statuses else serializer

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:  # Any: as the base has it
        """Return the operation, with the conditions under which it is done."""
        operation: dict[str, Any] | None = super().get_operation(*args, **kwargs)
        if operation is not None and isinstance(self.view, ConditionalViewSet):
            _tell_conditions(operation, self.view)
        return operation


class FencedEndpointEnumerator(EndpointEnumerator):
    """Lists the endpoints; one that can't say its methods is left out."""

    def get_allowed_methods(self, callback: Callable[..., Any]) -> list[str]:
        """Return the methods that `callback` answers, [] when asking fails."""
        try:
            methods: list[str] = super().get_allowed_methods(callback)  # type: ignore[no-untyped-call]
        except BaseException as error:  # the fence
            if is_host_interrupt(error):
                raise
            log.error("openapi_endpoint_skipped", view=_named(callback), exc_info=True)
            return []
        return methods


class FencedSchemaGenerator(SchemaGenerator):
    """Generates one endpoint at a time, so that a plugin's broken one is logged and left out."""

    endpoint_inspector_cls = FencedEndpointEnumerator

    def get_schema(self, request: Any = None, public: bool = False) -> Any:
        """Return the schema, with the prefix under which it is served. Any: as the base has it."""
        schema = super().get_schema(request, public)  # type: ignore[no-untyped-call]
        prefix = get_script_prefix().removesuffix("/")
        return {**schema, "servers": [{"url": prefix}]} if prefix else schema

    def parse(self, input_request: HttpRequest | None, public: bool) -> dict[str, Any]:
        """Return ``{path: {method: operation}}``.

        A fault of one of the host's own endpoints escapes.
        """
        self._initialise_endpoints()  # type: ignore[no-untyped-call]
        endpoints = self.endpoints or []
        paths: dict[str, Any] = {}
        for endpoint in endpoints:
            self.endpoints = [endpoint]
            for path, operations in self._parse_one(endpoint[0], input_request, public).items():
                paths.setdefault(path, {}).update(operations)
        self.endpoints = endpoints
        return paths

    def _parse_one(self, path: str, input_request: HttpRequest | None, public: bool) -> dict[str, Any]:
        components, fence = dict(self.registry._components), endpoint_fence()  # noqa: SLF001 - of drf-spectacular
        try:
            operations: dict[str, Any] = fence.budget.run_within(
                fence.timeout_seconds, "", super().parse, input_request, public
            )
        except BaseException as error:  # the fence
            if is_host_interrupt(error) or not path.removeprefix("/").startswith(PREFIXES):
                raise
            log.error("openapi_endpoint_skipped", path=path, exc_info=True)
            self.registry._components = components  # noqa: SLF001 - without those that the endpoint left half made
            return {}
        return operations


CODES = {
    400: ("invalid", "Something is wrong with the request; `errors` names the fields."),
    401: ("not_authenticated", "Nobody is logged in, or the token is not valid."),
    403: ("permission_denied", "The user may not do this."),
    404: ("not_found", "There is nothing here, or the user may not see it."),
    406: ("not_acceptable", "There is no answer of the types that Accept names."),
    409: ("conflict", "The state of the thing does not allow it now, such as a name that is taken."),
    412: ("precondition_failed", "It was changed since it was read: the condition does not hold."),
    413: ("body_too_large", "The body is longer than the server accepts."),
    414: ("uri_too_long", "The path with its parameters is longer than the server reads."),
    415: ("unsupported_media_type", "The body is of another type than the server reads."),
    422: ("idempotency_key_reused", "Another request was sent with the Idempotency-Key."),
    429: (
        "rate_limited",
        "Too many requests, and Retry-After; or jobs (`too_many_jobs`): one has to end first.",
    ),
    500: ("internal_error", "The server failed; its log has the cause under `request_id`."),
    503: ("database_unavailable", "Something that the server needs is away; Retry-After."),
}
"""``{status: (an example of the code, what it means)}``"""

_ERROR = {
    "type": "object",
    "description": "Every error. Until the next minor release what is in `errors` stands beside it, too.",
    "properties": {
        "detail": {"type": "string", "description": "What is wrong, for people."},
        "code": {"type": "string", "description": "What is wrong, for programs."},
        "errors": {
            "type": "object",
            "description": "Faults by the name of the field, parameter or attribute, and of what is inside "
            "by its path, such as `entities[2]`.",
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
        },
        "plugin": {"type": "string", "description": "Whose code refused or failed."},
        "request_id": {"type": "string", "description": "By which the server's log knows the request."},
    },
    "required": ["detail", "code"],
    "additionalProperties": {},
}


def tell_manners(
    result: dict[str, Any], generator: SchemaGenerator, **_hook: Any
) -> dict[str, Any]:  # Any: JSON, and what else the hook is given
    """Add to each operation the errors that it may answer, and the headers that it takes."""
    components = result.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas["Error"] = _ERROR
    _say_what_serializers_check(schemas, generator)
    _mend_null(result)
    if "AttrInfo" in schemas:
        schemas["AttrInfo"] = by_type(schemas["AttrInfo"])
    schemas |= COMPONENTS
    error = {"$ref": "#/components/schemas/Error"}
    components["responses"] = {
        f"Error{status}": {
            "description": meaning,
            "content": {
                "application/json": {"schema": error, "example": {"detail": meaning, "code": code}},
            },
        }
        for status, (code, meaning) in CODES.items()
    }
    components["parameters"] = {
        "IfMatch": _header("If-Match", "An ETag: it is done only if the thing has it still."),
        "IfNoneMatch": _header("If-None-Match", "An ETag: 304 if the thing has it still."),
        "IdempotencyKey": _header(
            "Idempotency-Key", "Sent again within a day, a request is answered again, not done again."
        )
        | {"schema": {"type": "string", "minLength": 1, "maxLength": MAX_KEY_LENGTH, "pattern": "^[ -~]+$"}},
    }
    needed = _needed_bodies(generator)
    for path, operations in result["paths"].items():
        for method, operation in operations.items():
            _complete(path, method, operation)
            body = operation.get("requestBody", {})
            media = body.get("content", {}).get("application/json", {})
            if media.get("schema", {}).get("$ref") in needed:
                body["required"] = True
    return result


def _mend_null(schema: Any) -> None:  # Any: JSON
    """Say null as JSON Schema does: `nullable` is of OpenAPI 3.0, and pages and plugins may still say it.

    And take out what says nothing: `oneOf` of anything and null, of which null would be both. A text that may
    be blank is one of either kind, as a format alone refuses nothing.
    """
    if isinstance(schema, dict):
        if {} in schema.get("oneOf", ()):
            del schema["oneOf"]
        if {"type": "string", "maxLength": 0} in schema.get("oneOf", ()):
            schema["anyOf"] = schema.pop("oneOf")
        if isinstance(schema.get("nullable"), bool) and schema.pop("nullable"):
            if isinstance(schema.get("type"), str) and "enum" not in schema:
                schema["type"] = [schema["type"], "null"]
            else:
                other = dict(schema)
                schema.clear()
                schema["oneOf"] = [other, {"type": "null"}]
        for each in schema.values():
            _mend_null(each)
    elif isinstance(schema, list):
        for each in schema:
            _mend_null(each)


def _say_what_serializers_check(schemas: dict[str, Any], generator: SchemaGenerator) -> None:
    """Say of each body that is refused with a field that nobody reads that it has no others.

    And of fields that exclude each other that they do, and of entries of which parts are asked for that any
    field may be left out.
    """
    for component in generator.registry._components.values():  # noqa: SLF001 - of drf-spectacular
        made_by = component.object if isinstance(component.object, type) else type(component.object)
        is_strict = issubclass(made_by, StrictSerializer | ManagedSerializer)
        if is_strict and component.name.endswith("Request") and component.name in schemas:
            schemas[component.name]["additionalProperties"] = False
        if issubclass(made_by, StrictSerializer) and component.name in schemas:
            schemas[component.name] |= _exclusions(made_by)
        if getattr(made_by, "is_in_parts", False) and not component.name.startswith("Paginated"):
            schemas[component.name].pop("required", None)


def _exclusions(made_by: type[StrictSerializer]) -> dict[str, Any]:
    # Not as `oneOf`, of which generators of clients make a type each.
    if made_by.one_of:
        first, second = made_by.one_of
        needed = {"if": {"not": {"required": [first]}}, "then": {"required": [second]}}
        return {"not": {"required": [first, second]}, **needed}
    return {"not": {"required": list(made_by.not_both)}} if made_by.not_both else {}


def _needed_bodies(generator: SchemaGenerator) -> set[str]:
    """Return the references to bodies that need a field, which of two is the client's choice."""
    return {
        f"#/components/schemas/{component.name}"
        for component in generator.registry._components.values()  # noqa: SLF001 - of drf-spectacular
        if getattr(component.object, "one_of", ())
    }


def _header(name: str, meaning: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "description": meaning, "schema": {"type": "string"}}


def _complete(path: str, method: str, operation: dict[str, Any]) -> None:
    statuses = {400, 401, 403, 406, 413, 414, 429, 500, 503} | ({404} if "{" in path else set())
    headers = []
    if method != "get":
        statuses.add(409)
        statuses |= {415} if "requestBody" in operation else set()
    if method == "post" and not path.startswith(WITH_SECRETS):
        headers.append("IdempotencyKey")
        statuses.add(422)
    _take_headers(operation, headers)
    for named in [each for each in operation["responses"] if int(each) in CODES]:
        if "content" not in operation["responses"][named]:  # a view says just that it may answer so
            del operation["responses"][named]
            statuses.add(int(named))
    for status in sorted(statuses):
        known_answer = operation["responses"].setdefault(
            str(status), {"$ref": f"#/components/responses/Error{status}"}
        )
        if "content" in known_answer:  # one of the operation's own, beside those that any may answer
            content = known_answer["content"]["application/json"]
            content["schema"] = {"anyOf": [content["schema"], {"$ref": "#/components/schemas/Error"}]}


def _take_headers(operation: dict[str, Any], headers: list[str]) -> None:
    if headers:
        known = operation.setdefault("parameters", [])
        known += [{"$ref": f"#/components/parameters/{name}"} for name in headers]


def _tell_conditions(operation: dict[str, Any], view: ConditionalViewSet[Any]) -> None:
    if is_guarded(view):
        _take_headers(operation, ["IfMatch"])
        operation["responses"]["412"] = {"$ref": "#/components/responses/Error412"}
    if view.action not in TAGGED:
        return
    if view.action == "retrieve":
        _take_headers(operation, ["IfMatch", "IfNoneMatch"])
        operation["responses"]["304"] = {"description": "It is as the client has it."}
        operation["responses"]["412"] = {"$ref": "#/components/responses/Error412"}
    for status in ("200", "201"):
        if status in operation["responses"]:
            tag = {"schema": {"type": "string"}, "description": "A strong one, of what is shown."}
            operation["responses"][status]["headers"] = {"ETag": tag}


def _named(view: Callable[..., Any]) -> str:
    return f"{view.__module__}.{getattr(view, '__qualname__', type(view).__name__)}"


class ApiTokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Describes token authentication; spectacular finds it by the class it names."""

    target_class = "pagoda_api.authentication.ApiTokenAuthentication"
    name = "apiToken"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        """Return the scheme's OpenAPI object."""
        return {"type": "http", "scheme": "bearer", "description": "A token from POST /api/v2/auth/token/."}
