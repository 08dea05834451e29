"""What `check` says of projects, each with one fault. The zoo's plugins are checked in tests/author."""

from __future__ import annotations

import os
from pathlib import Path
from textwrap import dedent

import pytest

from pagoda_plugin_sdk.checking.examining import Examined
from pagoda_plugin_sdk.checking.reports import check_projects

APPS = 'from django.apps import AppConfig\nclass C(AppConfig):\n    name = "{name}_app"\n'
MODELS = (
    "from django.db import models\nclass Cage(models.Model):\n    keeper = models.CharField(max_length=9)\n"
)
MIGRATION = """
from django.db import migrations, models
class Migration(migrations.Migration):
    initial = True
    operations = [migrations.CreateModel(name="Cage", fields=[
        ("id", models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
        ("keeper", models.CharField(max_length={longest})),
    ])]
"""
TOML = """
[project]
name = "{name}"
version = "1.0.0"
dependencies = ["pagoda-plugin-sdk>=1.0,<2"]
[project.entry-points."pagoda.plugins"]
{name} = "{name}:ThePlugin"
"""


def project(folder: Path, name: str, body: str, toml: str = TOML, **files: str) -> Path:
    """Write a project whose plugin class has this body; `files` are other files by path, ``__`` for ``/``."""
    root = folder / name
    root.mkdir(parents=True)
    (root / "pyproject.toml").write_text(toml.replace("{name}", name))
    head = "from pagoda_plugin_sdk import Plugin, PluginTaskConfig, override_operation, plugin_task\n"
    head += "from pagoda_plugin_sdk.decorators import *\n"
    before, _, inside = body.rpartition("---\n")
    inner = "".join(f"    {line}\n" for line in dedent(inside).splitlines())
    (root / f"{name}.py").write_text(
        f'{head}{dedent(before)}\nclass ThePlugin(Plugin):\n    id = name = "{name}"\n{inner}'
    )
    for path, text in files.items():
        file = root / (path.replace("__", "/").replace("//init//", "/__init__") + ".py")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.replace("{name}", name))
    return root


def checked(*folders: Path, **environ: str) -> list[Examined]:
    return check_projects({folder: {**os.environ, **environ} for folder in folders})


FEED = """def feed(job): ...
---
task_config = PluginTaskConfig("beast", "beast", {"feed": (0, "feed")})"""
SEE = '@entry_hook("after_create")\ndef see(self, entity_name, user, entry): ...\n'
NO_FEED = FEED.partition("\n")[2]


def celery(decorator: str, definition: str) -> str:
    """Return the body of a plugin with a task of Celery."""
    return f"from pagoda_plugin_sdk import celery_app\n{decorator}\n{definition}: ...\n{NO_FEED}"


