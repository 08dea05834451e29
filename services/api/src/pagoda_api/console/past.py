"""What was done: the history of an entity, and for auditors the audit log."""

from __future__ import annotations

from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from pagoda.audit.actions import Action
from pagoda_api.console.asking import Refused, ask, get, told
from pagoda_api.console.entries import page_links
from pagoda_api.console.frame import page, show

PAGE = 50
FILTERS = (
    ("actor", gettext_lazy("Done by")),
    ("on_behalf_of", gettext_lazy("On behalf of")),
    ("subject_type", gettext_lazy("Kind")),
    ("subject", gettext_lazy("Name then")),
    ("subject_id", gettext_lazy("Id")),
    ("plugin", gettext_lazy("Plugin")),
    ("request_id", gettext_lazy("Request")),
    ("job_id", gettext_lazy("Job")),
    ("happened_after", gettext_lazy("Not earlier than")),
    ("happened_before", gettext_lazy("Earlier than")),
)
"""``(parameter of the API, what the form calls it)`` of each text that events are found by."""

REFUSES_ALL = (401, 403)


@page
@require_safe
def entity_history(request: HttpRequest, pk: int) -> HttpResponse:
    """List what became of an entity and of its attributes."""
    about = get(request, "entity-detail", pk=pk)
    paging = {key: request.GET[key] for key in ("limit", "offset") if request.GET.get(key)}
    found = get(request, "entity-history", {"limit": PAGE, **paging}, pk=pk)
    context = {"entity": about, "rows": found["results"], "pages": page_links(found)}
    return show(request, "entity_history.html", context)


@page
@require_safe
def audit(request: HttpRequest) -> HttpResponse:
    """List events of the audit log; the URL says which."""
    lists = {key: [text for text in texts if text] for key, texts in request.GET.lists()}
    given = {key: texts for key, texts in lists.items() if texts}
    answer = ask(request, "audit-list", query={"limit": PAGE, **given})
    if answer.status in REFUSES_ALL:
        raise Refused(answer)
    found = answer.data if answer.is_ok else {"results": []}
    wanted = {key: texts for key, texts in given.items() if key not in ("limit", "cursor", "offset")}
    context = {
        "found": found,
        "pages": page_links(found),
        "faults": [] if answer.is_ok else told(answer),
        "filters": [(name, label, request.GET.get(name, "")) for name, label in FILTERS],
        "actions": [action.value for action in Action],
        "chosen": given.get("action", []),
        "export": f"{reverse('audit-export')}?{urlencode(wanted, doseq=True)}",
    }
    return show(request, "audit.html", context, 200 if answer.is_ok else answer.status)
