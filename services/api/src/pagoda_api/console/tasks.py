"""Tasks that people run: a form made from the schema of the params, and of what the task works on."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from pagoda_api.console.asking import ask, faults_of, get
from pagoda_api.console.frame import page, show
from pagoda_api.console.params import ParamField, as_reference, fields_of, read, target_field, tell
from pagoda_api.console.targets import find_target
from pagoda_plugin_sdk.rules.saying import say


@page
@require_http_methods(["GET", "POST"])
def task(request: HttpRequest, name: str, operation: str) -> HttpResponse:
    """Ask for the params of a task, run it, and go to its job."""
    about = get(request, "plugin-about", name=name)
    found = next((each for each in about["tasks"] if each["name"] == operation), None)
    if found is None or found["params_schema"] is None:
        raise Http404(
            say("Plugin {name!r} has no task {operation!r} that people run.", name=name, operation=operation)
        )
    if not found["can_run"]:
        raise PermissionDenied(
            say(
                "You need the permission {found!r} to run task {operation!r}.",
                found=found["permission"],
                operation=operation,
            )
        )
    fields = fields_of(found["params_schema"])
    kind = found["target"]
    given, entity = request.GET.get("target", ""), found["target_entity"] or ""
    works_on = [target_field(kind, given, entity)] if kind else []
    context: dict[str, Any] = {"plugin": about, "task": found, "fields": [*works_on, *fields]}
    context["about"] = found["params_schema"].get("description", "")
    if request.method == "GET":
        return show(request, "task.html", context)

    def find(each: ParamField, text: str) -> object:
        return find_target(request, as_reference(each), text)

    target, params = read(works_on, request.POST, find), read(fields, request.POST, find)
    more = next((each for each in fields if each.key == request.POST.get("more")), None)
    if more is not None:
        for each in (*works_on, *fields):
            each.faults = []
        more.rows += [""] * 3
        return show(request, "task.html", context)
    if any(each.faults for each in context["fields"]):
        return show(request, "task.html", context, 400)
    data = {"plugin": about["id"], "operation": operation, "params": params, **target}
    answer = ask(request, "job-list", method="POST", data=data)
    if answer.is_ok:
        return redirect("console-job", pk=answer.data["id"])
    faults, detail = faults_of(answer)
    for each in works_on:
        each.faults += faults.pop(each.name, [])
    rest = list(tell(fields, faults))
    told = rest if any(each.faults for each in context["fields"]) else [detail, *rest]
    return show(request, "task.html", context | {"faults": list(filter(None, told))}, answer.status)