FAULTS = {
    "a task that is never due": (
        f'@plugin_task(0, schedule="0 3 30 2 *")\n{FEED}',
        "never occurs",
    ),
    "an offset that no range has": (
        f"@plugin_task(0)\n{FEED}".replace('(0, "f', '(9800, "f'),
        "goes beyond 9799",
    ),
    "a cron expression of four fields": (
        '@plugin_task(0, schedule="0 3 * *")\ndef feed(job): ...\n---\n',
        "expected five cron fields",
    ),
    "settings that are a dataclass": (
        "import dataclasses\n@dataclasses.dataclass\nclass S:\n    a: int = 1\n---\nsettings_model = S",
        "expected a subclass of pydantic.BaseModel",
    ),
    "settings that are an instance": (
        "import pydantic\nclass S(pydantic.BaseModel):\n    a: int = 1\n---\nsettings_model = S()",
        "expected a subclass of pydantic.BaseModel",
    ),
    "a permission that there is none of": ('permissions = ["entry:raed"]', "Did you mean 'entry:read'"),
    "permissions that are a text": ('permissions = "entry:read"', "`permissions` is 'entry:read'"),
    "an id with a space": ('id = "the beast"', "`id` is 'the beast'"),
    "the host's name": ('id = "core"', "reserved for the host"),
    "an unknown hook": (
        '@entry_hook("after_craete")\ndef see(self, **context): ...',
        "Did you mean 'entry.after_create'",
    ),
    "a handler that takes too little": (
        '@entry_hook("after_create")\ndef see(self, entity_name): ...',
        "can't take its arguments",
    ),
    "a handler that is a coroutine": (
        '@entry_hook("after_create")\nasync def see(self, *a, **k): ...',
        "is a coroutine function",
    ),
    "a handler that is a generator": (
        '@entry_hook("after_create")\ndef see(self, *a, **k):\n    yield',
        "has a `yield`, so that a call runs nothing of it",
    ),
    "an override that takes nothing": (
        '@override_operation("list")\ndef show(self): ...',
        "Expected: (self, context)",
    ),
    "an override that is a coroutine": (
        '@override_operation("list")\nasync def show(self, context): ...',
        "Override show of 'list' is a coroutine function",
    ),
    "a task that takes nothing": (FEED.replace("(job)", "()"), "Expected: (job)"),
    "a task that is a coroutine": (f"@plugin_task(0)\nasync {FEED}", "its function is a coroutine function"),
    "a task that is a generator": (FEED.replace("...", "yield", 1), "its function has a `yield`"),
    "a task without a function": (
        'task_config = PluginTaskConfig("beast", "beast", {"feed": (0, "fed")})',
        "Task function beast.fed does not exist",
    ),
    "a task that is a class": (
        f"class Feed:\n    def __init__(self, job): ...\nfeed = plugin_task(0)(Feed)\n{NO_FEED}",
        "its function is a class, so that a call makes an object",
    ),
    "a handler that is a class": (
        '@entry_hook("after_create")\nclass See:\n    def __init__(self, *given): ...',
        "is a class, so that a call makes an object",
    ),
    "a handler behind a decorator that takes less": (
        "import functools\ndef cut(f): return functools.wraps(f)(lambda self: f(self, 1, 2, 3))\n---\n@cut\n"
        + SEE,
        "has the signature () and can't take its arguments",
    ),
    "a handler called as what each plugin has": (
        '@entry_hook("after_create")\ndef settings(self, a, b, c): ...',
        "Handler settings has the name of an attribute that every plugin has",
    ),
    "a Celery task that takes nothing": (
        celery("@celery_app.task(bind=True)", "def feed(self)"),
        "Expected: (job_id; with bind",
    ),
    "a Celery task without bind": (
        celery("@celery_app.task", "def feed(self, job_id)"),
        "missing a required argument: 'job_id'",
    ),
    "a Celery task that is a coroutine": (
        celery("@celery_app.task(bind=True)", "async def feed(self, job_id)"),
        "its function is a coroutine function",
    ),
    "a Celery task that is marked as another kind": (
        celery("@plugin_task(0)\n@celery_app.task(bind=True)", "def feed(self, job_id)"),
        "is marked with @plugin_task and is a Celery task, too",
    ),
    "a Celery task of one that is marked as another kind": (
        celery("@celery_app.task\n@plugin_task(0)", "def feed(job)"),
        "is marked with @plugin_task and is a Celery task, too",
    ),
    "an id that is another one each time": (
        "import uuid\n---\n@property\ndef id(self): return 'x' + uuid.uuid4().hex",
        "Its id is another one in each instance",
    ),
    "a task that is a part of a function": (
        f"import functools\nfeed = functools.partial(lambda a, b, c: 1, 1)\n{NO_FEED}",
        "Expected: (job)",
    ),
    "two offsets of one task": (
        f"@plugin_task(1)\n{FEED}",
        "Give both the same",
    ),
    "a URL module that is not there": ('api_v2_patterns = "beast_urls"', "No module named 'beast_urls'"),
    "an import that ends the process": ("import os\nos._exit(0)\n---\npass", "os._exit(0) is called"),
    "an import that exits": ("raise SystemExit(0)\n---\npass", "SystemExit: 0"),
    "settings that lack a value": (
        "import pydantic\nclass S(pydantic.BaseModel):\n    hour: int\n---\nsettings_model = S",
        "`hour`: Field required",
    ),
    "a Django app that is not there": ('django_apps = ["beast_gone"]', "No module named 'beast_gone'"),
}


@pytest.mark.parametrize(("body", "text"), FAULTS.values(), ids=FAULTS)
def test_fault_is_found(tmp_path: Path, body: str, text: str) -> None:
    (found,) = checked(project(tmp_path, "beast", body))

    assert [finding.is_warning for finding in found.findings] == [False]
    assert text in found.findings[0].text


