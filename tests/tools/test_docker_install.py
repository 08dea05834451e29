"""What docker/install.py takes from its arguments and the lock."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import django
import pytest

from tools.stack import clean_environ

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def install() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docker_install", ROOT / "docker" / "install.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_names_and_folders_are_told_apart(install: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    wheel = f"docker/wheels/x-1-py3-none-any.whl#sha256={'0' * 64}"
    given = ["Acme_Plugin==1.2", "plugins/inventory", "other[extra]>=2", wheel]
    assert install.divide(given) == (["acme-plugin", "other"], ["plugins/inventory"], [wheel])


def test_a_folder_that_holds_no_distribution_is_named(
    install: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    with pytest.raises(SystemExit, match=r"^plugins/inventry: no pyproject.toml there"):
        install.divide(["plugins/inventry"])


def test_the_locks_names_are_normalised(install: ModuleType, tmp_path: Path) -> None:
    lock = tmp_path / "plugins.lock"
    lock.write_text(
        "# plugins: Acme_Plugin==1\nAcme.Plugin==1.0 \\\n    --hash=sha256:00\nother==2 ; extra\n"
    )
    assert install.locked(lock) == {"acme-plugin", "other"}


def test_the_committed_lock_is_that_of_the_default_plugins() -> None:
    dockerfile = (ROOT / "docker" / "Dockerfile").read_text(encoding="utf-8")
    lock = (ROOT / "docker" / "plugins.lock").read_text(encoding="utf-8")
    assert "# plugins: plugins/hello-world plugins/inventory\n" in lock
    assert 'ARG PLUGINS="plugins/hello-world plugins/inventory"\n' in dockerfile


@pytest.mark.parametrize("word", ["RUN --mount", "COPY --chmod", "--link", "# syntax", "<<"])
def test_the_dockerfile_builds_with_the_classic_builder(word: str) -> None:
    assert word not in (ROOT / "docker" / "Dockerfile").read_text(encoding="utf-8")


IMPORT_ALL = """
import pkgutil, sys
from importlib import import_module
from importlib.machinery import PathFinder
from importlib.util import spec_from_file_location
from pathlib import Path

class Image:
    @staticmethod
    def find_spec(name, path=None, target=None):
        spec = PathFinder.find_spec(name, path, target)
        file = Path(spec.origin) if spec and spec.has_location else Path()
        if not any(file.full_match(f"**/{pattern}") for pattern in sys.argv[1:]):
            return spec
        twin = file.with_name(name.rpartition(".")[2] + ".py")
        if file.suffix == ".py" or not twin.exists():
            raise ModuleNotFoundError(f"{name} is left out of the images")
        return spec_from_file_location(name, twin)

sys.meta_path.insert(0, Image)
from pagoda.cli.startup import set_up
set_up()
for host in ("pagoda", "pagoda_api", "pagoda_worker"):
    for module in pkgutil.walk_packages(import_module(host).__path__, f"{host}."):
        if not module.name.endswith("__main__") and ".testing" not in module.name:
            import_module(module.name)
            print(module.name)
"""


def test_nothing_that_is_left_out_is_imported(install: ModuleType, tmp_path: Path) -> None:
    environ = clean_environ() | {
        "DJANGO_SETTINGS_MODULE": "pagoda_api.settings",
        "PAGODA_DATA_DIR": str(tmp_path),
        "PAGODA_ENV_FILE": "",
        "PAGODA_OIDC_ISSUER": "https://login.example.org",
        "PAGODA_OIDC_CLIENT_ID": "pagoda",
        "PAGODA_OIDC_CLIENT_SECRET": "secret",
    }

    command = (sys.executable, "-c", IMPORT_ALL, *install.UNREAD)
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert len(done.stdout.split()) > 300


def test_the_languages_of_the_console_are_in_the_images(install: ModuleType) -> None:
    catalogues = [*(ROOT / "services/api/src/pagoda_api/locale").glob("*/LC_MESSAGES/django.mo")]
    django_own = Path(django.__file__).parent / "conf/locale"
    catalogues += [django_own / path.parts[-3] / "LC_MESSAGES/django.mo" for path in catalogues]

    assert len(catalogues) > 1
    for path in catalogues:
        assert path.is_file()
        assert not any(path.match(pattern) for pattern in install.UNREAD), path
