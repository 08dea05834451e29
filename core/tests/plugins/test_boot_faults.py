"""Each fault of a plugin at start-up: it alone is skipped, with its reason, and leaves nothing behind."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.apps import apps
from django.db import models

from pagoda.plugins.boot import PluginBootError
from pagoda_plugin_sdk.models import get_available_models
from pagoda_plugin_sdk.task_registry import PluginTaskRegistry

HEAD = """
from pagoda_plugin_sdk import Plugin, PluginTaskConfig
from pagoda_plugin_sdk.decorators import entry_hook

class ThePlugin(Plugin):
    id = "bad"
    name = "A bad plugin"

    @entry_hook("after_create")
    def handle(self, entity_name, user, entry, **kwargs):
        return None
"""
APPS = HEAD + '    django_apps = ["generated_bad"]\n'
CONFIG = """
from django.apps import AppConfig

class BadConfig(AppConfig):
    name = "generated_bad"
    label = "{label}"

    def ready(self):
        {ready}
"""
MODEL = """
from django.db import models

class Thing(models.Model):
    entry = models.ForeignKey("entry.Entry", models.CASCADE)
"""
TASKS = (
    HEAD
    + """
    task_config = PluginTaskConfig(
        plugin_id="bad", module_path="generated_bad.tasks", tasks={"scan": (0, "scan"), "purge": (1, "purge")}
    )
"""
)
LEGACY = """
from pagoda_plugin_sdk import PluginTaskConfig, PluginTaskRegistry

def register():
    PluginTaskRegistry.register(PluginTaskConfig({owner!r}, "generated_bad.tasks", {{"scan": (0, "scan")}}))
