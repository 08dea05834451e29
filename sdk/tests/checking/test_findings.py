"""What `check` says of faults that keep no plugin from starting: what is marked, given, named and served."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from itertools import count
from pathlib import Path

import pytest

from pagoda_plugin_sdk.checking.findings import CheckFinding
from pagoda_plugin_sdk.checking.loaded import class_findings
from pagoda_plugin_sdk.checking.tasks import params_findings
from pagoda_plugin_sdk.checking.urls import url_findings
from pagoda_plugin_sdk.metadata import URL_MODULES
from sdk.tests.checking.test_checks import APPS, FEED, MIGRATION, MODELS, SEE, TOML, checked, project

type Found = Callable[..., list[CheckFinding]]

NUMBERS = count()


@pytest.fixture
def found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Found:
    """Load a plugin class with this body in this process, and return what it is told."""

    def load(body: str, urls: str = "", base: str = "Plugin") -> list[CheckFinding]:
        name = f"beast{next(NUMBERS)}"
        folder = project(tmp_path, name, body.replace("beast", name))
        file = folder / f"{name}.py"
        file.write_text(file.read_text().replace("class ThePlugin(Plugin)", f"class ThePlugin({base})"))
        (folder / f"{name}_urls.py").write_text(urls)
        monkeypatch.syspath_prepend(folder)
        plugin = import_module(name).ThePlugin()
        modules = [path for path in (getattr(plugin, field) for field in URL_MODULES) if path]
        return [
            *class_findings(plugin),
            *(params_findings(plugin.task_config) if plugin.task_config else ()),
            *(finding for path in modules for finding in url_findings(plugin, path)),
        ]

    return load


MODEL = "import pydantic\nclass S(pydantic.BaseModel):\n    {field}\n---\nsettings_model = S"
PARAMS = "import pydantic\nclass S(pydantic.BaseModel):\n    x: int = 'a'\n@plugin_task(0, params_model=S)\n"
INNER = "import pydantic\nclass N(pydantic.BaseModel):\n    a: int = 'b'\nclass S(pydantic.BaseModel):\n"
LOSING = "import functools\ndef cut(f):\n    return lambda *given: f(*given)\n---\n"
TASK = 'task_config = PluginTaskConfig("beast", "beast", {"feed": (0, "feed")})'
BASE = f"class Base:\n    {SEE.replace(chr(10), chr(10) + '    ')}\n"

FAULTS = {
    "a default of another type": (MODEL.format(field="x: int = 'a'"), "the default of `x` is refused"),
    "a default out of bounds": (
        MODEL.format(field="x: int = pydantic.Field(-1, ge=0)"),
        "should be greater than or equal to 0",
    ),
    "a factory of another type": (
        MODEL.format(field="x: list[int] = pydantic.Field(default_factory=lambda: ['a'])"),
        "the default of `x` is refused by its own type",
    ),
    "a default of a model inside": (
        f"{INNER}    n: list[N] = []\n---\nsettings_model = S",
        "`settings_model` N: the default of `a` is refused",
    ),
    "a default of an override's params": (
        MODEL.format(field="x: int = 'a'").replace("settings_model", "params_model"),
        "`params_model` S: the default of `x`",
    ),
    "a default of a task's params": (f"{PARAMS}{FEED}", "Task 'feed': `params_model` S: the default of `x`"),
    "a property over a handler": (f"{SEE}@property\ndef see(self): ...", "ThePlugin.see, marked at line 6"),
    "a value over a handler": (f"{SEE}see = 5", "ThePlugin.see, marked at line 6"),
    "two handlers of one name": (f"{SEE}{SEE}", "ThePlugin.see, marked at line 6 and 8"),
    "a handler over a panel": (
        f'@entry_panel(title="T")\ndef see(self, request, entry): ...\n{SEE}',
        "ThePlugin.see, marked at line 6 and 8",
    ),
    "a property over an override": (
        '@override_operation("list")\ndef show(self, c): ...\n@property\ndef show(self): ...',
        "ThePlugin.show, marked at line 6",
    ),
    "a handler that is a property": (f"@property\n{SEE}", "ThePlugin.see, marked at line 7"),
    "a decorator that drops the mark": (f"{LOSING}@cut\n{SEE}", "write the marks above other decorators"),
    "a mark above a static method": (
        '@entry_hook("after_create")\n@staticmethod\ndef see(entity_name, user, entry): ...',
        "ThePlugin.see, marked at line 6",
    ),
}


@pytest.mark.parametrize(("body", "text"), FAULTS.values(), ids=FAULTS)
def test_fault_is_found(found: Found, body: str, text: str) -> None:
    (finding,) = found(body)

    assert not finding.is_warning
    assert text in finding.text


WARNINGS = {
    "a default that stays a text": (
        "from pathlib import Path\n" + MODEL.format(field="x: Path = '/x'"),
        "the default of `x` is str and stays it, where a value that is given becomes PosixPath",
    ),
    "a default with texts inside": (
        MODEL.format(field="x: list[int] = ['5']"),
        "the default of `x` is not what a value that is given becomes",
    ),
    "a handler that a class below replaces": (
        f"{BASE}class Middle(Base, Plugin):\n    def see(self, a, b, c): ...\n---\n",
        "ThePlugin.see takes the place of a handler of Base and has no mark",
    ),
    "a handler outside of the class": (
        '@entry_hook("after_create")\ndef see(plugin, a, b, c): ...\n---\npass',
        "see is marked, and is no method of a plugin class",
    ),
    "an override outside of the class": (
        '@override_operation("list")\ndef show(context): ...\n---\npass',
        "show is marked, and is no method of a plugin class",
    ),
    "a handler in a class that no plugin is made of": (
        f"{BASE}---\npass",
        "Base.see is marked, and is no method of a plugin class",
    ),
    "a verdict that nobody reads": (
        "@validation_hook()\ndef see(self, user, schema_name, name, attrs, instance) -> bool: ...",
        "returns bool, which nobody reads; it refuses by raising HookRejected",
    ),
    "what nobody reads": (SEE.replace("):", ") -> dict:"), "returns dict, which nobody reads. Correct it."),
    "an override that returns a text": (
        '@override_operation("list")\ndef show(self, context) -> str: ...',
        "returns str, expected a response",
    ),
    "an id that is computed": ("@property\ndef id(self): return 'beast'", "Its class computes `id`"),
    "an id that is made with the instance": (
        "def __init__(self):\n    super().__init__()\n    self.id = 'lion'",
        "Its class computes `id`, so that settings and `dependencies` that say 'lion'",
    ),
    "a class that is not made as its base": ("def __init__(self): ...", "does not call super().__init__()"),
    "settings that the host replaces": ("settings = {'a': 1}", "which the host replaces by the values of"),
    "a slip of the pen": ("setings_model = None", "Did you mean `settings_model`?"),
    "another one": ('api_v2_pattern = "beast_urls"', "Did you mean `api_v2_patterns`?"),
    "a template that is not there": (
        '@entry_panel(title="T")\ndef show(self, request, entry):\n    return "pages/gone.html", {}',
        "names the template 'pages/gone.html', which is not below templates/",
    ),
}


@pytest.mark.parametrize(("body", "text"), WARNINGS.values(), ids=WARNINGS)
def test_what_may_not_be_meant_is_a_warning(found: Found, body: str, text: str) -> None:
    (finding,) = found(body, base="Middle" if "Middle" in body else "Plugin")

    assert finding.is_warning
    assert text in finding.text


FINE = {
    "defaults as their fields make them": MODEL.format(
        field="x: float = 1\n    y: str | None = None\n"
        "    z: list[int] = pydantic.Field(default_factory=list)\n"
        "    d: dict[str, object] = {}\n    s: pydantic.SecretStr = pydantic.SecretStr('')"
    ),
    "a default that the model checks itself": MODEL.format(
        field="x: int = pydantic.Field('5', validate_default=True)"
    ),
    "a default that a validator would not take": MODEL.format(
        field="x: str | None = None\n    @pydantic.field_validator('x')\n    @classmethod\n"
        "    def strip(cls, value): return value.strip()"
    ),
    "a static method": f"@staticmethod\n{SEE.replace('self, ', '')}",
    "a class method": f"@classmethod\n{SEE}",
    "an annotation of what each handler returns": SEE.replace("):", ") -> None:"),
    "a private one": SEE.replace("def see", "def __see"),
    "two marks of one method": f'@entry_hook("after_update")\n{SEE}',
    "a method that keeps the marks": f"import functools\n---\n@functools.lru_cache\n{SEE}",
    "an attribute of its own": "names = ['beast']",
    "an instance that is made with more": "def __init__(self):\n    self.a = 1\n    super().__init__()",
    "an override that returns a response": (
        "from django.http import HttpResponse\n---\n"
        '@override_operation("list")\ndef show(self, context) -> HttpResponse | None: ...'
    ),
}


@pytest.mark.parametrize("body", FINE.values(), ids=FINE)
def test_what_is_meant_is_no_finding(found: Found, body: str) -> None:
    assert found(body) == []


HEAD = """from django.urls import path, re_path, include
from django.views import View
from pagoda_plugin_sdk import PluginAPIView
from rest_framework.generics import ListAPIView
from rest_framework.permissions import IsAdminUser, IsAuthenticated
from rest_framework.serializers import ModelSerializer, Serializer
from rest_framework.viewsets import ViewSet
"""
VIEWS = """
def plain(request): ...
def one(request, pk): ...
async def later(request): ...
class Empty(PluginAPIView):
    def get(self, request): ...
