"""Pages of a well-behaved plugin."""

from django.http import HttpRequest, HttpResponse
from django.urls import path

app_name = "good_pages"


def index(request: HttpRequest) -> HttpResponse:
    return HttpResponse("pages")


urlpatterns = [path("index/", index, name="index")]