WARNINGS = {
    "tasks under a third name": (
        FEED.replace('"beast", "beast"', '"lion", "beast"'),
        "tasks for plugin 'lion'",
    ),
    "a task that nothing names": (
        f"@plugin_task(1)\ndef rest(job): ...\n{FEED}",
        "beast.rest is marked as a task",
    ),
    "two overrides of one operation": (
        '@override_operation("list")\ndef a(self, c): ...\n@override_operation("list")\ndef b(self, c): ...',
        "Override a of 'list' is never called, as b follows",
    ),
    "an argument of another type": (
        '@entry_hook("after_create")\ndef see(self, entity_name: int, *rest, **context): ...',
        "has 'entity_name' as int, which is called with str",
    ),
    "an object of the host's as a text": (
        '@entity_hook("after_create")\ndef see(self, user, entity: "str | None"): ...',
        "has 'entity' as str, which is called with an object of the host's",
    ),
    "a permission for a plugin that nobody has": (
        'permissions = ["job:submit:lion"]',
        "no plugin 'lion' is installed",
    ),
    "a permission for an entity that nobody has": (
        'permissions = ["entry:read:Ghost"]',
        "'entry:read:Ghost', for entity 'Ghost', which nothing else in the plugin names",
    ),
    "another version than the project's": (
        'version = "2.0"',
        "Its class has version '2.0', pyproject.toml has '1.0.0'",
    ),
    "an import of the host": (
        "def see(self):\n    from pagoda.jobs import store",
        "beast.py, line 7, imports 'pagoda.jobs' of the host",
    ),
    "an import of the host by its name": (
        "from importlib import import_module\n---\ndef see(self):\n    import_module('pagoda_api.urls')",
        "imports 'pagoda_api.urls' of the host",
    ),
    "a result that nobody takes": (
        '@entry_hook("before_create")\ndef see(self, name: str, user, d: dict[str, int]) -> list[str]: ...',
        "returns list, expected dict or None",
    ),
}


@pytest.mark.parametrize(("body", "text"), WARNINGS.values(), ids=WARNINGS)
def test_what_may_not_be_meant_is_a_warning(tmp_path: Path, body: str, text: str) -> None:
    (found,) = checked(project(tmp_path, "beast", body))

    assert [finding.is_warning for finding in found.findings] == [True]
    assert text in found.findings[0].text


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ('seed = "gone:seed"', "Loading `seed` of [tool.pagoda] fails: ModuleNotFoundError"),
        ('seed = "beast:sede"', "'beast:sede', is not there. Did you mean 'seed'?"),
        ('seed = "beast:TIMES"', "'beast:TIMES', is no function"),
        ('seed = "beast:twice"', "has the signature (user, times) and can't take its arguments"),
        ('seed = "beast"', "`seed` of [tool.pagoda] is 'beast', expected a text"),
        ("seed = 5", "`seed` of [tool.pagoda] is 5, expected a text"),
        ('sede = "beast:seed"', "`sede` of [tool.pagoda] is no key of its. Did you mean 'seed'?"),
        ('entities = "Ghost"', "`entities` of [tool.pagoda] is 'Ghost', expected a list of names"),
        ("settings = 5", "`settings` of [tool.pagoda] is 5, expected a table"),
        (
            "chaos = { entires = {} }",
            "`entires` of [tool.pagoda.chaos] is no key of its. Did you mean",
        ),
        ("chaos = { keeps = 5 }", "`keeps` of [tool.pagoda.chaos] is 5, expected a list of tables"),
        ('seed = "beast:seed"', None),
    ],
)
def test_what_the_project_tells_the_command_is_checked(tmp_path: Path, line: str, text: str | None) -> None:
    body = "TIMES = 5\ndef seed(user): ...\ndef twice(user, times): ...\n---\npass"
    (found,) = checked(project(tmp_path, "beast", body, f"{TOML}[tool.pagoda]\n{line}\n"))
    assert [(each.code, each.is_warning) for each in found.findings] == [("bad_metadata", False)] * bool(text)
    assert all(text in each.text for each in found.findings if text)


def test_a_plugin_may_ask_to_submit_jobs_of_one_beside_it(tmp_path: Path) -> None:
    lion = project(tmp_path, "lion", "pass")
    beast = project(tmp_path, "beast", 'permissions = ["job:submit:lion"]')
    assert [each.findings for each in checked(beast, lion)] == [[], []]