class One(PluginAPIView):
    def get(self, request, pk): ...
def parts(request):
    yield 1
class Mute(PluginAPIView):
    def gett(self, request): ...
class Rows(ListAPIView):
    serializer_class = Serializer
class Sets(ViewSet):
    def list(self, request): ...
class Computed(ListAPIView):
    def get_queryset(self): ...
    def get_serializer_class(self): ...
class Guarded(PluginAPIView):
    permission_classes = [IsAuthenticated()]
    def get(self, request): ...
class Bare(PluginAPIView):
    permission_classes = IsAuthenticated
    def get(self, request): ...
class Either(PluginAPIView):
    permission_classes = (IsAuthenticated | IsAdminUser,)
    def get(self, request): ...
class OfSet(PluginAPIView):
    permission_classes = {IsAuthenticated}
    def get(self, request): ...
class Late(PluginAPIView):
    @property
    def permission_classes(self): return [IsAuthenticated]
    def get(self, request): ...
class NoModel(ModelSerializer): ...
class Wanting(Serializer):
    def __init__(self, **given): self.user = given["context"]["request"]
class Groups(ListAPIView):
    queryset = ()
    serializer_class = NoModel
class Wants(ListAPIView):
    queryset = ()
    serializer_class = Wanting
class Dispatching(View):
    def dispatch(self, request): ...
