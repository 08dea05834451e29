"""Examine one plugin project: everything that can be known of it without a host."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import django
from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import connection
from django.db import models as django_models
from django.db.migrations.exceptions import NodeNotFoundError
from django.db.migrations.loader import MigrationLoader

from pagoda_plugin_sdk import models
from pagoda_plugin_sdk.checking.declared_project import (
    name_warnings,
    project_faults,
    seed_faults,
    version_warnings,
)
from pagoda_plugin_sdk.checking.entities import entity_warnings, mentioned_names
from pagoda_plugin_sdk.checking.findings import CheckFinding
from pagoda_plugin_sdk.checking.handlers import handler_faults
from pagoda_plugin_sdk.checking.host_apps import (
    is_hosts,
    label_fault,
    may_be_elsewhere,
    table_faults,
)
from pagoda_plugin_sdk.checking.host_imports import host_import_warnings
from pagoda_plugin_sdk.checking.load_watch import watched_load
from pagoda_plugin_sdk.checking.loaded import class_findings, unnamed_classes
from pagoda_plugin_sdk.checking.loading import class_in, conventional_app, is_unnamed_app, reserved_name_text
from pagoda_plugin_sdk.checking.migrations import unmigrated_text, unwritten_changes
from pagoda_plugin_sdk.checking.requirements import installed_versions, requirement_faults, requires_sdk
from pagoda_plugin_sdk.checking.tasks import params_findings, task_fault, unnamed_tasks
from pagoda_plugin_sdk.checking.urls import url_findings
from pagoda_plugin_sdk.checking.values import fault_lines, unknown_fields
from pagoda_plugin_sdk.exceptions import PluginValidationError, UnknownHook
from pagoda_plugin_sdk.metadata import DECLARED, RESERVED_NAMES, URL_MODULES, declared_faults
from pagoda_plugin_sdk.permissions import Permission
from pagoda_plugin_sdk.plugin import Plugin
from pagoda_plugin_sdk.project import PluginProject, read_project
from pagoda_plugin_sdk.task_registry import PluginTaskRegistry

LOAD_SECONDS = 30.0
_ELSEWHERE = "nothing else in the plugin names, so that it counts only where a host happens to have it"
BASE_APPS = ("django.contrib.contenttypes", "django.contrib.auth", "rest_framework")


@dataclass(slots=True, kw_only=True)
class Examined:
    """What is known of the plugins of one project."""

    label: str
    names: list[str] = field(default_factory=list)  # ids and entry points
    needs: dict[str, list[str]] = field(default_factory=dict)  # {one of `names`: plugins it depends on}
    called: list[str] = field(default_factory=list)  # plugins to which it asks to submit jobs
    findings: list[CheckFinding] = field(default_factory=list)

    def add(self, code: str, text: str, *, is_warning: bool = False) -> None:
        """Keep a finding, once."""
        found = CheckFinding(code=code, text=text, is_warning=is_warning)
        if found not in self.findings:
            self.findings.append(found)

    @contextmanager
    def fenced(self, code: str, doing: str) -> Iterator[None]:
        """Turn what the block raises, and what it does to the process, into findings."""
        try:
            with watched_load(LOAD_SECONDS, doing, self._note_side_effect):
                yield
        except KeyboardInterrupt:
            raise
        except UnknownHook as error:
            self.add("unknown_hook", f"{doing} fails: {error}")
        except PluginValidationError as error:
            self.add("invalid_plugin", f"{doing} fails: {error}")
        except BaseException as error:  # noqa: BLE001 - the fence: whatever a plugin raises is told to its author
            self.add(code, f"{doing} fails: {_described(error)}")

    def _note_side_effect(self, text: str) -> None:
        self.add("side_effects", text)


def examine(folder: Path, values: Mapping[str, Any], ranges: Mapping[str, Any]) -> Examined:
    """Examine the project in `folder` in this process, which is of no other use after that.

    `values` and `ranges` are PLUGIN_SETTINGS and PLUGIN_OPERATION_ID_CONFIG. Any: whatever JSON holds.
    """
    found = Examined(label=folder.absolute().name)
    try:
        project = read_project(folder)
    except PluginValidationError as error:
        found.add("bad_metadata", str(error))
        return found
    found.label, found.names = project.name, [*project.entry_points]
    if not project.entry_points:
        found.add(
            "not_a_plugin", 'pyproject.toml has no [project.entry-points."pagoda.plugins"]: add the plugin.'
        )
    found.findings += requirement_faults(
        "It", project.version, project.requires_python, project.requires, installed_versions()
    )
    found.findings += project_faults(project)
    if not found.findings:
        if not requires_sdk(project.requires):
            text = "`dependencies` do not name pagoda-plugin-sdk: no host knows whether the plugin fits."
            found.add("incompatible_sdk", text, is_warning=True)
        found.findings += name_warnings(project)
        _set_django_up()
        sys.path.insert(0, str(project.source.absolute()))
        claimed: dict[str, str] = {}  # {id of a plugin of the project: target}
        for name, target in project.entry_points.items():
            found.findings += host_import_warnings(project.source, target.partition(":")[0].partition(".")[0])
            plugin_id = _examine_plugin(found, project, name, target, values)
            if plugin_id is not None and claimed.setdefault(plugin_id, target) != target:
                text = (
                    f"The id {plugin_id!r} is claimed by {claimed[plugin_id]} and {target}. Give one another."
                )
                found.add("duplicate_name", text)
        found.findings += unnamed_classes(project.entry_points.values())
        if "seed" in project.tool:
            with found.fenced("bad_metadata", "Loading `seed` of [tool.pagoda]"):
                found.findings += seed_faults(project)
        _examine_ranges(found, ranges)
    return found


def _set_django_up() -> None:
    """Set Django up, with stand-ins for the host's models: plugin code refers to them."""
    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
    settings.configure(
        DATABASES={"default": database},
        INSTALLED_APPS=BASE_APPS,
        ROOT_URLCONF=(),
        SECRET_KEY="check",  # noqa: S106 - it signs nothing
        USE_TZ=True,
    )
    django.setup()
    models.inject({name: _stand_in(name) for name in models.MODEL_NAMES})