@pytest.mark.parametrize(
    ("package", "codes"),
    [("pagoda_beast_plugin", ["migrations_missing"]), ("beast_plugin", ["app_failed"])],
    ids=["installed, as the host does", "told"],
)
def test_an_app_that_nothing_names(tmp_path: Path, package: str, codes: list[str]) -> None:
    root = tmp_path / "beast"
    files = {"__init__": "", "apps": APPS.replace("{name}_app", package), "models": MODELS}
    files["plugin"] = (
        'from pagoda_plugin_sdk import Plugin\nclass ThePlugin(Plugin):\n    id = name = "beast"\n'
    )
    (root / package).mkdir(parents=True)
    for name, text in files.items():
        (root / package / f"{name}.py").write_text(text)
    toml = TOML.replace('"{name}:', f'"{package}.plugin:').replace("{name}", "beast")
    (root / "pyproject.toml").write_text(toml)
    (found,) = checked(root)
    assert [each.code for each in found.findings] == codes
    assert package in found.findings[0].text


def test_a_plugin_without_fault_has_no_finding(tmp_path: Path) -> None:
    body = f'@plugin_task(0, schedule="0 3 29 2 *")\n{FEED}\npermissions = ["entry:read"]'
    (found,) = checked(project(tmp_path, "beast", body))
    assert (found.findings, found.names) == ([], ["beast"])


def test_models_without_migrations_are_named(tmp_path: Path) -> None:
    files = {"beast_app____init__": "", "beast_app__apps": APPS, "beast_app__models": MODELS}
    (found,) = checked(_app(tmp_path, files))
    assert "App 'beast_app' has models (Cage) and no migrations" in found.findings[0].text
    assert "Run `pagoda-plugin manage makemigrations beast_app`" in found.findings[0].text
    assert found.findings[0].code == "migrations_missing"


@pytest.mark.parametrize(("longest", "text"), [(9, None), (8, "have changes that no migration has")])
def test_migrations_are_compared_with_the_models(tmp_path: Path, longest: int, text: str | None) -> None:
    files = {
        "beast_app____init__": "",
        "beast_app__apps": APPS,
        "beast_app__models": MODELS,
        "beast_app__migrations____init__": "",
        "beast_app__migrations__0001_initial": MIGRATION.replace("{longest}", str(longest)),
    }
    (found,) = checked(_app(tmp_path, files))
    assert [text in finding.text for finding in found.findings if text] == ([True] if text else [])
    assert len(found.findings) == (text is not None)


def test_a_model_may_refer_to_the_host_s(tmp_path: Path) -> None:
    models = MODELS + "    entry = models.ForeignKey('entry.Entry', models.CASCADE)\n"
    models += "    user = models.ForeignKey('user.User', models.CASCADE)\n"
    migration = MIGRATION.replace("{longest}", "9").replace(
        "initial = True", 'dependencies = [("entry", "0001_initial")]'
    )
    files = {
        "beast_app____init__": "",
        "beast_app__apps": APPS,
        "beast_app__models": models,
        "beast_app__migrations____init__": "",
        "beast_app__migrations__0001_initial": migration,
    }
    (found,) = checked(_app(tmp_path, files))
    assert found.findings == []


def _app(folder: Path, files: dict[str, str]) -> Path:
    root = project(folder, "beast", 'django_apps = ["beast_app"]')
    for path, text in files.items():
        parts = path.replace("____init__", "/__init__").replace("__migrations", "/migrations")
        name = parts if parts.endswith("__init__") else parts.replace("__", "/")
        file = root / f"{name}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.replace("{name}", "beast"))
    return root


HOOK = '@entry_hook("after_create", entity={entity})\ndef see(self, entity_name, user, entry, **context): ...'


@pytest.mark.parametrize(
    ("body", "is_warned"),
    [
        (HOOK.replace("{entity}", '"Ghost"'), True),
        ('GHOST = "Ghost"\n---\n' + HOOK.replace("{entity}", "GHOST"), True),
        ('GHOST = "Ghost"\ndef make():\n    return GHOST\n---\n' + HOOK.replace("{entity}", "GHOST"), False),
        ('def make():\n    return "Ghost"\n---\n' + HOOK.replace("{entity}", '"Ghost"'), False),
    ],
    ids=["named nowhere else", "a constant of the hook alone", "a constant used elsewhere", "made elsewhere"],
)
def test_hook_for_an_entity_that_nobody_has_is_a_warning(tmp_path: Path, body: str, is_warned: bool) -> None:
    (found,) = checked(project(tmp_path, "beast", body))
    assert [finding.code for finding in found.findings if finding.is_warning] == [
        "unknown_entity"
    ] * is_warned
    assert ["'Ghost'" in finding.text for finding in found.findings] == [True] * is_warned


