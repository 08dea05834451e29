"""The endpoint that queues a task."""

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from pagoda_plugin_sdk import PluginAPIView
from pagoda_plugin_sdk.models import Job


class RunView(PluginAPIView):
    """Queue one job of any of the tasks."""

    def post(self, request: Request, operation: str) -> Response:
        job = Job.objects.submit(
            plugin="chaos", operation_name=operation, user=request.user, params=dict(request.data)
        )
        return Response({"job": job.id}, status=202)


urlpatterns = [path("run/<str:operation>/", RunView.as_view())]
