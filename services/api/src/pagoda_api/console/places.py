"""What plugins have in the console: panels and buttons of entries, and pages, each in the endpoints' fence.

Each is called as whoever looks at the page, within a budget of its own. One that fails is a notice that names
its plugin; the page stands in any case.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn, cast

import structlog
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.template import TemplateDoesNotExist
from django.template.backends.django import DjangoTemplates, get_package_libraries
from django.template.response import SimpleTemplateResponse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.safestring import mark_safe
from django.utils.translation import gettext
from django.views.decorators.http import require_POST

from pagoda.budget import TimeBudgetExceeded
from pagoda.domain.access.querysets import readable
from pagoda.domain.entry.models import Entry
from pagoda.plugins.records import PluginRecord
from pagoda.plugins.registry import registry
from pagoda_api.console.asking import get
from pagoda_api.console.frame import frame, page
from pagoda_api.endpoint_fence import ANSWERS, endpoint_fence
from pagoda_api.plugin_responses import UnusableResponse
from pagoda_api.problems import handle_exception
from pagoda_api.request_id import request_id_of
from pagoda_plugin_sdk.decorators import PartKind, PartMark
from pagoda_plugin_sdk.rules.saying import say
from pagoda_plugin_sdk.washing import washed

PANEL_SECONDS = 2.0
"""How long a panel may take, where PLUGIN_ENDPOINT_TIMEOUT_SECONDS allows views more."""

TOLD_MAX = 500
"""Characters of what an action tells."""

HOST_TEMPLATES = Path(__file__).parents[1] / "templates"


@dataclass(frozen=True, slots=True, kw_only=True)
class PagePart:
    """A method of a plugin that is a part of the page of an entry."""

    record: PluginRecord
    mark: PartMark
    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """A panel as the page shows it: what its template made, or why there is nothing."""

    title: str
    content: str = ""
    notice: str = ""


def parts_of(kind: PartKind, entity: str) -> list[PagePart]:
    """Return the parts that the pages of an entity's entries have: by priority, then as plugins load."""
    found = [
        PagePart(record=record, mark=mark, method=method)
        for record in registry().active
        for mark, method in (record.declared.entry_parts if record.declared else ())
        if mark.entity in (None, entity) and mark.kind == kind
    ]
    return sorted(found, key=lambda each: each.mark.priority)


def panels(request: HttpRequest, shown: Mapping[str, Any]) -> list[Panel]:
    """Return the panels of an entry, which the API has shown to whoever looks; a deleted one has none."""
    parts = parts_of("panel", shown["schema"]["name"]) if shown["is_active"] else []
    entry = entry_of(request, shown["id"]) if parts else None
    if entry is None:
        return []
    return [panel for part in parts if (panel := _panel(request, part, entry)) is not None]


def actions(shown: Mapping[str, Any]) -> list[PagePart]:
    """Return the buttons of an entry, which the API has shown to whoever looks; a deleted one has none."""
    return parts_of("action", shown["schema"]["name"]) if shown["is_active"] else []


@page
@require_POST
def act(request: HttpRequest, pk: int, plugin: str, name: str) -> HttpResponse:
    """Do what a plugin's button says, tell how it went on the entry's page, or go where the plugin leads."""
    shown = get(request, "entry-detail", pk=pk)
    part = next((each for each in actions(shown) if (each.record.id, each.method) == (plugin, name)), None)
    entry = entry_of(request, pk)
    if part is None or entry is None:
        raise Http404(
            say("Plugin {plugin!r} has no button {name!r} for this entry.", plugin=plugin, name=name)
        )
    with structlog.contextvars.bound_contextvars(plugin=plugin):
        fence, called = endpoint_fence(), f"action {name}"
        answer = fence.call_as(called, Notices(), plugin, request, _acted, part, entry)
    match answer:
        case HttpResponseRedirect():
            return answer
        case _Done():
            messages.success(request, answer.text or f"{part.mark.title}: OK")
        case _Notice():
            messages.error(request, answer.text)
    return redirect("console-entry", pk=pk)