def test_entities_of_the_operator_are_declared(tmp_path: Path) -> None:
    toml = TOML + '[tool.pagoda]\nentities = ["Ghost"]\n'
    (found,) = checked(project(tmp_path, "beast", HOOK.replace("{entity}", '"Ghost"'), toml))
    assert found.findings == []


def test_settings_and_ranges_come_from_the_environment(tmp_path: Path) -> None:
    body = "import pydantic\nclass S(pydantic.BaseModel):\n    hour: int\n@plugin_task(7)\n"
    body += FEED.replace("(0,", "(7,") + "\nsettings_model = S"
    folder = project(tmp_path, "beast", body)
    (good,) = checked(folder, PLUGIN_SETTINGS='{"beast": {"hour": 5}}')
    (bad,) = checked(
        folder,
        PLUGIN_SETTINGS='{"beast": {"hour": "noon"}}',
        PLUGIN_OPERATION_ID_CONFIG='{"beast": [400, 404]}',
    )
    assert good.findings == []
    assert [
        "`hour`: Input should be a valid integer" in bad.findings[0].text,
        "offset 7" in bad.findings[1].text,
    ] == [
        True,
        True,
    ]


def test_plugins_of_one_project_are_checked_beside_each_other(tmp_path: Path) -> None:
    two = """
from pagoda_plugin_sdk import Plugin, PluginTaskConfig, plugin_task

@plugin_task(0)
def scan(job): ...

class One(Plugin):
    id, name = "one", "One"
    task_config = PluginTaskConfig("one", "pair", {"scan": (0, "scan")})

class Two(Plugin):
    id, name, dependencies = "two", "Two", ["one"]
"""
    folders = [tmp_path / "good", tmp_path / "circle"]
    for folder in folders:
        folder.mkdir()
        (folder / "pair.py").write_text(
            two
            if folder.name == "good"
            else two.replace("task_config =", "dependencies = ['two']; task_config =").replace('"one"', '"a"')
        )
        (folder / "pyproject.toml").write_text(
            f'[project]\nname = "{folder.name}"\ndependencies = ["pagoda-plugin-sdk"]\n'
            '[project.entry-points."pagoda.plugins"]\none = "pair:One"\ntwo = "pair:Two"\n'
        )
    (good,) = checked(folders[0])
    (circle,) = checked(folders[1])
    assert good.findings == []
    assert [finding.code for finding in circle.findings] == ["dependency_cycle"]


def test_projects_are_compared_with_each_other(tmp_path: Path) -> None:
    folders = [
        project(tmp_path, "one", 'dependencies = ["two"]'),
        project(tmp_path, "two", 'dependencies = ["one"]'),
        project(tmp_path, "three", 'id = "one"'),
        project(tmp_path, "four", 'dependencies = ["fvie"]'),
        project(tmp_path, "five", "pass"),
    ]
    one, two, three, four, five = checked(*folders)
    assert [finding.code for finding in one.findings] == ["duplicate_name", "dependency_cycle"]
    assert [finding.code for finding in two.findings] == ["dependency_cycle"]
    assert "claimed by one and three" in three.findings[0].text
    assert "Did you mean 'five'?" in four.findings[0].text
    assert five.findings == []


@pytest.mark.parametrize(
    ("toml", "text"),
    [
        ("[project", "pyproject.toml: TOMLDecodeError"),
        ("[project]\ndependencies = 5\n", "`dependencies` of [project] is 5"),
        ('[project]\nname = "x"\n', 'has no [project.entry-points."pagoda.plugins"]'),
        (TOML.replace("pagoda-plugin-sdk>=1.0,<2", "pagoda-plugin-sdk>=99"), "but "),
        (TOML.replace("pagoda-plugin-sdk>=1.0,<2", "no such thing!"), "can't be read"),
        (TOML.replace('"1.0.0"', '"one"'), "expected one like '1.2.3'"),
        (TOML.replace(":ThePlugin", ":Plugni"), "The module has: ThePlugin"),
    ],
)
def test_metadata_is_checked(tmp_path: Path, toml: str, text: str) -> None:
    (found,) = checked(project(tmp_path, "beast", "pass", toml))
    assert text in found.findings[0].text
