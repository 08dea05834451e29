"""`pagoda plugins install` and `remove`, in an environment of their own, by the real installer."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import sysconfig
import time
import venv
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tools.stack import free_port

ROOT = Path(__file__).parents[3]

PLUGIN = """
from pagoda_plugin_sdk import Plugin, PluginTaskConfig

class AcmePlugin(Plugin):
    id = "acme"
    name = "Acme"
    django_apps = ["acme_app"]
    task_config = PluginTaskConfig("acme", "acme_app.tasks", {"work": (0, "work")})
"""
FILES = {
    "acme_app/__init__.py": "",
    "acme_app/plugin.py": PLUGIN,
    "acme_app/tasks.py": "from pagoda_plugin_sdk import plugin_task\n\n\n@plugin_task\ndef work(job): ...\n",
    "acme_app/models.py": """
from django.db import models

class Note(models.Model):
    text = models.TextField()
    about = models.ForeignKey("contenttypes.ContentType", models.CASCADE, null=True)
""",
    "acme_app/migrations/__init__.py": "",
    "acme_app/migrations/0001_initial.py": """
from django.db import migrations, models

class Migration(migrations.Migration):
    initial = True
    dependencies = [("contenttypes", "__first__")]
    operations = [migrations.CreateModel("Note", [
        ("id", models.BigAutoField(primary_key=True, serialize=False, auto_created=True, verbose_name="ID")),
        ("text", models.TextField()),
        ("about", models.ForeignKey("contenttypes.ContentType", models.CASCADE, null=True)),
    ])]
""",
}
POINTS = "[pagoda.plugins]\nacme = acme_app.plugin:AcmePlugin\n"


def make_wheel(
    folder: Path, version: str = "1.0", points: str = POINTS, requires: str = "pagoda-plugin-sdk>=1.0"
) -> Path:
    info = f"acme_plugin-{version}.dist-info"
    files = FILES | {
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: acme-plugin\n"
        f"Version: {version}\n" + (f"Requires-Dist: {requires}\n" if requires else ""),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": points,
    }
    files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
    path = folder / f"acme_plugin-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)
    return path


Pagoda = Callable[..., str]


def make_environment(folder: Path, *, with_pip: bool) -> Path:
    """Make an environment that sees the host's packages; return its Python."""
    venv.create(folder, with_pip=with_pip)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    link = folder / "lib" / version / "site-packages" / "host.pth"
    link.write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    return folder / "bin" / "python"


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_environment(tmp_path_factory.mktemp("environment"), with_pip=True)


@pytest.fixture
def pagoda(python: Path, tmp_path: Path) -> Pagoda:
    return command_of(python, tmp_path, os.environ["PATH"])


BY_UV = """
import sys
from pagoda.plugins import installing

installing.find_spec = lambda name: None  # the environment of the tests has pip
from pagoda.cli import run

run()
"""


