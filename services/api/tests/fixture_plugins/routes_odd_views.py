"""API views that the OpenAPI schema can't describe, and one that it can."""

from typing import Any

from django.urls import path
from rest_framework import serializers
from rest_framework.generics import RetrieveAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView


class BrokenSerializer(serializers.Serializer[Any]):
    """Fails when anybody looks at its fields."""

    def get_fields(self) -> dict[str, Any]:
        raise RuntimeError("no fields today")


class WithSerializer(RetrieveAPIView[Any]):
    """Fails while it is described."""

    serializer_class = BrokenSerializer


class WithConstructor(APIView):
    """Can't be made without an argument."""

    def __init__(self, needed: str) -> None:
        self.needed = needed
        super().__init__()


class Fine(APIView):
    """Is as it should be."""

    def get(self, request: Request) -> Response:
        return Response({})


urlpatterns = [
    path("serializer/", WithSerializer.as_view()),
    path("constructor/", WithConstructor.as_view()),
    path("fine/", Fine.as_view()),
]
