"""Plugins: ``/api/v2/plugins/``."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from pagoda.health.plugins import plugin_health
from pagoda.jobs.offering import is_offered, may_run, target_entity_of, target_of
from pagoda.jobs.operations import find
from pagoda.jobs.params import schema_of
from pagoda.plugins.description import describe, describe_all
from pagoda.plugins.registry import registry
from pagoda.plugins.shown_settings import shown_settings
from pagoda_api.authentication import actor
from pagoda_api.strict import StrictView
from pagoda_plugin_sdk.exceptions import PluginLoadError


class FaultSerializer(serializers.Serializer[Any]):
    """Something wrong; Any, as it is shown and never made."""

    code = serializers.CharField()
    text = serializers.CharField()


class HookSerializer(serializers.Serializer[Any]):
    """A handler of the plugin; Any, as above."""

    hook = serializers.CharField()
    handler = serializers.CharField()
    entity = serializers.CharField(allow_null=True, help_text="Null: all entities.")
    priority = serializers.IntegerField()
    deferred = serializers.BooleanField()
    position = serializers.IntegerField(help_text="Place among the handlers of all plugins, from 1.")


class BreakerSerializer(serializers.Serializer[Any]):
    """The breaker of one surface of the plugin; Any, as above."""

    surface = serializers.CharField(help_text="hook, endpoint or task.")
    state = serializers.CharField(help_text="closed, open or half_open.")
    since = serializers.DateTimeField()
    calls = serializers.IntegerField(help_text="In the current window.")
    failures = serializers.IntegerField(help_text="Among them.")
    last_error = serializers.SerializerMethodField(
        help_text="Null for who is not staff: errors quote what they met."
    )
    retry_at = serializers.DateTimeField(allow_null=True, help_text="When one call is let through.")
    dry_run = serializers.BooleanField(help_text="True: nothing is taken out of service.")

    def get_last_error(self, breaker: dict[str, Any]) -> str | None:
        """Return it for staff."""
        told: str | None = breaker["last_error"] if self.context["is_staff"] else None
        return told


class TaskSerializer(serializers.Serializer[Any]):
    """A background task of the plugin; Any, as above."""

    name = serializers.CharField()
    operation_id = serializers.IntegerField(allow_null=True)
    offset = serializers.IntegerField()
    function = serializers.CharField()
    queue = serializers.CharField()
    is_hidden = serializers.BooleanField()
    is_cancelable = serializers.BooleanField()
    is_parallelizable = serializers.BooleanField()
    is_downloadable = serializers.BooleanField()
    is_shared = serializers.BooleanField(help_text="Who may read a job's target sees what the job gave.")


class PluginUrlsSerializer(serializers.Serializer[Any]):
    """The URL modules that the plugin declares; Any, as above."""

    api_v2 = serializers.CharField(allow_null=True)
    plain = serializers.CharField(allow_null=True)


class PluginSerializer(serializers.Serializer[Any]):
    """An enabled plugin; Any, as above."""

    id = serializers.CharField()
    name = serializers.CharField()
    version = serializers.CharField()
    description = serializers.CharField()
    author = serializers.CharField()
    entry_point = serializers.CharField()
    aliases = serializers.ListField(child=serializers.CharField())
    distribution = serializers.CharField()
    dependencies = serializers.ListField(child=serializers.CharField())
    django_apps = serializers.ListField(child=serializers.CharField())
    status = serializers.CharField(help_text="discovered, loaded, active or skipped.")
    reason_code = serializers.CharField(allow_null=True, help_text="Why it is not active, for programs.")
    reason = serializers.CharField(allow_null=True, help_text="Why it is not active.")
    faults = FaultSerializer(many=True, help_text="What is wrong although it is active.")
    breakers = BreakerSerializer(many=True, help_text="Of surfaces that have failed; the others have none.")
    urls = PluginUrlsSerializer()
    queue = serializers.CharField()
    hooks = HookSerializer(many=True, help_text="Its handlers in execution order.")
    tasks = TaskSerializer(many=True)


class SettingSerializer(serializers.Serializer[Any]):
    """A setting of the plugin, secrets in its values replaced; Any, as above."""

    name = serializers.CharField(help_text="As PLUGIN_SETTINGS has it.")
    type = serializers.CharField(help_text="Of Python.")
    description = serializers.CharField()
    is_required = serializers.BooleanField()
    is_secret = serializers.BooleanField(help_text="By its type or its name: no value of it is shown.")
    default = serializers.JSONField(help_text="Null where it is required or computed.")
    value = serializers.JSONField(help_text="In the process that answers; null where `origin` is.")
    origin = serializers.CharField(
        allow_null=True,
        help_text="PLUGIN_SETTINGS or default; null for who is not staff, and while it is not loaded.",
    )


class TaskDetailSerializer(TaskSerializer):
    """A background task, and how to run it by ``POST /api/v2/jobs/``; Any, as above."""

    params_schema = serializers.DictField(
        allow_null=True, help_text="JSON schema of its params; null: its plugin starts it itself."
    )
    permission = serializers.CharField(
        allow_null=True, help_text="Of Django, that who runs it needs; null: none."
    )
    can_run = serializers.BooleanField(help_text="Whether who asks may.")
    target = serializers.ChoiceField(
        ["entry", "entity"], allow_null=True, help_text="What a job of it has to be given; null: nothing."
    )
    target_entity = serializers.CharField(
        allow_null=True, help_text="Name of the entity that the target has to be, or to be of; null: any."
    )


class PluginDetailSerializer(PluginSerializer):
    """An enabled plugin with its settings."""

    tasks = TaskDetailSerializer(many=True)
    settings = SettingSerializer(many=True, help_text="That its `settings_model` takes.")


class EnabledPluginsSerializer(serializers.Serializer[Any]):
    """All enabled plugins; Any, as above."""

    count = serializers.IntegerField()
    digest = serializers.CharField(help_text="Equal in processes that run the same plugins in the same way.")
    faults = FaultSerializer(many=True, help_text="Of the configuration, belonging to no plugin.")
    results = PluginSerializer(many=True)


class PluginListView(StrictView):
    """The enabled plugins."""

    @extend_schema(responses=EnabledPluginsSerializer, operation_id="plugins_list")
    def get(self, request: Request) -> Response:
        """List them in load order, those that are skipped with the reason."""
        held = registry()
        results = describe_all(held)
        faults = [{"code": str(fault.code), "text": fault.text} for fault in held.faults]
        body = {"count": len(results), "digest": held.digest(), "faults": faults, "results": results}
        return Response(EnabledPluginsSerializer(body, context=_context(request)).data)


class SurfaceHealthSerializer(serializers.Serializer[Any]):
    """How a surface of a plugin is; Any, as above."""

    status = serializers.CharField(help_text="ok, idle (nothing to judge by), degraded or failing.")
    text = serializers.CharField(help_text="What is wrong.")
    remedy = serializers.CharField(help_text="What to do about it.")


class CallsHealthSerializer(SurfaceHealthSerializer):
    """How the endpoints or hooks of a plugin are, in all processes."""

    calls = serializers.IntegerField(help_text="In the last HEALTH_WINDOW_MINUTES, as all figures.")
    failures = serializers.IntegerField()
    error_ratio = serializers.FloatField(allow_null=True)
    p95_seconds = serializers.FloatField(allow_null=True)
    last_success = serializers.DateTimeField(allow_null=True, help_text="To the minute, of the last day.")
    breaker = serializers.CharField(help_text="closed, half_open or open.")


class TaskHealthSerializer(SurfaceHealthSerializer):
    """How the jobs of a plugin and their queue are."""

    jobs = serializers.IntegerField(help_text="That ended in the last HEALTH_WINDOW_MINUTES.")
    failures = serializers.IntegerField()
    error_ratio = serializers.FloatField(allow_null=True)
    p95_seconds = serializers.FloatField(allow_null=True)
    last_success = serializers.DateTimeField(allow_null=True)
    queue = serializers.CharField()
    queue_depth = serializers.IntegerField(help_text="Jobs that wait for a worker.")
    queue_age_seconds = serializers.FloatField(help_text="How long the first of them has waited.")
    workers = serializers.IntegerField(help_text="That live.")
    breaker = serializers.CharField(help_text="closed, half_open or open.")


class LoadHealthSerializer(SurfaceHealthSerializer):
    """Whether a plugin is in service in the process that answers."""

    state = serializers.CharField()
    reason_code = serializers.CharField(allow_null=True)


class PluginHealthSerializer(serializers.Serializer[Any]):
    """How a plugin is; Any, as above."""

    id = serializers.CharField()
    status = serializers.CharField(help_text="Of the worst surface: ok, degraded or failing.")
    load = LoadHealthSerializer()
    endpoint = CallsHealthSerializer()
    hook = CallsHealthSerializer()
    task = TaskHealthSerializer()


class PluginHealthListSerializer(serializers.Serializer[Any]):
    """How all plugins are; Any, as above."""

    count = serializers.IntegerField()
    results = PluginHealthSerializer(many=True)


class PluginHealthView(StrictView):
    """How the enabled plugins are."""

    @extend_schema(responses=PluginHealthListSerializer, operation_id="plugins_health")
    def get(self, request: Request) -> Response:
        """Show load, endpoint, hook and task status of each, by the thresholds of the settings."""
        results = [plugin.to_json() for plugin in plugin_health()]
        return Response({"count": len(results), "results": results})


class PluginView(StrictView):
    """One enabled plugin."""

    @extend_schema(responses=PluginDetailSerializer, operation_id="plugins_retrieve")
    def get(self, request: Request, name: str) -> Response:
        """Show the plugin with this id or alias."""
        try:
            record = registry().get(name)
        except PluginLoadError as error:
            raise NotFound(str(error)) from error
        context = _context(request)
        settings = shown_settings(record, with_values=context["is_staff"])
        body = {**describe(registry(), record), "settings": settings}
        body["tasks"] = [{**task, **_how_to_run(request, task)} for task in body["tasks"]]
        return Response(PluginDetailSerializer(body, context=context).data)


@extend_schema_view(get=extend_schema(operation_id="plugins_about"))
class PluginAboutView(PluginView):
    """One enabled plugin, where the plugin serves the root of its URLs itself."""


_ON_NOTHING = {"target": None, "target_entity": None}


def _how_to_run(request: Request, task: dict[str, Any]) -> dict[str, Any]:
    number = task["operation_id"]
    spec = find(number) if number is not None else None
    if spec is None or not is_offered(spec):
        return {"params_schema": None, "permission": None, "can_run": False} | _ON_NOTHING
    permission = spec.options.permission if spec.options is not None else None
    return {
        "params_schema": schema_of(spec),
        "permission": permission,
        "can_run": may_run(request.user, spec),
        "target": target_of(spec),
        "target_entity": target_entity_of(spec),
    }


def _context(request: Request) -> dict[str, bool]:
    user = actor(request)
    return {"is_staff": user is not None and (user.is_staff or user.is_superuser)}
