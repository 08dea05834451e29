from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import structlog

from pagoda.plugins.boot import PluginBootError
from pagoda_plugin_sdk.exceptions import PluginLoadError, PluginSecurityError
from pagoda_plugin_sdk.task_registry import PluginTaskRegistry

Start = Callable[..., Any]


def class_source(plugin_id: str, *attributes: str) -> str:
    lines = "".join(f"    {line}\n" for line in attributes)
    return (
        "from pagoda_plugin_sdk import Plugin, PluginTaskConfig, PluginTaskRegistry\n"
        f"class ThePlugin(Plugin):\n    id = {plugin_id!r}\n    name = 'x'\n{lines}"
    )


def test_only_enabled_plugins_are_imported(packages: Any, start: Start) -> None:
    packages.install("good")
    packages.install("idle", "raise SystemExit('plugin code has run')")

    assert start("good").statuses() == {"good": "active"}


@pytest.mark.parametrize("name", ["the-id", "entry", "dist-the-id"])
def test_a_plugin_is_enabled_by_id_entry_point_or_distribution(
    name: str, packages: Any, start: Start
) -> None:
    packages.install("the-id", entry_point="entry")

    registry = start(name).registry

    assert [record.id for record in registry.active] == ["the-id"]
    assert registry.get("entry") is registry.get("the-id")


def test_a_plugin_that_is_enabled_by_two_names_starts_once(packages: Any, start: Start) -> None:
    packages.install("the-id", entry_point="entry")

    assert len(start("entry", "the-id").registry.records) == 1


def test_an_absent_name_is_told_with_near_misses_and_nothing_is_imported(packages: Any, start: Start) -> None:
    packages.install(
        "inventory-one", "raise SystemExit('plugin code has run')\nclass ThePlugin:\n    id = 'stock'\n"
    )

    code, reason = start("inventory-on").reason("inventory-on")

    assert code == "not_found"
    assert reason.startswith(
        "ENABLED_PLUGINS names 'inventory-on', but no installed distribution provides such a plugin. "
        "Did you mean 'inventory-one'"
    )
    assert "Installed plugins: " in reason
    assert reason.endswith("Install it or correct the name.")


def test_an_absent_name_is_compared_with_ids_too(packages: Any, start: Start) -> None:
    packages.install("some-entry", "raise SystemExit\nclass ThePlugin:\n    id = 'stocktaking'\n")

    assert "Did you mean 'stocktaking'?" in start("stocktakin").reason("stocktakin")[1]


def test_plugins_load_after_their_dependencies(packages: Any, start: Start) -> None:
    packages.install("a", class_source("id-a", "dependencies = ['id-c']"), entry_point="entry-a")
    packages.install("b", class_source("b", "dependencies = ['entry-a']"))
    packages.install("c", class_source("id-c"), entry_point="entry-c")

    assert [record.id for record in start("b", "entry-a", "entry-c").registry.active] == ["id-c", "id-a", "b"]


def test_computed_dependencies_order_too(packages: Any, start: Start) -> None:
    packages.install("a", class_source("a", "dependencies = ['b'.lower()]"))
    packages.install("b")

    assert [record.id for record in start("a", "b").registry.active] == ["b", "a"]


def test_a_cycle_skips_its_members_before_their_code_runs(packages: Any, start: Start) -> None:
    packages.install("a", class_source("a", "dependencies = ['b']") + "raise SystemExit\n")
    packages.install("b", class_source("b", "dependencies = ['a']") + "raise SystemExit\n")
    packages.install("good")

    started = start("a", "b", "good")

    assert started.reason("a")[0] == started.reason("b")[0] == "dependency_cycle"
    assert "a -> b -> a" in started.reason("a")[1]
    assert started.registry.get("good").is_active


FAILING = {
    "absent": None,
    "made for another sdk": {"requires": ("pagoda-plugin-sdk>=99",)},
    "fails to import": {"source": "raise RuntimeError\n"},
    "fails in ready": {
        "source": class_source("base", "django_apps = ['generated_base']"),
        "modules": {
            "apps.py": "from django.apps import AppConfig\nclass C(AppConfig):\n    name = 'generated_base'\n"
            "    def ready(self): raise RuntimeError\n"
        },
    },
}


