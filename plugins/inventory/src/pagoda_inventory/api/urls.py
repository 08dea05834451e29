"""Endpoints under ``/api/v2/plugins/inventory/``."""

from django.urls import path

from pagoda_inventory.api import views

urlpatterns = [
    path("hosts/", views.HostsView.as_view(), name="hosts"),
    path("scan/", views.ScanView.as_view(), name="scan"),
    path("summary/", views.SummaryView.as_view(), name="summary"),
]
