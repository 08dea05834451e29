"""URLs of a plugin that forgets as_view()."""

from django.urls import path
from django.views import View


class Index(View):
    """Forgotten."""


urlpatterns = [path("index/", Index)]  # type: ignore[arg-type]