def command_of(
    python: Path, folder: Path, path: str, by: Sequence[str] = ("-m", "pagoda.cli"), **variables: str
) -> Pagoda:
    """Return what runs `pagoda` of an environment in `folder`, and asserts how it ends."""

    def run(*arguments: str, status: int = 0, given: str = "", enabled: bool = False) -> str:
        environment = {
            "PATH": path,
            "PAGODA_ENV_FILE": "",
            "PAGODA_DATA_DIR": str(folder / "data"),
            "ENABLED_PLUGINS": "acme" if enabled else "",
            "PLUGIN_OPERATION_ID_CONFIG": json.dumps({"acme": [700, 799]} if enabled else {}),
        } | variables
        ended = subprocess.run(
            [str(python), *by, *arguments],
            cwd=folder,
            env=environment,
            input=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert (ended.returncode == 0) == (status == 0), ended.stdout
        assert "Traceback" not in ended.stdout
        return ended.stdout

    return run


def test_a_plugin_is_installed_kept_removed_and_purged(pagoda: Pagoda, tmp_path: Path) -> None:
    wheel = str(make_wheel(tmp_path))
    lock = tmp_path / "data" / "plugins.lock"

    printed = pagoda("plugins", "install", wheel)
    assert "Installed acme-plugin 1.0 with plugin 'acme'." in printed
    assert "set ENABLED_PLUGINS=acme" in printed
    pin = json.loads(lock.read_text())["acme"]
    assert (pin["version"], len(pin["sha256"])) == ("1.0", 64)
    pagoda("migrate", enabled=True)
    write = (
        "from acme_app.models import Note; Note.objects.create(text='kept');"
        "from pagoda.jobs.models import Job;"
        "print(Job.objects.submit(plugin='acme', operation_name='work', user=None))"
    )
    pagoda("manage", "shell", "--no-imports", "-c", write, enabled=True)

    asked = pagoda("plugins", "remove", "acme", given="n\n", status=1, enabled=True)
    assert "table acme_app_note with 1 row(s): stays" in asked
    assert "1 job(s), of which 1 wait or run: stays" in asked
    assert "operation ids [700, 799]: stay its own" in asked
    assert "acme-plugin" in asked
    assert "Removed" not in asked

    assert "Removed 'acme'" in pagoda("plugins", "remove", "acme", "--yes", enabled=True)
    assert json.loads(lock.read_text()) == {}
    assert "No plugin 'acme' is installed." in pagoda("plugins", "remove", "acme", "--yes", status=1)
    listed = pagoda("jobs", "list", "--plugin", "acme")
    assert "plugin 'acme' is not enabled; bring it back, or cancel" in " ".join(listed.split())
    assert "acme_app_note" in pagoda("plugins", "list")

    pagoda("plugins", "install", wheel)  # and all is as it was
    assert "with 1 row(s)" in pagoda("plugins", "remove", "acme", given="n\n", status=1, enabled=True)
    refused = pagoda("plugins", "remove", "acme", "--purge", "--yes", status=1)
    assert "is not active here, so its tables are not known" in refused
    pagoda("plugins", "dry-run", "acme", "--for", "1h", "--reason", "trying", enabled=True)
    export = tmp_path / "acme.json"
    purged = pagoda("plugins", "remove", "acme", "--purge", "--yes", "--export", str(export), enabled=True)
    assert "table acme_app_note with 1 row(s): goes" in purged
    assert "4 permission(s) of its models, and who was given them: goes" in purged
    rows = json.loads(export.read_text())
    assert [row["model"] for row in rows] == ["acme_app.note", "job.job"]
    assert rows[0]["fields"] == {"text": "kept", "about": None}
    assert "acme" not in pagoda("plugins", "list")
    assert "No jobs." in pagoda("jobs", "list", "--plugin", "acme")
    left = (
        "from django.contrib.auth.models import Permission;"
        "from pagoda.fencing.models import PluginSwitch;"
        "print(Permission.objects.filter(content_type__app_label='acme_app').count(),"
        " PluginSwitch.objects.count())"
    )
    assert pagoda("manage", "shell", "--no-imports", "-c", left).split()[-2:] == ["0", "0"]


def test_a_folder_without_a_plugin_is_not_installed(pagoda: Pagoda, tmp_path: Path) -> None:
    project = tmp_path / "acme"
    for name, text in FILES.items():
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (project / "pyproject.toml").write_text("[project]\nname = 'acme-plugin'\n")

    printed = pagoda("plugins", "install", str(project), status=1)

    assert "brings no plugin: it has no entry point of the group 'pagoda.plugins'" in printed


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the URL of an index on loopback that has version 1.0 of the plugin."""
    folder, port = tmp_path_factory.mktemp("index"), free_port()
    make_wheel(folder, requires="")  # uv does not see what lies elsewhere on the path
    command = [sys.executable, "-m", "pypiserver", "run", "-i", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen([*command, "--disable-fallback", str(folder)], stderr=subprocess.DEVNULL) as server:
        while server.poll() is None and not is_open(port):
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}/simple/"
        server.terminate()


@pytest.fixture(params=["pip", "uv"])
def installer(request: pytest.FixtureRequest, tmp_path: Path, index: str) -> Pagoda:
    """Return `pagoda` of an environment that has this installer, and the index alone."""
    python = make_environment(tmp_path / "environment", with_pip=request.param == "pip")
    if request.param == "pip":
        options = {"PIP_INDEX_URL": index, "PIP_NO_BUILD_ISOLATION": "false"}  # "false": do without
        return command_of(python, tmp_path, os.environ["PATH"], **options)
    options = {"UV_DEFAULT_INDEX": index, "UV_NO_BUILD_ISOLATION": "1"}
    path = f"{ROOT / '.uv' / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return command_of(python, tmp_path, path, by=("-c", BY_UV), **options)


def test_a_version_of_an_index_is_installed_and_pinned(installer: Pagoda, tmp_path: Path) -> None:
    printed = installer("plugins", "install", "acme-plugin==1.0")

    assert "Installed acme-plugin 1.0 with plugin 'acme'." in printed
    pin = json.loads((tmp_path / "data" / "plugins.lock").read_text())["acme"]
    assert (pin["version"], len(pin["sha256"])) == ("1.0", 64)
    refused = installer("plugins", "install", "acme-plugin==9.9", status=1)
    assert "The installer refuses to install acme-plugin==9.9" in refused
    assert json.loads((tmp_path / "data" / "plugins.lock").read_text())["acme"] == pin
    assert "Removed 'acme'" in installer("plugins", "remove", "acme", "--yes", enabled=True)


def test_a_folder_is_installed_and_pinned(installer: Pagoda, tmp_path: Path) -> None:
    project = tmp_path / "acme"
    for name, text in FILES.items():
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (project / "pyproject.toml").write_text(
        "[build-system]\nrequires = ['hatchling']\nbuild-backend = 'hatchling.build'\n"
        "[project]\nname = 'acme-plugin'\nversion = '2.0'\n"
        "[project.entry-points.'pagoda.plugins']\nacme = 'acme_app.plugin:AcmePlugin'\n"
        "[tool.hatch.build.targets.wheel]\npackages = ['acme_app']\n"
    )

    printed = installer("plugins", "install", str(project))

    assert "Installed acme-plugin 2.0 with plugin 'acme'." in printed
    assert json.loads((tmp_path / "data" / "plugins.lock").read_text())["acme"]["version"] == "2.0"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("nothing.whl", "is no wheel that can be read"),
        ("./nowhere", "expected a wheel, a folder with a pyproject.toml, or name==version"),
        ("acme-plugin", "expected a wheel, a folder with a pyproject.toml, or name==version"),
        ("acme-plugin>=1", "expected a wheel"),
        ("acme plugin", "expected a wheel"),
        ("acme-plugin @ file:///x", "expected a wheel"),
        ("--index-url=x", "No such option"),
    ],
)
def test_what_can_t_be_installed_is_refused_with_words(source: str, said: str, pagoda: Pagoda) -> None:
    assert said in " ".join(pagoda("plugins", "install", source, status=1).split())


def test_a_wheel_without_a_plugin_is_not_installed(pagoda: Pagoda, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, points="[console_scripts]\nacme = acme_app:main\n")

    assert "brings no plugin" in pagoda("plugins", "install", str(wheel), status=1)
    assert "No plugin 'acme'" in pagoda("plugins", "remove", "acme", "--yes", status=1)


def test_what_the_host_has_installed_stays_as_it_is(pagoda: Pagoda, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, version="2.0", requires="packaging<1")

    printed = pagoda("plugins", "install", str(wheel), status=1)

    assert "The installer refuses to install" in printed
    assert "No plugin 'acme'" in pagoda("plugins", "remove", "acme", "--yes", status=1)


def test_a_lock_that_is_none_is_told_before_anything_is_installed(pagoda: Pagoda, tmp_path: Path) -> None:
    lock = tmp_path / "mine.lock"
    lock.write_text("no JSON")

    printed = pagoda("plugins", "install", str(make_wheel(tmp_path)), "--lock", str(lock), status=1)

    assert "is no lock file" in printed
    assert lock.read_text() == "no JSON"
    assert "No plugin 'acme'" in pagoda("plugins", "remove", "acme", "--yes", status=1)


WITHOUT_PIP = """
import sys
from pagoda.plugins import installing

installing.find_spec = lambda name: None  # the environment of the tests has pip
try:
    (found,) = installing.install(sys.argv[1])
    print(found.name, found.distribution.version)
    installing.uninstall("acme-plugin")
    print(installing.installed("acme-plugin"))
except installing.PluginLoadError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("path", "printed"),
    [("{uv}", "acme 1.0\n()\n"), ("{nothing}", "This environment has neither pip nor uv")],
    ids=["uv", "neither"],
)
def test_uv_serves_where_there_is_no_pip(path: str, printed: str, tmp_path: Path) -> None:
    python = make_environment(tmp_path / "environment", with_pip=False)
    wheel = make_wheel(tmp_path, requires="")  # uv does not see what lies elsewhere on the path
    environment = {"PATH": path.format(uv=ROOT / ".uv" / "bin", nothing=tmp_path)}

    command = [str(python), "-c", WITHOUT_PIP, str(wheel)]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert ended.stdout.startswith(printed), ended.stdout + ended.stderr