@pytest.mark.parametrize("base", FAILING.values(), ids=FAILING)
def test_dependants_of_a_skipped_plugin_are_skipped(
    base: dict[str, Any] | None, packages: Any, start: Start
) -> None:
    if base is not None:
        packages.install("base", **base)
    packages.install("middle", class_source("middle", "dependencies = ['base']"))
    packages.install("top", class_source("top", "dependencies = ['middle']"))
    packages.install("good")

    started = start("base", "top", "middle", "good")

    assert started.statuses() == {"base": "skipped", "middle": "skipped", "top": "skipped", "good": "active"}
    assert started.reason("middle") == (
        "dependency_skipped",
        (
            "Plugin 'middle' depends on plugin 'base', which is skipped. "
            "Mend 'base' first; its own reason tells how."
        ),
    )
    assert started.reason("top")[0] == "dependency_skipped"


CLAIMS = {
    "same id": ({}, {"source": class_source("one")}, ("one", "two")),
    "id is the other's entry point": (
        {"entry_point": "two"},
        {"source": class_source("two"), "entry_point": "e"},
        ("two", "e"),
    ),
    "entry point is the other's id": (
        {"entry_point": "e"},
        {"source": class_source("x"), "entry_point": "one"},
        ("e", "one"),
    ),
    "same entry point": ({}, {"source": class_source("x"), "entry_point": "one"}, ("one",)),
}


@pytest.mark.parametrize(("first", "second", "enabled"), CLAIMS.values(), ids=CLAIMS)
def test_of_two_plugins_that_claim_one_name_the_second_is_refused(
    first: dict[str, Any], second: dict[str, Any], enabled: tuple[str, ...], packages: Any, start: Start
) -> None:
    packages.install("one", **first)
    packages.install("two", **second)

    registry = start(*enabled).registry

    active, skipped = registry.records
    assert (active.distribution, active.status.value) == ("dist-one", "active")
    assert skipped.reason_code == "duplicate_name"
    assert "(distribution 'dist-two') claims the name " in skipped.reason
    assert "(distribution 'dist-one') has already." in skipped.reason
    assert len(registry.host.hooks._hooks["entry.after_create"]) == 1


def test_safe_mode_runs_no_plugin_and_knows_their_names(packages: Any, start: Start) -> None:
    packages.install("the-id", "raise SystemExit\nclass ThePlugin:\n    id = 'the-id'\n", entry_point="entry")

    with structlog.testing.capture_logs() as logs:
        started = start("entry", pagoda_safe_mode=True, pagoda_plugin_strict=True)

    assert logs[0] == {
        "event": "plugin_skipped",
        "log_level": "warning",
        "plugin": "the-id",
        "reason_code": "safe_mode",
    }
    assert started.reason("entry")[0] == "safe_mode"
    assert started.registry.known_names() == {"entry", "the-id"}


def test_strict_mode_lists_every_fault(packages: Any, start: Start) -> None:
    packages.install("a", "raise RuntimeError('one')\n")
    packages.install("b", "raise RuntimeError('two')\n")

    with pytest.raises(PluginBootError) as caught:
        start("a", "b", "absent", pagoda_plugin_strict=True, plugin_settings={"nobody": {}})

    assert len(caught.value.faults) == 4
    assert str(caught.value).startswith(
        "The plugins have 4 fault(s), and PAGODA_PLUGIN_STRICT lets none pass:\n  - "
    )
    for part in (
        "RuntimeError: one",
        "RuntimeError: two",
        "names 'absent'",
        "PLUGIN_SETTINGS names plugin 'nobody'",
    ):
        assert part in str(caught.value)


def test_settings_reach_the_plugin_by_id_or_alias(packages: Any, start: Start) -> None:
    source = "from pydantic import BaseModel\nclass Conf(BaseModel):\n    port: int = 1\n" + class_source(
        "the-id", "settings_model = Conf"
    )
    packages.install("the-id", source, entry_point="entry")

    plugin = start("entry", plugin_settings={"entry": {"port": "8080"}}).registry.get("the-id").plugin

    assert plugin.settings.port == 8080


def test_the_worker_of_another_plugin_has_a_plugin_without_its_settings(packages: Any, start: Start) -> None:
    source = "from pydantic import BaseModel\nclass Conf(BaseModel):\n    token: str\n" + class_source(
        "the-id", "settings_model = Conf"
    )
    packages.install("the-id", source)
    url = "postgres://pagoda_plugin_other@h/x"

    started = start("the-id", database_url=url)

    assert started.registry.get("the-id").is_active
    with pytest.raises(PluginSecurityError, match=r"'token' of plugin 'the-id' is not here.*deferred=True"):
        _ = started.registry.get("the-id").settings.token
    own = start(
        "the-id", database_url=url.replace("other", "the-id"), plugin_settings={"the-id": {"token": "t"}}
    )
    assert own.registry.get("the-id").settings.token == "t"


