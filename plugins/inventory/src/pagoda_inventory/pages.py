"""Pages of the inventory in the console, under ``/console/plugins/inventory/``."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path

from pagoda_inventory.stock import StockOutcome
from pagoda_plugin_sdk import Job, JobStatus
from pagoda_plugin_sdk.pages import PluginPage

SCANS_SHOWN = 50


class ScansPage(PluginPage):
    """Lists the newest scans that the user may see, and starts one."""

    title = "Scans"
    template_name = "inventory/scans.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add the scans: what each found, as far as it is finished."""
        jobs = Job.objects.filter(plugin="inventory", operation_name="scan").order_by("-id")
        scans = [_shown(job) for job in jobs[:SCANS_SHOWN]]
        return super().get_context_data(scans=scans, outcomes=[each.value for each in StockOutcome])

    def post(self, request: HttpRequest) -> HttpResponse:
        """Queue a scan and show its job; while one is queued or running it is that one."""
        job = Job.objects.submit(plugin="inventory", operation_name="scan", user=request.user)
        return redirect("console-job", job.id)


def _shown(job: Any) -> dict[str, Any]:
    result = job.result if isinstance(job.result, dict) else {}
    counts = [result.get(each.value) for each in StockOutcome]
    return {
        "id": job.id,
        "status": JobStatus(job.status).name.lower(),
        "created_at": job.created_at,
        "host": result.get("host", ""),
        "counts": [sum(each.values()) if isinstance(each, dict) else 0 for each in counts],
    }


urlpatterns = [path("scans/", ScansPage.as_view(), name="scans")]
