"""URLs of a plugin with a pattern that does not compile."""

from django.http import HttpRequest, HttpResponse
from django.urls import re_path


def index(request: HttpRequest) -> HttpResponse:
    return HttpResponse("")


urlpatterns = [re_path(r"^(unclosed/", index)]
