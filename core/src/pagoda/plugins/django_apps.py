"""Install plugins' Django apps into the running app registry, and take them out again.

Plugins are known only when ``pagoda.plugins`` becomes ready, when Django has filled its registry already;
so this does for one app what ``Apps.populate()`` does for those in INSTALLED_APPS.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.apps.config import AppConfig
from django.apps.registry import Apps
from django.core import checks
from django.db.models import Model

from pagoda.plugins.fence import plugin_fence
from pagoda.plugins.records import PluginRefused, ReasonCode

PendingOperation = tuple[tuple[str, str], Callable[..., Any]]
"""``((app label, model name), function)`` that Django calls once that model exists."""


@dataclass(slots=True, kw_only=True, eq=False)
class InstalledApps:
    """The Django apps of one plugin."""

    label: str  # beginning of messages about the plugin
    configs: list[AppConfig] = field(default_factory=list)
    pending: list[PendingOperation] = field(default_factory=list)  # references to models that do not exist


def install(apps: Apps, names: Sequence[str], label: str) -> InstalledApps:
    """Add the apps named as in INSTALLED_APPS and import their models. ``ready()`` is not called.

    Raises:
        PluginRefused: one can't be installed; none of them is then.
    """
    installed = InstalledApps(label=label)
    before = _pending(apps)
    try:
        for name in names:
            _install_one(apps, name, installed)
        installed.pending = [item for item in _pending(apps) if item not in before]
        if names:
            _check_models(apps, installed)
    except BaseException:
        installed.pending = [item for item in _pending(apps) if item not in before]
        remove(apps, installed)
        raise
    return installed


def make_ready(installed: InstalledApps) -> None:
    """Call ``ready()`` of the apps in order.

    Raises:
        PluginRefused: one raises.
    """
    for config in installed.configs:
        doing = f"{installed.label}: ready() of Django app {config.name!r} raises"
        with plugin_fence(ReasonCode.READY_FAILED, doing, "Correct its AppConfig."):
            config.ready()


def remove(apps: Apps, installed: InstalledApps) -> None:
    """Take the apps out: their configs, their models, and what those left on other models."""
    labels = {config.label for config in installed.configs}
    models = [model for label in labels for model in apps.all_models.get(label, {}).values()]
    for model in models:
        _detach(model)
    for label in labels:
        apps.all_models.pop(label, None)
    for key, function in installed.pending:
        _drop_pending(apps, key, function)
    _replace_configs(apps, {k: v for k, v in apps.app_configs.items() if k not in labels})
    if models:
        _expire_relations(apps)


def _install_one(apps: Apps, name: str, installed: InstalledApps) -> None:
    doing = f"{installed.label}: Django app {name!r} can't be installed"
    with plugin_fence(ReasonCode.APP_FAILED, doing, "Correct `django_apps` of its class or the app."):
        config = AppConfig.create(name)
    _check_label(apps, config, installed.label)
    config.apps, config.models = apps, apps.all_models[config.label]
    installed.configs.append(config)
    _replace_configs(apps, {**apps.app_configs, config.label: config})
    doing = f"{installed.label}: the models of Django app {name!r} can't be imported"
    with plugin_fence(ReasonCode.APP_FAILED, doing, "Correct them."):
        config.import_models()


def _replace_configs(apps: Apps, configs: dict[str, AppConfig]) -> None:
    """Set a new dict: ``populate()`` iterates over the one that is there while it makes apps ready."""
    apps.app_configs = configs
    apps.clear_cache()


def _check_label(apps: Apps, config: AppConfig, label: str) -> None:
    holder = apps.app_configs.get(config.label)
    if holder is None:
        holder = next((other for other in apps.app_configs.values() if other.name == config.name), None)
    if holder is not None:
        raise PluginRefused(
            ReasonCode.APP_LABEL_CLASH,
            f"{label}: its Django app {config.name!r} has the label {config.label!r}, which app "
            f"{holder.name!r} has already. Give its AppConfig another `label`, or take one of the two out.",
        )


def _check_models(apps: Apps, installed: InstalledApps) -> None:
    """Refuse models that Django's system checks would stop every command for."""
    models = [model for config in installed.configs for model in config.get_models(include_auto_created=True)]
    if not models and not installed.pending:
        return
    _expire_relations(apps)
    faults = [*_reference_faults(installed), *_table_faults(apps, models), *_check_faults(models)]
    if faults:
        raise PluginRefused(
            ReasonCode.APP_FAILED,
            f"{installed.label} has models with faults: {'; '.join(faults)}. Correct them.",
        )


def _reference_faults(installed: InstalledApps) -> Iterator[str]:
    for app_label, model_name in sorted({key for key, _ in installed.pending}):
        yield (
            f"a field refers to model '{app_label}.{model_name}', which does not exist "
            "(a plugin that has it must be in `dependencies`)"
        )


def _table_faults(apps: Apps, models: Iterable[type[Model]]) -> Iterator[str]:
    ours = set(models)
    tables = {m._meta.db_table: m for m in apps.get_models(include_auto_created=True) if m not in ours}
    for model in ours:
        holder = tables.get(model._meta.db_table)
        if holder is not None and model._meta.managed and not model._meta.proxy:
            yield f"{model._meta.label} has the table {model._meta.db_table!r} of {holder._meta.label}"


def _check_faults(models: Iterable[type[Model]]) -> Iterator[str]:
    for model in models:
        for message in model.check():
            if message.level >= checks.ERROR and not message.is_silenced():
                yield f"{message.obj} {message.msg} ({message.id})"


def _expire_relations(apps: Apps) -> None:
    """Let every model see the present relations; ``clear_cache()`` does so only once Django is ready."""
    for model in apps.get_models(include_auto_created=True):
        model._meta._expire_cache()  # type: ignore[attr-defined]  # Django's own, used by clear_cache()


def _detach(model: type[Model]) -> None:
    """Remove the reverse accessors that a model's relations put on other models."""
    for own in (*model._meta.local_fields, *model._meta.local_many_to_many):
        relation = own.remote_field
        target = getattr(relation, "model", None)
        if relation is None or not isinstance(target, type):
            continue
        accessor = relation.get_accessor_name() or ""
        descriptor = vars(target).get(accessor)
        if getattr(descriptor, "rel", getattr(descriptor, "related", None)) is relation:
            delattr(target, accessor)


def _pending(apps: Apps) -> list[PendingOperation]:
    return [(key, function) for key, functions in apps._pending_operations.items() for function in functions]


def _drop_pending(apps: Apps, key: tuple[str, str], function: Callable[..., Any]) -> None:
    functions = apps._pending_operations.get(key, [])
    functions[:] = [held for held in functions if held is not function]
    if not functions:
        apps._pending_operations.pop(key, None)