"""
URLS = {
    "a view of a path that it can't take": ("path('x/<int:pk>/', plain)", "view plain has the signature"),
    "a method of a path that it can't take": ("path('x/<int:pk>/', Empty.as_view())", "view Empty.get has"),
    "a view that wants more": ("path('x/', one)", "missing a required argument: 'pk'"),
    "one of a path that is included": (
        "path('<int:pk>/', include([path('x/', plain)]))",
        "can't take (request, pk)",
    ),
    "a view that is a coroutine": ("path('x/', later)", "view later is a coroutine function"),
    "a view that is a generator": ("path('x/', parts)", "view parts has a `yield`"),
    "a view without a method": ("path('x/', Mute.as_view())", "view Mute has no method for any kind"),
    "a list of nothing": ("path('x/', Rows.as_view())", "Rows has neither `queryset` nor `get_queryset`"),
    "a permission that is an instance": (
        "path('x/', Guarded.as_view())",
        "has a IsAuthenticated in `permission_classes`, expected a class, not an instance",
    ),
    "permissions that are no list": (
        "path('x/', Bare.as_view())",
        "as `permission_classes`, expected a list of",
    ),
    "a serializer without a model": (
        "path('x/', Groups.as_view())",
        'has the serializer NoModel, which fails: Class NoModel missing "Meta" attribute',
    ),
    "an action that is not there": (
        "path('x/', Sets.as_view({'get': 'lst'}))",
        "view Sets has no method 'lst' for GET",
    ),
    "a path twice": (
        "path('x/', plain), path('x/', Empty.as_view())",
        "Empty is never reached, as plain goes",
    ),
    "a slash in front": ("path('/x/', plain)", "has a route beginning with a '/'"),
    "views that take what they get": (
        """path('x/<int:pk>/', one), path('y/<pk>/', One.as_view()), re_path('z/(a|b)', plain),
        path('e/', Either.as_view()), path('w/', Wants.as_view()), path('c/', Computed.as_view()),
        path('d/', Dispatching.as_view()), path('o/', OfSet.as_view()), path('l/', Late.as_view()),
        path('s/', Sets.as_view({'get': 'list'}))""",
        None,
    ),
}


@pytest.mark.parametrize(("patterns", "text"), URLS.values(), ids=URLS)
def test_views_are_held_against_their_urls(found: Found, patterns: str, text: str | None) -> None:
    findings = found('api_v2_patterns = "beast_urls"', f"{HEAD}{VIEWS}urlpatterns = [{patterns}]\n")

    assert [text in finding.text for finding in findings if text] == [True] * bool(text)
    assert [finding.code for finding in findings] == ["urls_failed"] * bool(text)


def test_a_link_to_a_page_that_is_not_there_is_a_warning(found: Found) -> None:
    body = "from pagoda_plugin_sdk.metadata import NavigationEntry as Link\n---\n"
    body += "console_patterns = 'beast_urls'\n"
    body += "navigation = [Link('A', 'x/'), Link('B', 'settings/'), Link('C', 'gone/')]"
    (finding,) = found(body, f"{HEAD}{VIEWS}urlpatterns = [path('x/', plain)]\n")

    assert (finding.is_warning, "'gone/' as 'C'" in finding.text) == (True, True)


def test_a_label_of_the_host_s_is_a_fault(tmp_path: Path) -> None:
    folder = project(tmp_path, "beast", 'django_apps = ["beast_app"]')
    (folder / "beast_app").mkdir()
    (folder / "beast_app" / "__init__.py").touch()
    (folder / "beast_app" / "apps.py").write_text(APPS.replace("{name}", "beast") + '    label = "job"\n')
    (told,) = checked(folder)

    assert [finding.code for finding in told.findings] == ["app_label_clash"]


def test_a_table_of_the_host_s_is_a_fault(tmp_path: Path) -> None:
    folder = project(tmp_path, "beast", 'django_apps = ["beast_app"]')
    (folder / "beast_app").mkdir()
    models = f"{MODELS}    class Meta:\n        db_table = 'job_job'\n"
    for name, text in (("__init__", ""), ("apps", APPS.replace("{name}", "beast")), ("models", models)):
        (folder / "beast_app" / f"{name}.py").write_text(text)
    (told,) = checked(folder)

    assert [each.code for each in told.findings] == ["app_failed", "migrations_missing"]
    assert "beast_app.Cage has the table 'job_job', which the host has" in told.findings[0].text


@pytest.mark.parametrize(
    ("code", "codes"),
    [
        (
            "        migrations.RemoveField('Cage', 'keeper'),\n",
            ["that no migration has: Add field keeper to cage"],
        ),
        ("    dependencies = [('nobody', '0001_initial')]\n", ["nonexistent parent node ('nobody', '0001_"]),
    ],
    ids=["a column without a default is missing", "an app that nobody has"],
)
def test_migrations_that_can_not_be_run(tmp_path: Path, code: str, codes: list[str]) -> None:
    written = MIGRATION.replace("{longest}", "9")
    end = "    ])]\n"
    written = written.replace(end, f"    ]),\n{code}    ]\n") if "migrations." in code else written + code
    folder = project(tmp_path, "beast", 'django_apps = ["beast_app"]')
    app = folder / "beast_app"
    (app / "migrations").mkdir(parents=True)
    for name, text in (
        ("__init__", ""),
        ("apps", APPS.replace("{name}", "beast")),
        ("models", MODELS),
        ("migrations/__init__", ""),
        ("migrations/0001_initial", written),
    ):
        (app / f"{name}.py").write_text(text)
    (told,) = checked(folder)

    assert {finding.code for finding in told.findings} == {"migrations_missing"}
    assert [text in finding.text for finding, text in zip(told.findings, codes, strict=True)] == [True]


def test_what_no_entry_point_can_be_or_names_is_a_warning(tmp_path: Path) -> None:
    inner = SEE.replace("\n", "\n    ")
    other = f"class Base(Plugin): ...\nclass Other(Base):\n    {inner}\n---\npass"
    toml = TOML.replace("\n{name} =", '\n"bêast" =')
    (told,) = checked(project(tmp_path, "beast", other, toml))

    assert [(each.code, each.is_warning) for each in told.findings] == [
        ("bad_metadata", True),
        ("not_a_plugin", True),
    ]
    assert "'bêast' has a name that no URL" in told.findings[0].text
    assert "beast.Other is a plugin class that no entry point names" in told.findings[1].text


def test_a_model_that_refers_to_nobody_s_is_a_fault(tmp_path: Path) -> None:
    folder = project(tmp_path, "beast", 'django_apps = ["beast_app"]')
    (folder / "beast_app").mkdir()
    models = f"{MODELS}    ghost = models.ForeignKey('gone.Ghost', models.CASCADE)\n"
    for name, text in (("__init__", ""), ("apps", APPS.replace("{name}", "beast")), ("models", models)):
        (folder / "beast_app" / f"{name}.py").write_text(text)
    (told,) = checked(folder)

    assert [each.code for each in told.findings] == ["app_failed", "migrations_missing"]
    assert "relation with model 'gone.Ghost', which is either not installed" in told.findings[0].text


def test_two_plugins_of_a_project_have_two_ids(tmp_path: Path) -> None:
    other = "class Other(Plugin):\n    id = name = 'beast'\n---\npass"
    toml = TOML + 'other = "{name}:Other"\nalias = "{name}:ThePlugin"\n'
    (told,) = checked(project(tmp_path, "beast", other, toml))

    assert [finding.code for finding in told.findings] == ["duplicate_name"]
    assert "'beast' is claimed by beast:ThePlugin and beast:Other" in told.findings[0].text


def test_ranges_of_plugins_that_are_not_looked_at_may_overlap(tmp_path: Path) -> None:
    folder = project(tmp_path, "beast", f"@plugin_task(0)\n{FEED}")
    (alone,) = checked(folder, PLUGIN_OPERATION_ID_CONFIG='{"beast": [400, 409], "lion": [410, 419]}')
    (both,) = checked(folder, PLUGIN_OPERATION_ID_CONFIG='{"beast": [400, 409], "lion": [405, 419]}')

    assert alone.findings == []
    assert ["overlap" in finding.text for finding in both.findings] == [True]


def test_the_command_tells_of_each_kind(tmp_path: Path) -> None:
    body = f'{PARAMS}{FEED}\n{SEE}see = 5\napi_v2_patterns = "beast_urls"\n'
    body += '@entry_panel("Ghost", title="T")\ndef show(self, request, entry): ...'
    urls = f"{HEAD}{VIEWS}urlpatterns = [path('x/', one)]\n"
    (told,) = checked(project(tmp_path, "beast", body, beast_urls=urls))

    assert [(finding.code, finding.is_warning) for finding in told.findings] == [
        ("bad_signature", False),
        ("bad_tasks", False),
        ("urls_failed", False),
        ("unknown_entity", True),
    ]
    assert "show is the panel 'T' of entries of entity 'Ghost', which" in told.findings[-1].text
