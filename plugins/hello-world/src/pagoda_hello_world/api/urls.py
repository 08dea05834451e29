"""Endpoints under ``/api/v2/plugins/hello-world-plugin/``."""

from django.urls import path

from pagoda_hello_world.api import views

urlpatterns = [
    path("test/", views.TestView.as_view(), name="test"),
    path("hello/", views.HelloView.as_view(), name="hello"),
    path("greet/<str:name>/", views.GreetView.as_view(), name="greet"),
    path("status/", views.StatusView.as_view(), name="status"),
    path("entities/", views.EntitiesView.as_view(), name="entities"),
]