def _acted(request: HttpRequest, part: PagePart, entry: Entry) -> HttpResponse:
    """Call what a button stands for; this runs in the fence."""
    try:
        made: Any = getattr(part.record.plugin, part.method)(request, entry)
        match made:
            case None | str():
                return _Done(washed(made or "", TOLD_MAX))
            case HttpResponseRedirect():
                if url_has_allowed_host_and_scheme(made.url, {request.get_host()}, request.is_secure()):
                    return made
                raise UnusableResponse("leads to another host")
        _unusable(made, "a text, a redirection or None")
    except Exception as error:  # noqa: BLE001 - what is no refusal is raised again, to the fence
        return _Notice(f"{gettext('Plugin')} {part.record.id!r}: {refusal(error)[1]}")


def entry_of(request: HttpRequest, pk: int) -> Entry | None:
    """Return the entry that plugins are given, None where the user may not read it."""
    return readable(Entry.objects.active().select_related("schema"), request.user).filter(pk=pk).first()


class _Drawn(HttpResponse):
    """What a panel's template made."""


class _Left(HttpResponse):
    """Stands for a panel that is not shown to this user, or not of this entry."""


class _Notice(HttpResponse):
    """Stands for what can't be shown, and why."""

    def __init__(self, text: str, status: int = 200) -> None:
        super().__init__(status=status)
        self.text = text


class _Done(_Notice):
    """Stands for what a button has done."""


class Notices:
    """The fence's answers, for people who look at a page."""

    def plugin_unavailable(self, _request: HttpRequest, plugin_id: str, seconds: float) -> HttpResponse:
        """Tell that the breaker is open."""
        text = say(
            "Plugin {plugin_id!r} is out of service here, as it failed too often.", plugin_id=plugin_id
        )
        return _Notice(say("{detail} Try again in {seconds} s.", detail=text, seconds=f"{seconds:.0f}"))

    def plugin_busy(self, _request: HttpRequest, plugin_id: str, _seconds: float) -> HttpResponse:
        """Tell that all slots are taken."""
        return _Notice(
            say(
                "Plugin {plugin_id!r} has as many requests at work as one plugin may have.",
                plugin_id=plugin_id,
            )
        )

    def plugin_failed(self, request: HttpRequest, plugin_id: str, error: BaseException) -> HttpResponse:
        """Tell what its author can mend; what else went wrong is in the log."""
        match error:
            case TimeBudgetExceeded():
                text = say("Plugin {plugin_id!r} failed: it was {error}.", plugin_id=plugin_id, error=error)
            case UnusableResponse():
                text = say("Plugin {plugin_id!r} failed: it {error}.", plugin_id=plugin_id, error=error)
            case _:
                text = say(
                    "Plugin {plugin_id!r} failed. The cause is in the server's log under "
                    "request id {request_id!r}.",
                    plugin_id=plugin_id,
                    request_id=request_id_of(request),
                )
        return _Notice(text)


def _panel(request: HttpRequest, part: PagePart, entry: Entry) -> Panel | None:
    fence = endpoint_fence()
    fence = replace(fence, timeout_seconds=min(fence.timeout_seconds, PANEL_SECONDS))
    name = f"panel {part.method}"
    with structlog.contextvars.bound_contextvars(plugin=part.record.id):
        answer = fence.call_as(name, Notices(), part.record.id, request, _drawn, part, entry)
    match answer:
        case _Drawn():
            content = mark_safe(answer.text)  # noqa: S308 - made by a template, which escapes
            return Panel(title=part.mark.title, content=content)
        case _Notice():
            return Panel(title=part.mark.title, notice=answer.text)
    return None


def _drawn(request: HttpRequest, part: PagePart, entry: Entry) -> HttpResponse:
    """Call a panel and its template; this runs in the fence."""
    try:
        made: Any = getattr(part.record.plugin, part.method)(request, entry)
        if made is None:
            return _Left()
        match made:
            case (str() as template, Mapping() as context):
                text = render(part.record, template, {"entry": entry, **context}, request)
                size, most = len(text.encode()), endpoint_fence().max_response_bytes
                if size > most:  # said here: the fence would close a response, and so end the request
                    raise UnusableResponse(
                        f"drew {size} bytes, at most {most} are allowed (PLUGIN_MAX_RESPONSE_BYTES)"
                    )
                return _Drawn(text)
        _unusable(made, "(template, context) or None")
    except Exception as error:  # noqa: BLE001 - what is no refusal is raised again, to the fence
        status, text = refusal(error)
        return _Left() if status in (403, 404) else _Notice(f"{gettext('Plugin')} {part.record.id!r}: {text}")


