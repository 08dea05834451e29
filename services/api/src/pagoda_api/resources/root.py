"""Where everything is: ``/api/v2/``, and what it takes: ``/api/v2/schema/``."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from pagoda_api.strict import FormatNegotiation, StrictView

LINKS = {
    "documentation": "docs",
    "schema": "schema",
    "token": "token",
    "login": "login",
    "me": "me",
    "entities": "entity-list",
    "entries": "entry-list",
    "search": "search",
    "saved_searches": "saved-search-list",
    "jobs": "job-list",
    "plugins": "plugin-list",
    "switches": "switches",
    "processes": "processes",
    "audit": "audit-list",
    "users": "user-list",
    "groups": "group-list",
    "roles": "role-list",
    "tokens": "api-token-list",
}
"""``{what: the name of its URL}``."""


class RootView(StrictView):
    """Where the API's resources are. Anybody may ask: it tells no more than the documentation."""

    permission_classes = [AllowAny]

    @extend_schema(responses={200: dict[str, str]})
    def get(self, request: Request) -> Response:
        """Answer with the URL of each resource."""
        return Response({what: reverse(name, request=request) for what, name in LINKS.items()})


class SchemaView(StrictView, SpectacularAPIView):
    """The OpenAPI schema, of the plugins' endpoints, too."""

    parameters = {"get": ("format", "lang", "version")}
    content_negotiation_class = FormatNegotiation


class DocsView(StrictView, SpectacularSwaggerSplitView):
    """The page that shows the schema and tries it."""

    parameters = {"get": ("lang", "script", "version")}
