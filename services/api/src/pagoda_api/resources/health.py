"""Probes and metrics: ``/healthz``, ``/readyz`` and ``/metrics``."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from pagoda.health.checks import CHECKS, run_checks
from pagoda.watching.metrics.serving import CONTENT_TYPE_LATEST, exposition
from pagoda_api.problems import logged
from pagoda_plugin_sdk.washing import shown


@never_cache
@require_safe
def healthz(_request: HttpRequest) -> JsonResponse:
    """Answer that the process is up; it asks nobody, so that a broken database restarts no process."""
    return JsonResponse({"status": "ok"})


@never_cache
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """Answer whether the process can do its work: each check with its result, 503 when one fails.

    ``?exclude=broker`` leaves a check out, and may be repeated: requests succeed while the broker is away, so
    that who sends them here only asks for the others.
    """
    if unread := sorted(request.GET.keys() - {"exclude"}):
        detail = f"There is no query parameter {shown(unread[0])}. There is: exclude."
        return JsonResponse({"status": "failed", "detail": detail}, status=400)
    excluded = request.GET.getlist("exclude")
    if unknown := [name for name in excluded if name not in CHECKS]:
        detail = f"There is no check {unknown[0]!r} to exclude. There are: {', '.join(CHECKS)}."
        return JsonResponse({"status": "failed", "detail": detail}, status=400)
    results = run_checks({name: check for name, check in CHECKS.items() if name not in excluded})
    is_ready = all(result.is_ok for result in results)
    body = {
        "status": "ok" if is_ready else "failed",
        "checks": {result.name: result.to_json() for result in results},
    }
    # Checks log what they can't tell here; a probe that fails every few seconds needs no record each time.
    return logged(JsonResponse(body, status=200 if is_ready else 503))


@never_cache
@require_safe
def metrics(_request: HttpRequest) -> HttpResponse:
    """Answer the metrics of all processes of this server, as Prometheus reads them."""
    return HttpResponse(exposition(), content_type=CONTENT_TYPE_LATEST)