def refusal(error: Exception) -> tuple[int, str]:
    """Return status and text of what a plugin raised to refuse; all else is raised again."""
    if (answer := handle_exception(error, {})) is not None:
        return answer.status_code, str(answer.data["detail"])
    if isinstance(error, ANSWERS):
        return 400, str(error)
    raise error


def _unusable(made: object, expected: str) -> NoReturn:
    if hasattr(made, "close"):
        made.close()  # a coroutine that nobody awaits
    raise UnusableResponse(f"returned {type(made).__name__}, expected {expected}")


def render(record: PluginRecord, template: str, context: Mapping[str, Any], request: HttpRequest) -> str:
    """Return what a template of the plugin's package makes; call it in the fence. Any: what templates take.

    Raises:
        UnusableResponse: the package has no such template, or the context is none.
    """
    package = sys.modules[record.declared.module].__package__ if record.declared else ""
    if not package:
        raise UnusableResponse("names a template, and it is no package that could hold one")
    if not all(isinstance(key, str) for key in context):
        raise UnusableResponse("returned a context whose keys are not strings")
    try:
        found = _templates(package).get_template(str(template))
    except TemplateDoesNotExist as error:
        raise UnusableResponse(
            f"names the template {error.args[0]!r}, which is not below templates/ of its package {package!r}"
        ) from error
    return str(found.render(dict(context), request))


def plugin_page(
    record: PluginRecord,
    request: HttpRequest,
    view: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
) -> HttpResponse:
    """Answer with a page of a plugin to who is logged in, under the console's policy. Any: see `call`."""

    @page
    def framed(request: HttpRequest) -> HttpResponse:
        answer = endpoint_fence().call(record.id, request, _page, record, view, *args, **kwargs)
        return cast("HttpResponse", answer)

    return framed(request)


def _page(
    request: HttpRequest, record: PluginRecord, view: Callable[..., Any], /, *args: Any, **kwargs: Any
) -> Any:
    """Call a view, and its template if it answers with one; this runs in the fence."""
    made = view(request, *args, **kwargs)
    if isinstance(made, SimpleTemplateResponse) and not made.is_rendered:
        named: Any = made.template_name
        template = named[0] if isinstance(named, list | tuple) else named
        plugin = {"id": record.id, "name": record.declared.name if record.declared else record.id}
        context = {**frame(request), "plugin": plugin, **(made.context_data or {})}
        made.content = render(record, template, context, request)
    return made


class _OfPlugin(DjangoTemplates):
    """Templates of one package, with the tags of Django, of the console and its own."""

    def get_templatetag_libraries(self, custom_libraries: dict[str, str]) -> dict[str, str]:
        """Return those alone."""
        return custom_libraries


@cache
def _templates(package: str) -> DjangoTemplates:
    """Return the templates of a plugin's package, and the host's that they extend, which go first."""
    folders = [Path(each) / "templates" for each in sys.modules[package].__path__]
    tags = {name: f"django.templatetags.{name}" for name in ("cache", "i18n", "l10n", "static", "tz")}
    libraries = tags | {"console": "pagoda_api.templatetags.console"}
    if find_spec(f"{package}.templatetags"):
        own = get_package_libraries(import_module(f"{package}.templatetags"))
        libraries |= {module.rpartition(".")[2]: module for module in own}
    processors = (
        "django.template.context_processors.request",
        "django.contrib.messages.context_processors.messages",
    )
    return _OfPlugin(
        {
            "NAME": package,
            "DIRS": [HOST_TEMPLATES, *folders],
            "APP_DIRS": False,
            "OPTIONS": {"libraries": libraries, "context_processors": processors},
        }
    )
