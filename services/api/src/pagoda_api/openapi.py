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

from pagoda.fencing.errors import is_host_interrupt
from pagoda_api.endpoint_fence import endpoint_fence
from pagoda_api.plugin_routes import PREFIXES

log = structlog.get_logger(__name__)


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


def _named(view: Callable[..., Any]) -> str:
    return f"{view.__module__}.{getattr(view, '__qualname__', type(view).__name__)}"


class ApiTokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Describes token authentication; spectacular finds it by the class it names."""

    target_class = "pagoda_api.authentication.ApiTokenAuthentication"
    name = "apiToken"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        """Return the scheme's OpenAPI object."""
        return {"type": "http", "scheme": "bearer", "description": "A token from POST /api/v2/auth/token/."}
