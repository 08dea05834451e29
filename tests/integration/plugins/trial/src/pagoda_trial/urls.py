"""Endpoints under ``/api/v2/plugins/trial/``."""

from django.urls import path

from pagoda_trial import views

urlpatterns = [
    path("run/<str:operation>/", views.RunView.as_view()),
    path("prepare/<str:operation>/", views.PrepareView.as_view()),
    path("start/<int:job>/", views.StartView.as_view()),
    path("where/", views.WhereView.as_view()),
    path("raise/", views.RaiseView.as_view()),
]