def test_settings_of_installed_plugins_that_are_off_are_no_fault(packages: Any, start: Start) -> None:
    packages.install("idle")

    assert start(plugin_settings={"idle": {"x": 1}}).registry.faults == []


@pytest.mark.parametrize("setting", ["plugin_settings", "plugin_worker_config"])
def test_settings_of_unknown_plugins_are_told(setting: str, packages: Any, start: Start) -> None:
    packages.install("inventory-x")

    (fault,) = start("inventory-x", **{setting: {"inventory-y": {}}}).registry.faults

    assert fault.text == (
        f"{setting.upper()} names plugin 'inventory-y', but nothing provides it. "
        "Did you mean 'inventory-x'? Correct the name or remove it."
    )


def test_the_host_s_own_worker_may_be_sized(start: Start) -> None:
    assert start(plugin_worker_config={"core": {"concurrency": 2}}).registry.faults == []


def test_an_example_is_importable_only_when_it_is_enabled(
    packages: Any, start: Start, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        package = tmp_path / "examples" / name / "src" / f"example_{name}"
        packages.write_package(package, {"plugin.py": class_source(name)})
        (package.parent.parent / "pyproject.toml").write_text(
            f'[project]\nname = "{name}"\nversion = "1"\n'
            f'[project.entry-points."pagoda.plugins"]\n{name} = "example_{name}.plugin:ThePlugin"\n'
        )

    assert start("one", plugin_examples_dir=tmp_path / "examples").statuses() == {"one": "active"}
    with pytest.raises(ModuleNotFoundError):
        __import__("example_two")


APP = """
from django.apps import AppConfig
from pagoda_plugin_sdk import PluginTaskRegistry, PluginTaskConfig
from pagoda_plugin_sdk.models import Entry

class TheConfig(AppConfig):
    name = "generated_legacy"
    seen = []

    def ready(self):
        self.seen.append(Entry.objects.model.__name__)
        config = PluginTaskConfig("entry", "generated_legacy.tasks", {"scan": (0, "scan")})
        PluginTaskRegistry.register(config)
"""


def test_a_legacy_plugin_registers_its_tasks_when_its_app_is_ready(packages: Any, start: Start) -> None:
    packages.install(
        "legacy",
        class_source("the-id", "django_apps = ['generated_legacy']"),
        entry_point="entry",
        modules={"apps.py": APP, "tasks.py": "def scan(job): ...\n"},
    )

    registry = start("entry").registry

    PluginTaskRegistry.validate_all({"entry": (200, 299)})
    assert PluginTaskRegistry.get_operation_id("the-id", "scan") == 200
    assert registry.host.apps.get_app_config("generated_legacy").seen == ["Entry"]


def test_each_decision_is_one_log_record(packages: Any, start: Start) -> None:
    packages.install("good")
    packages.install("bad", "raise RuntimeError\n")

    with structlog.testing.capture_logs() as logs:
        started = start("good", "bad")

    events = [(log["event"], log.get("plugin")) for log in logs]
    assert events == [("plugin_skipped", "bad"), ("plugin_active", "good"), ("plugins_started", None)]
    assert logs[-1]["digest"] == started.registry.digest()
    assert logs[-1]["active"] == ["good"]
    assert logs[-1]["skipped"] == ["bad"]


def test_a_plugin_without_an_sdk_requirement_is_warned_about(packages: Any, start: Start) -> None:
    packages.install("good", requires=())

    with structlog.testing.capture_logs() as logs:
        started = start("good")

    assert started.registry.get("good").is_active
    assert [log["plugin"] for log in logs if log["event"] == "plugin_without_sdk_requirement"] == ["good"]


def test_an_unknown_plugin_is_told_with_near_misses(packages: Any, start: Start) -> None:
    packages.install("inventory-x")
    registry = start("inventory-x").registry

    with pytest.raises(
        PluginLoadError, match=r"No enabled plugin is called 'inventory-z'. Did you mean 'inventory-x'"
    ):
        registry.get("inventory-z")


def test_tasks_registered_on_import_go_with_a_plugin_that_is_skipped_later(
    packages: Any, start: Start
) -> None:
    packages.install("base", **FAILING["fails in ready"])  # type: ignore[arg-type]
    register = (
        'PluginTaskRegistry.register(PluginTaskConfig("top", "generated_top.tasks", {"scan": (0, "scan")}))\n'
    )
    packages.install("top", class_source("top", "dependencies = ['base']") + register)

    assert start("base", "top").reason("top")[0] == "dependency_skipped"
    assert PluginTaskRegistry.get_all_configs() == {}


RAW_TASKS = """
from pagoda_plugin_sdk import celery_app, plugin_task, register_plugin_job_task

@register_plugin_job_task({raw})
@celery_app.task(bind=True)
def rebuild(self, job_id): ...

@plugin_task(1)
def scan(job): ...

@celery_app.task
def unmarked(job_id): ...
"""
TASK_CONFIG = (
    'task_config = PluginTaskConfig("tasks", "generated_tasks.jobs", '
    '{"rebuild": (0, "rebuild"), "scan": (1, "scan"), "unmarked": (2, "unmarked")})'
)


@pytest.mark.parametrize(
    ("raw", "expected"), [(0, None), (5, "task_offset_mismatch")], ids=["same", "other offset"]
)
def test_both_forms_of_tasks_are_checked(raw: int, expected: str | None, packages: Any, start: Start) -> None:
    modules = {"jobs.py": RAW_TASKS.format(raw=raw)}
    name = f"tasks{raw}"  # Celery keeps its tasks for good
    packages.install(name, class_source(name, TASK_CONFIG.replace("tasks", name)), modules=modules)

    assert start(name).reason(name)[0] == expected


THIRD = 'PluginTaskConfig("third", "generated_legacy.tasks", {"scan": (0, "scan")})'
THIRD_NAMES = {
    "declared": (class_source("the-id", f"task_config = {THIRD}"), APP),
    "on import": (f"{class_source('the-id')}\nPluginTaskRegistry.register({THIRD})\n", APP),
    "when ready": (
        class_source("the-id", "django_apps = ['generated_legacy']"),
        APP.replace('PluginTaskConfig("entry"', 'PluginTaskConfig("third"'),
    ),
}


@pytest.mark.parametrize(("source", "app"), THIRD_NAMES.values(), ids=THIRD_NAMES)
def test_a_third_name_of_tasks_stands_for_the_plugin(
    source: str, app: str, packages: Any, start: Start
) -> None:
    modules = {"apps.py": app, "tasks.py": "def scan(job): ...\n"}
    packages.install("legacy", source, entry_point="entry", modules=modules)

    started = start("entry", plugin_operation_id_config={"third": [200, 299]})

    assert started.statuses() == {"the-id": "active"}
    PluginTaskRegistry.validate_all({"third": (200, 299)})
    for name in ("the-id", "entry", "third"):
        assert PluginTaskRegistry.get_operation_id(name, "scan") == 200
    started.registry.unregister("the-id")
    assert PluginTaskRegistry.canonical("third") == "third"


def test_a_range_of_a_plugin_without_tasks_is_told(packages: Any, start: Start) -> None:
    busy = class_source("busy", f"task_config = {THIRD}".replace("legacy", "busy"))
    packages.install("lazy", class_source("lazy"))
    packages.install("busy", busy, modules={"tasks.py": "def scan(job): ...\n"})
    ranges = {"lazy": [200, 299], "busy": [300, 399]}

    registry = start("lazy", "busy", plugin_operation_id_config=ranges).registry

    (fault,) = registry.get("lazy").faults
    assert fault.code == "no_tasks"
    assert "has a range in PLUGIN_OPERATION_ID_CONFIG, as 'lazy', and no tasks" in fault.text
    assert registry.get("busy").faults == []


@pytest.mark.parametrize(
    ("package", "has_apps", "named", "expected"),
    [
        ("pagoda_one_plugin", True, [], ["pagoda_one_plugin"]),
        ("pagoda_two_plugin", False, [], []),
        ("pagoda_six_plugin", True, ["pagoda_six_plugin.apps"], ["pagoda_six_plugin.apps"]),
        ("racks_plugin", True, [], []),
    ],
    ids=["not named", "no apps.py", "named", "another name"],
)
def test_an_app_is_installed_by_its_name_and_apps_py(
    package: str, has_apps: bool, named: list[str], expected: list[str], packages: Any, start: Start
) -> None:
    app = APP.replace("generated_legacy", package).replace('Config("entry"', 'Config("racks"')
    source = class_source("racks", f"django_apps = {[f'{name}.TheConfig' for name in named]}")
    modules = {"plugin.py": source, "tasks.py": "def scan(job): ...\n"}
    packages.write_package(packages.folder / package, modules | ({"apps.py": app} if has_apps else {}))
    packages.install("racks", target=f"{package}.plugin:ThePlugin")

    registry = start("racks").registry

    assert [
        name.removesuffix(".TheConfig") for name in registry.get("racks").declared.django_apps
    ] == expected
    assert registry.host.apps.is_installed(package) is bool(expected)
    assert ("racks" in PluginTaskRegistry.get_all_configs()) is bool(expected)
