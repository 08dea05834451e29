"""Pages in the console that are fine, and others that go wrong in every way."""

import time
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path

from pagoda_plugin_sdk.pages import PluginPage
from placed.plugin import RAISED  # type: ignore[import-not-found]  # on the path of the tests


class GoodPage(PluginPage):
    title = "Good & <b>bold</b>"
    template_name = "placed/page.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(text="<script>alert('x')</script>", **kwargs)

    def post(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("done", headers={"Content-Security-Policy": "default-src *"})


class SecretPage(GoodPage):
    permission = "entity.add_entity"


class MissingPage(GoodPage):
    template_name = "placed/missing.html"


def raises(_request: HttpRequest, name: str) -> HttpResponse:
    raise RAISED[name]


def hangs(_request: HttpRequest) -> HttpResponse:
    time.sleep(60)
    return HttpResponse()


def rubbish(_request: HttpRequest) -> Any:
    return 3


def plain(request: HttpRequest) -> HttpResponse:
    return TemplateResponse(request, ["placed/page.html"], {"text": "plain"})


urlpatterns = [
    path("", plain),
    path("settings/", plain),
    path("good/", GoodPage.as_view(), name="good"),
    path("secret/", SecretPage.as_view()),
    path("missing/", MissingPage.as_view()),
    path("raises/<str:name>/", raises),
    path("hangs/", hangs),
    path("rubbish/", rubbish),
    path("plain/", plain),
]