def _stand_in(name: str) -> type[django_models.Model]:
    inner = type("Meta", (), {"app_label": "pagoda", "managed": False})
    return type(name, (django_models.Model,), {"__module__": __name__, "Meta": inner})


def _examine_plugin(
    found: Examined, project: PluginProject, name: str, target: str, values: Mapping[str, Any]
) -> str | None:
    """Examine one plugin and return its id; None: it can't be loaded."""
    if (plugin := _loaded(found, target)) is None:
        return None
    names = [plugin.id, name]
    found.names = list(dict.fromkeys([*found.names, plugin.id]))
    found.needs |= {each: [*plugin.dependencies] for each in names}
    for each in dict.fromkeys(names):
        if each in RESERVED_NAMES:
            found.add("reserved_name", reserved_name_text("It", each, RESERVED_NAMES))
    asked = map(Permission.parse, plugin.permissions)
    found.called += [each.name for each in asked if each.kind == "job:submit"]
    found.findings += version_warnings(project, plugin)
    found.findings += handler_faults(plugin)
    with found.fenced("invalid_plugin", "Looking at its class"):
        found.findings += class_findings(plugin)
    _examine_settings(found, plugin, names, project.tool.get("settings", {}), values)
    module = type(plugin).__module__
    if named := [*plugin.django_apps, *conventional_app(module, plugin.django_apps)]:
        _examine_apps(found, named, has_others=bool(plugin.dependencies))
    package = module.partition(".")[0]
    if is_unnamed_app(package, named):
        text = f"`django_apps` does not name {package!r}, which has an apps.py: it is not installed. Add it."
        found.add("app_failed", text, is_warning=True)
    _examine_tasks(found, plugin, names)
    for path in filter(None, (getattr(plugin, each) for each in URL_MODULES)):
        with found.fenced("urls_failed", f"Loading its URL module {path!r}"):
            found.findings += url_findings(plugin, path)
    known = {*mentioned_names(project.source), *project.tool.get("entities", ())}
    found.findings += entity_warnings(plugin, known, _ELSEWHERE)
    return str(plugin.id)


def _loaded(found: Examined, target: str) -> Plugin | None:
    module, _, attribute = target.partition(":")
    loaded: list[Plugin] = []
    with found.fenced("import_failed", f"Loading {target!r}"):
        plugin = class_in(import_module(module.strip()), attribute.strip(), "It", target)()
        if faults := list(declared_faults({each: getattr(plugin, each) for each in DECLARED})):
            raise PluginValidationError(f"Plugin class {type(plugin).__qualname__}: {'; '.join(faults)}.")
        loaded.append(plugin)
    return loaded[0] if loaded else None