"""


@dataclass(frozen=True, kw_only=True)
class Case:
    """A plugin called "bad", and the reason it is skipped for."""

    code: str
    message: tuple[str, ...]  # parts of the reason
    source: str = HEAD
    modules: dict[str, str] = field(default_factory=dict)
    install: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)


def config(ready: str, label: str = "generated_bad") -> str:
    return CONFIG.format(ready=ready, label=label)


CASES = {
    "import error": Case(
        source="import no_such_module\n",
        code="import_failed",
        message=(
            "Plugin 'bad' (distribution 'dist-bad') fails to import 'generated_bad.plugin:ThePlugin': ",
            "ModuleNotFoundError: No module named 'no_such_module' (generated_bad/plugin.py, line 1). ",
            "Install what it needs or correct it; it stays skipped until then.",
        ),
    ),
    "error inside a library, told by the plugin's own line": Case(
        source="import json\n\njson.loads('{')\n",
        code="import_failed",
        message=("JSONDecodeError: Expecting property name", " (generated_bad/plugin.py, line 3)."),
    ),
    "error in a module of the plugin": Case(
        source="from generated_bad import more\n",
        modules={"more.py": "\nimport no_such_module\n"},
        code="import_failed",
        message=("(generated_bad/more.py, line 2).",),
    ),
    "syntax error": Case(
        source="def (:\n",
        code="import_failed",
        message=("SyntaxError: invalid syntax (plugin.py, line 1).",),
    ),
    "exit at import": Case(
        source="import sys\nsys.exit('I stop the host')\n",
        code="import_failed",
        message=("SystemExit: I stop the host (generated_bad/plugin.py, line 2).",),
    ),
    "an interrupt of its own at import": Case(
        source="raise KeyboardInterrupt('I stop the host')\n",
        code="import_failed",
        message=("KeyboardInterrupt: I stop the host (generated_bad/plugin.py, line 1).",),
    ),
    "any base exception at import": Case(
        source="class Odd(BaseException): ...\nraise Odd\n", code="import_failed", message=(": Odd (",)
    ),
    "no plugin class": Case(
        source="class ThePlugin: ...\n",
        code="not_a_plugin",
        message=(
            "which is <class 'generated_bad.plugin.ThePlugin'>, ",
            "expected a subclass of pagoda_plugin_sdk.Plugin.",
        ),
    ),
    "absent class": Case(
        source=HEAD.replace("ThePlugin", "OtherPlugin"),
        code="not_a_plugin",
        message=("which is None,", "The module has: OtherPlugin."),
    ),
    "entry point without a class": Case(
        install={"target": "generated_bad.plugin"}, code="not_a_plugin", message=("which is <module ",)
    ),
    "class that breaks the contract": Case(
        source=HEAD.replace('id = "bad"', 'id = "bad id!"') + "    dependencies = [3]\n",
        code="invalid_plugin",
        message=(
            "`id` is 'bad id!'",
            "`dependencies` holds 3",
            "Correct class 'generated_bad.plugin:ThePlugin'.",
        ),
    ),
    "constructor that raises": Case(
        source=HEAD + "    def __init__(self):\n        raise RuntimeError('no start')\n",
        code="invalid_plugin",
        message=("is invalid: RuntimeError: no start (generated_bad/plugin.py",),
    ),
    "reserved id": Case(
        source=HEAD.replace('id = "bad"', 'id = "health"'),
        code="reserved_name",
        message=("has the name 'health', which is reserved for the host (reserved: core,",),
    ),
    "metadata without a version": Case(
        install={"metadata": "Metadata-Version: 2.3\nName: dist-bad\n"},
        code="bad_metadata",
        message=("Plugin 'bad' can't be used.", "its metadata has no 'Version'. Reinstall or remove it."),
    ),
    "unreadable requirement": Case(
        install={"requires": ("=== what",)}, code="bad_metadata", message=("has the requirement '=== what'",)
    ),
    "other sdk": Case(
        source="raise SystemExit('runs although it does not fit')\n",
        install={"requires": ("pagoda-plugin-sdk>=99",)},
        code="incompatible_sdk",
        message=("requires pagoda-plugin-sdk>=99, but ", "made for this SDK."),
    ),
    "missing requirement": Case(
        install={"requires": ("pagoda-plugin-sdk>=1", "no-such-distribution")},
        code="missing_requirement",
        message=("requires no-such-distribution, but it is not installed.",),
    ),
    "dependency gap": Case(
        source=HEAD + '    dependencies = ["goood"]\n',
        code="dependency_missing",
        message=(
            "depends on plugin 'goood', which is not enabled. Nothing installed provides it.",
            "Did you mean 'good",
        ),
    ),
    "dependency not enabled": Case(
        source=HEAD + '    dependencies = ["idle"]\n',
        code="dependency_missing",
        message=(
            "depends on plugin 'idle', which is not enabled. It is installed: add 'idle' to ENABLED_PLUGINS.",
        ),
    ),
    "computed dependency gap": Case(
        source=HEAD + '    dependencies = ["id" + "le"]\n',
        code="dependency_missing",
        message=("It is installed: add 'idle' to ENABLED_PLUGINS.",),
    ),
    "unknown hook": Case(
        source=HEAD.replace('"after_create"', '"after_creat"'),
        code="unknown_hook",
        message=("Unknown hook 'entry.after_creat'.", "Did you mean 'entry.after_create'"),
    ),
    "signature that can't take the arguments": Case(
        source=HEAD.replace("self, entity_name, user, entry, **kwargs", "self, entry"),
        code="bad_signature",
        message=(
            "has 1 wrong handler(s).",
            "ThePlugin.handle",
            "Expected: (self, entity_name, user, entry",
        ),
    ),
    "settings that don't fit": Case(
        source="from pydantic import BaseModel\nclass Conf(BaseModel):\n    port: int\n    token: str\n"
        + HEAD
        + "    settings_model = Conf\n",
        settings={"plugin_settings": {"bad": {"port": "s3cr3t", "tokn": "hunter2"}}},
        code="bad_settings",
        message=(
            "wrong values in PLUGIN_SETTINGS:",
            "`port`: ",
            "`token`: Field required",
            "`tokn`: there is no such setting.",
        ),
    ),
    **{
        f"settings whose check raises {raised}": Case(
            source="from pydantic import BaseModel, model_validator\n"
            "class Mute(BaseException):\n    def __str__(self):\n        raise SystemExit\n"
            "class Conf(BaseModel):\n    @model_validator(mode='before')\n    def check(cls, given):\n"
            f"        raise {raised}\n{HEAD}    settings_model = Conf\n",
            code="bad_settings",
            message=(": its settings model fails: ", f"{raised.partition('(')[0]}: "),
        )
        for raised in ("KeyboardInterrupt('no')", "SystemExit('no')", "Mute()")
    },
    "settings without a model": Case(
        settings={"plugin_settings": {"bad": {"port": 1}}},
        code="bad_settings",
        message=("it takes no settings, as its class has no `settings_model`",),
    ),
    **{
        f"settings model that is {what}": Case(
            source=f"from dataclasses import dataclass\nfrom pydantic import BaseModel\n"
            f"@dataclass\nclass Shop:\n    port: int = 1\nclass Conf(BaseModel): ...\n{HEAD}"
            f"    settings_model = {written}\n",
            code="invalid_plugin",
            message=("`settings_model` is ", "expected a subclass of pydantic.BaseModel (the class) or None"),
        )
        for what, written in {
            "a dataclass": "Shop",
            "dict": "dict",
            "a string": "'x'",
            "an instance": "Conf()",
            "a function": "print",
        }.items()
    },
    **{
        f"schedule {schedule!r}": Case(
            source=TASKS,
            modules={
                "tasks.py": "from pagoda_plugin_sdk import plugin_task\n"
                f"@plugin_task(0, schedule={schedule!r})\ndef scan(job): ...\n"
                "@plugin_task(1)\ndef purge(job): ...\n"
            },
            code="bad_tasks",
            message=("has 2 wrong task(s). Task 'scan': Task options are invalid: `schedule` is ",),
        )
        for schedule in ("61 3 * * *", "0 3 30 2 *", "", 5, "@daily")
    },
    "task options that nothing has checked": Case(
        source=TASKS,
        modules={
            "tasks.py": "def scan(job): ...\ndef purge(job): ...\nscan._task_options = {'schedule': 1}\n"
        },
        code="task_not_found",
        message=("fails to load task function 'generated_bad.tasks.scan' of task 'scan': TypeError",),
    ),
    "metadata of wrong types": Case(
        source=HEAD + "    description = 5\n    version = 'banana'\n    author = None\n    fail_closed = 1\n",
        code="invalid_plugin",
        message=(
            "`description` is 5, expected a string",
            "`version` is 'banana', expected one like '1.2.3' (PEP 440)",
            "`author` is None",
            "`fail_closed` is 1",
        ),
    ),
    "a property that raises": Case(
        source=HEAD + "    @property\n    def description(self):\n        raise GeneratorExit('lazy')\n",
        code="invalid_plugin",
        message=("is invalid: GeneratorExit: lazy (generated_bad/plugin.py",),
    ),
    "an error without a text": Case(
        source="class Mute(Exception):\n    def __str__(self):\n        raise SystemExit\nraise Mute\n",
        code="import_failed",
        message=("Mute: <Mute that can't be shown: SystemExit> (generated_bad/plugin.py, line 4)",),
    ),
    "a handler whose signature raises": Case(
        source=HEAD + "    handle.__signature__ = 5\n    handle.__wrapped__ = handle\n",
        code="invalid_plugin",
        message=("Plugin 'bad' (distribution 'dist-bad') ",),
    ),
    "settings that can't be set": Case(
        source=HEAD + "    settings = property()\n",
        code="invalid_plugin",
        message=("AttributeError",),
    ),
    "a class without a module": Case(
        source=HEAD + "ThePlugin.__module__ = None\n",
        code="invalid_plugin",
        message=("__module__",),
    ),
    "a requirement with an unknown marker": Case(
        install={"requires": ("x; python_version > 'y' and extra == 5",)},
        code="bad_metadata",
        message=("Plugin 'bad' (distribution 'dist-bad')",),
    ),
    "os._exit at import": Case(
        source="import os\nos._exit(0)\n",
        code="import_failed",
        message=("ExitCalled: os._exit(0) is called (generated_bad/plugin.py, line 2)",),
    ),
    "an import that never ends, and swallows errors": Case(
        source="import time\nwhile True:\n    try:\n        time.sleep(60)\n    except Exception: pass\n",
        settings={"plugin_load_timeout_seconds": 0.2},
        code="import_failed",
        message=("LoadTimeExceeded: it took longer than 0.2 s (PLUGIN_LOAD_TIMEOUT_SECONDS)",),
    ),
    "ready() that never ends": Case(
        source=APPS,
        modules={"apps.py": config("while True: pass")},
        settings={"plugin_load_timeout_seconds": 0.2},
        code="ready_failed",
        message=("LoadTimeExceeded: it took longer than 0.2 s",),
    ),
    "app that can't be imported": Case(
        source=HEAD + '    django_apps = ["generated_bad.nowhere"]\n',
        code="app_failed",
        message=("Django app 'generated_bad.nowhere' can't be installed: ",),
    ),
    "app label that is taken": Case(
        source=APPS,
        modules={"apps.py": config("pass", label="entry")},
        code="app_label_clash",
        message=("'generated_bad' has the label 'entry', which app 'pagoda.domain.entry' has already.",),
    ),
    "models that fail to import": Case(
        source=APPS,
        modules={"models.py": MODEL + "\nraise RuntimeError('no models')\n"},
        code="app_failed",
        message=("the models of Django app 'generated_bad' can't be imported: RuntimeError: no models",),
    ),
    "models that refer to nothing": Case(
        source=APPS,
        modules={"models.py": MODEL.replace("entry.Entry", "nowhere.Nothing")},
        code="app_failed",
        message=("a field refers to model 'nowhere.nothing', which does not exist",),
    ),
    "models with a table that is taken": Case(
        source=APPS,
        modules={"models.py": MODEL + "\n    class Meta:\n        db_table = 'entry_entry'\n"},
        code="app_failed",
        message=("generated_bad.Thing has the table 'entry_entry' of entry.Entry",),
    ),
    "models that Django's checks refuse": Case(
        source=APPS,
        modules={"models.py": MODEL + "    bad__name = models.TextField()\n"},
        code="app_failed",
        message=("(fields.E002)",),
    ),
    "ready that raises": Case(
        source=APPS,
        modules={"apps.py": config("raise SystemExit('not ready')"), "models.py": MODEL},
        code="ready_failed",
        message=(
            "ready() of Django app 'generated_bad' raises: SystemExit: not ready ",
            "(generated_bad/apps.py, line ",
        ),
    ),
    "task function that is missing": Case(
        source=TASKS,
        modules={"tasks.py": "def scan(job): ...\ndef purg(job): ...\n"},
        code="task_not_found",
        message=("has 1 wrong task(s).", "generated_bad.tasks.purge does not exist. Did you mean 'purg'?"),
    ),
    "task module that fails": Case(
        source=TASKS,
        modules={"tasks.py": "import no_such_module\n"},
        code="task_not_found",
        message=(
            "fails to load task function 'generated_bad.tasks.scan' of task 'scan': ModuleNotFoundError",
        ),
    ),
    "task offsets that disagree": Case(
        source=TASKS,
        modules={
            "tasks.py": "from pagoda_plugin_sdk import plugin_task\n"
            "@plugin_task(0)\ndef scan(job): ...\n@plugin_task(7)\ndef purge(job): ...\n"
        },
        code="task_offset_mismatch",
        message=(
            "Task 'purge': its declaration has offset 1, the decorator of generated_bad.tasks.purge has 7.",
        ),
    ),
    "tasks of another plugin": Case(
        source=TASKS.replace('plugin_id="bad"', 'plugin_id="good"'),
        code="bad_tasks",
        message=("registers tasks for plugin 'good', expected one of its own names ('bad').",),
    ),
    "task_config of another type": Case(
        source=HEAD + "    task_config = {}\n",
        code="invalid_plugin",
        message=("`task_config` is {}, expected a PluginTaskConfig or None",),
    ),
    "tasks of another plugin, registered in ready": Case(
        source=APPS,
        modules={
            "apps.py": config("from generated_bad.conf import register; register()"),
            "conf.py": LEGACY.format(owner="good"),
        },
        code="bad_tasks",
        message=("registers tasks for plugin 'good'",),
    ),
    "tasks of another plugin, registered on import": Case(
        source="from generated_bad.conf import register\nregister()\n" + HEAD,
        modules={"conf.py": LEGACY.format(owner="good")},
        code="bad_tasks",
        message=("registers tasks for plugin 'good'",),
    ),
    "missing task function, registered in ready": Case(
        source=APPS,
        modules={
            "apps.py": config("from generated_bad.conf import register; register()"),
            "conf.py": LEGACY.format(owner="bad"),
            "tasks.py": "",
        },
        code="task_not_found",
        message=("generated_bad.tasks.scan does not exist.",),
    ),
}


@dataclass(frozen=True)
class Traces:
    """Everything of the host that a plugin can leave something in."""

    app_labels: frozenset[str]
    models: frozenset[type[models.Model]]
    accessors: frozenset[str]
    pending: int
    tasks: frozenset[str]
    path: tuple[str, ...]

    @classmethod
    def now(cls) -> Traces:
        entry = apps.get_model("entry", "Entry")
        return cls(
            app_labels=frozenset(apps.app_configs)
            | {label for label, held in apps.all_models.items() if held},
            models=frozenset(apps.get_models(include_auto_created=True)),
            accessors=frozenset(vars(entry)) | {f.name for f in entry._meta.get_fields()},
            pending=sum(map(len, apps._pending_operations.values())),
            tasks=frozenset(PluginTaskRegistry.get_all_configs()),
            path=tuple(sys.path),
        )


def install(packages: Any, case: Case) -> None:
    packages.install("good")
    packages.install("idle")
    packages.install("bad", case.source, modules=case.modules, **case.install)
    packages.install("fine")


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_bad_plugin_is_skipped_with_its_reason_and_leaves_nothing(
    case: Case, packages: Any, start: Callable[..., Any]
) -> None:
    install(packages, case)
    before = Traces.now()

    started = start("good", "bad", "fine", **case.settings)

    code, reason = started.reason("bad")
    assert code == case.code, reason
    for part in case.message:
        assert part in reason
    assert [record.id for record in started.registry.active] == ["good", "fine"]
    assert started.handlers() == {"good", "fine"}
    assert Traces.now() == before
    assert "s3cr3t" not in reason
    assert "hunter2" not in reason
    assert len(get_available_models()) == 7


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_strict_mode_stops_with_the_same_reason(case: Case, packages: Any, start: Callable[..., Any]) -> None:
    install(packages, case)

    with pytest.raises(PluginBootError) as caught:
        start("good", "bad", "fine", pagoda_plugin_strict=True, **case.settings)

    assert len(caught.value.faults) == 1
    assert case.message[0] in str(caught.value)
