"""What administrators do to running plugins, and the live processes.

``/api/v2/breakers/``, ``/api/v2/switches/`` and ``/api/v2/processes/`` are not below
``/api/v2/plugins/<id>/``, whose paths are the plugin's own.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import APIException, NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from pagoda.fencing.store import StoreUnavailable
from pagoda.fencing.switches import SwitchKind
from pagoda.plugins.description import describe
from pagoda.plugins.registry import registry
from pagoda.watching import operating
from pagoda.watching.live_processes import live_processes
from pagoda_api.resources.audit import AuditEventSerializer
from pagoda_api.resources.plugins import BreakerSerializer
from pagoda_api.strict import StrictSerializer, StrictView, checked
from pagoda_plugin_sdk.exceptions import PluginLoadError
from pagoda_plugin_sdk.rules.saying import say


class BreakersAway(APIException):
    """The rows that all processes share can't be written now."""

    status_code = 503
    default_code = "breakers_away"


class SwitchSerializer(serializers.Serializer[Any]):
    """Something that is switched on for a plugin; Any, as it is shown and never made."""

    plugin = serializers.CharField()
    switch = serializers.ChoiceField(
        source="kind",
        choices=[kind.value for kind in SwitchKind],
        help_text="dry_run: its breakers take nothing out of service; silence: no notices of its alerts.",
    )
    since = serializers.DateTimeField()
    until = serializers.DateTimeField(allow_null=True, help_text="Null: until somebody switches it off.")
    reason = serializers.CharField()
    actor = serializers.CharField(help_text="Who did it: the user's name then, or `host`.")


class SwitchesSerializer(serializers.Serializer[Any]):
    """All that is switched on; Any, as above."""

    count = serializers.IntegerField()
    results = SwitchSerializer(many=True)


class SwitchingSerializer(StrictSerializer):
    """How long something is to be on, and why."""

    lasts_seconds = serializers.IntegerField(
        allow_null=True,
        min_value=1,
        max_value=int(operating.LONGEST.total_seconds()),
        help_text="Null: until somebody switches it off.",
    )
    reason = serializers.CharField(max_length=operating.REASON_MAX)


class PluginBreakersSerializer(serializers.Serializer[Any]):
    """The breakers of a plugin and what became of them; Any, as above."""

    plugin = serializers.CharField()
    breakers = BreakerSerializer(many=True)
    history = AuditEventSerializer(many=True, help_text="The newest 20 events of it and its breakers.")


class ProcessSerializer(serializers.Serializer[Any]):
    """A live process; Any, as above."""

    service = serializers.CharField(help_text="api, worker or dispatcher.")
    queue = serializers.CharField(help_text="That it consumes; empty for none.")
    host = serializers.CharField()
    pid = serializers.IntegerField()
    digest = serializers.CharField(help_text="Of its plugin registry.")
    differs = serializers.BooleanField(help_text="Whether most processes run with another digest.")
    started_at = serializers.DateTimeField()
    seen_at = serializers.DateTimeField()


class ProcessesSerializer(serializers.Serializer[Any]):
    """The live processes; Any, as above."""

    count = serializers.IntegerField()
    results = ProcessSerializer(many=True)


class PluginBreakersView(StrictView):
    """The breakers of one plugin with their history, for staff."""

    @extend_schema(responses=PluginBreakersSerializer, operation_id="breakers_retrieve")
    def get(self, request: Request, plugin: str) -> Response:
        """Show them, the newest event first."""
        operating.require_staff(request.user, say("what became of a plugin"))
        try:
            record = registry().get(plugin)
        except PluginLoadError as error:
            raise NotFound(str(error)) from error
        body = {
            "plugin": record.id,
            "breakers": describe(registry(), record)["breakers"],
            "history": operating.history(request.user, record.id),
        }
        return Response(PluginBreakersSerializer(body, context={"is_staff": True}).data)


class BreakerRetryView(StrictView):
    """A breaker that is not closed, for superusers."""

    without_body = ("post",)

    @extend_schema(request=None, responses={204: None}, operation_id="breakers_retry")
    def post(self, request: Request, plugin: str, surface: str) -> Response:
        """Let the next call probe, in whichever process it comes."""
        try:
            operating.retry_breaker(request.user, plugin, surface)
        except PluginLoadError as error:
            raise NotFound(str(error)) from error
        except StoreUnavailable as error:
            text = say(
                "The shared rows of breakers can't be used: {error}. Try again in a moment.", error=error
            )
            raise BreakersAway(text) from error
        return Response(status=204)


class SwitchesView(StrictView):
    """What is switched on for plugins, for staff."""

    @extend_schema(responses=SwitchesSerializer, operation_id="switches_list")
    def get(self, request: Request) -> Response:
        """List it by plugin."""
        found = operating.switches(request.user)
        return Response(SwitchesSerializer({"count": len(found), "results": found}).data)


class SwitchView(StrictView):
    """One switch of one plugin, for superusers."""

    @extend_schema(request=SwitchingSerializer, responses=SwitchSerializer, operation_id="switches_on")
    def put(self, request: Request, plugin: str, switch: str) -> Response:
        """Switch it on, in place of what was."""
        given = checked(SwitchingSerializer(data=request.data))
        seconds = given["lasts_seconds"]
        lasts = None if seconds is None else timedelta(seconds=seconds)
        try:
            made = operating.switch_on(request.user, plugin, switch, lasts=lasts, reason=given["reason"])
        except PluginLoadError as error:
            raise NotFound(str(error)) from error
        return Response(SwitchSerializer(made).data)

    @extend_schema(responses={204: None}, operation_id="switches_off")
    def delete(self, request: Request, plugin: str, switch: str) -> Response:
        """Switch it off."""
        if not operating.switch_off(request.user, plugin, switch):
            raise NotFound(
                say("{switch} is not switched on for plugin {plugin!r}.", switch=switch, plugin=plugin)
            )
        return Response(status=204)


class ProcessesView(StrictView):
    """The live processes, for staff."""

    @extend_schema(responses=ProcessesSerializer, operation_id="processes_list")
    def get(self, request: Request) -> Response:
        """List them, those first that run other plugins than most."""
        found = live_processes(request.user)
        return Response(ProcessesSerializer({"count": len(found), "results": found}).data)
