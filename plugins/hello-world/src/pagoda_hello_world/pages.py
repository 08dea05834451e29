"""The plugin's own page, beside its API."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.views.decorators.http import require_safe

from pagoda_hello_world.plugin import HelloWorldPlugin

PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{title}</title></head>
<body><h1>{title}</h1><p>{description}.</p></body>
</html>
"""


@require_safe
def index(_request: HttpRequest) -> HttpResponse:
    """Show what the plugin is; anybody may look."""
    return HttpResponse(
        format_html(PAGE, title=HelloWorldPlugin.name, description=HelloWorldPlugin.description)
    )
