"""Pages under ``/plugins/hello-world-plugin/``."""

from django.urls import path

from pagoda_hello_world import pages

app_name = "pagoda_hello_world"
urlpatterns = [path("", pages.index, name="index")]