def _examine_settings(
    found: Examined, plugin: Plugin, names: list[str], own: Mapping[str, Any], values: Mapping[str, Any]
) -> None:
    model = plugin.settings_model
    given = next((values[name] for name in names if name in values), own)
    if model is None:
        if given:
            found.add("bad_settings", "It has settings, but its class has no `settings_model`.")
        return
    faults = list(unknown_fields(model, given))
    with found.fenced("bad_settings", "Validating its settings"):
        try:
            plugin.settings = model.model_validate(dict(given))
        except ValueError as error:  # pydantic's own is one
            if not hasattr(error, "errors"):
                raise
            faults += fault_lines(error, given)  # type: ignore[arg-type]
    if faults:
        found.add(
            "bad_settings",
            f"Its settings do not fit: {'; '.join(faults)}. Give them defaults, or values in PLUGIN_SETTINGS "
            "or [tool.pagoda.settings] of pyproject.toml.",
        )


def _examine_apps(found: Examined, names: list[str], *, has_others: bool) -> None:
    """Install the apps, look at models and migrations; with `has_others` these may need other plugins."""
    before = [config.name for config in apps.get_app_configs()]
    with found.fenced("app_failed", f"Installing its Django apps {', '.join(names)}"):
        try:
            apps.set_installed_apps([*before, *names])
        except BaseException:
            apps.unset_installed_apps()
            raise
    configs = [config for config in apps.get_app_configs() if config.name not in before]
    for config in configs:
        if (text := label_fault(config)) is not None:
            found.add("app_label_clash", text)
        for text in table_faults(config):
            found.add("app_failed", text)
        for model in config.get_models():
            faults = [
                each
                for each in model.check()
                if each.is_serious() and not may_be_elsewhere(each, has_others=has_others)
            ]
            if faults:
                found.add(
                    "app_failed", f"Its models have faults: {'; '.join(f'{m.obj} {m.msg}' for m in faults)}."
                )
        if (text := unmigrated_text(config, "pagoda-plugin")) is not None:
            found.add("migrations_missing", text)
    _examine_migrations(found, [config.label for config in configs], has_others=has_others)


def _examine_migrations(found: Examined, labels: list[str], *, has_others: bool) -> None:
    with found.fenced("migrations_missing", "Running its migrations on an empty database"):
        try:
            changes = unwritten_changes(MigrationLoader(None, ignore_no_migrations=True), "pagoda-plugin")
        except NodeNotFoundError as error:
            if not has_others and not is_hosts(error.node[0]):
                raise
            return
        except ValueError:  # they refer to tables of the host, which is not here
            return
        for label in labels:
            if label in changes and unmigrated_text(apps.get_app_config(label)) is None:
                found.add("migrations_missing", changes[label])
        call_command("migrate", verbosity=0, interactive=False)
        connection.close()


def _examine_tasks(found: Examined, plugin: Plugin, names: list[str]) -> None:
    if plugin.task_config is not None:
        with found.fenced("bad_tasks", "Registering its tasks"):
            PluginTaskRegistry.register(plugin.task_config)
    configs = PluginTaskRegistry.get_all_configs()
    own = [owner for owner in configs if owner in names or owner not in found.needs]
    for owner, config in configs.items():
        if owner not in own:  # another plugin's of the project, examined before
            continue
        if owner not in names:
            expected = " or ".join(map(repr, dict.fromkeys(names)))
            text = f"It registers tasks for plugin {owner!r}, expected {expected}."
            stands = " The name stands for it as long as nobody else is called so." if len(own) == 1 else ""
            found.add("bad_tasks", f"{text}{stands}", is_warning=len(own) == 1)
        for name in config.tasks:
            with found.fenced("task_not_found", f"Loading the function of task {name!r}"):
                if (fault := task_fault(config, name)) is not None:
                    found.add(fault.code, fault.text)
        found.findings += [*params_findings(config), *unnamed_tasks(config)]


def _examine_ranges(found: Examined, ranges: Mapping[str, Any]) -> None:
    if not {*ranges} & {*found.names}:
        return
    try:  # all of them, as they may overlap; the others are of plugins that are not looked at
        PluginTaskRegistry.validate_all(ranges, known_plugins=[*found.names, *ranges])
    except ImproperlyConfigured as error:
        found.add("bad_tasks", str(error))


def _described(error: BaseException) -> str:
    """Return the type and text of an error, and the last line outside of libraries that led to it."""
    ours = (Path(__file__).parents[1], Path(os.__file__).parent)
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not any(Path(frame.filename).is_relative_to(folder) for folder in ours)
        and not frame.filename.startswith("<")
        and "site-packages" not in frame.filename
    ]
    place = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {error}".rstrip(". :") + place
