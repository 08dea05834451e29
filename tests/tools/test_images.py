"""What goes into the images when a plugin is a wheel."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tools import images

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """A wheel of a plugin, made as `pip wheel` makes it, elsewhere than in the repository."""
    path = tmp_path / "acme_plugin-1.2-py3-none-any.whl"
    info = "acme_plugin-1.2.dist-info"
    files = {
        "acme_plugin.py": "",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: acme-plugin\nVersion: 1.2\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "[pagoda.plugins]\nAcme = acme_plugin:Acme\n",
        f"{info}/RECORD": "",
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that images are built from."""
    folder = tmp_path / "context"
    folder.mkdir()
    monkeypatch.setattr(images, "ROOT", folder)
    return folder


def test_it_is_told_how_the_nodes_of_a_cluster_find_the_images() -> None:
    told = images.to_a_cluster(["pagoda-api:7", "pagoda-worker:7"])
    assert "docker push $REGISTRY/pagoda-worker:7" in told
    assert "--set image.registry=$REGISTRY --set image.tag=7" in told
    assert "kind load docker-image pagoda-api:7 pagoda-worker:7" in told
    assert "image.tag" not in images.to_a_cluster([f"pagoda-api:{images.version()}"])


def test_a_wheel_is_enabled_under_its_entry_points(wheel: Path) -> None:
    assert images.entry_points([str(wheel), "plugins/inventory", "other"]) == ("Acme", "inventory")


def test_a_wheel_is_copied_and_named_with_its_hash(wheel: Path, context: Path) -> None:
    name, other = images.staged([str(wheel), "plugins/inventory"])
    assert other == "plugins/inventory"
    path, _, digest = name.partition("#sha256=")
    assert (context / path).read_bytes() == wheel.read_bytes()
    assert digest == hashlib.sha256(wheel.read_bytes()).hexdigest()
    assert images.staged([]) == ()
    assert not (context / path).exists()  # of the build before


@pytest.mark.parametrize("is_there", [True, False])
def test_what_is_no_wheel_is_named(tmp_path: Path, context: Path, is_there: bool) -> None:
    broken = tmp_path / "broken-1-py3-none-any.whl"
    if is_there:
        broken.write_text("no archive")
    with pytest.raises(SystemExit, match=r"broken-1-py3-none-any\.whl is no wheel, or is not there"):
        images.staged([str(broken)])


@pytest.mark.parametrize("is_changed", [False, True])
def test_a_wheel_is_installed_only_with_its_hash(wheel: Path, context: Path, is_changed: bool) -> None:
    (name,) = images.staged([str(wheel)])
    if is_changed:
        with zipfile.ZipFile(context / images.WHEELS / wheel.name, "a") as archive:
            archive.writestr("more.py", "")
    code = "import runpy, sys; print(runpy.run_path(sys.argv[1])['pin_of'](sys.argv[2]), end='')"
    command = (sys.executable, "-c", code, str(ROOT / "docker" / "install.py"), name)
    pin = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    (context / "wheels.lock").write_text(pin)
    uv = (
        ROOT / ".uv" / "bin" / "uv",
        "pip",
        "install",
        "--python",
        sys.executable,
        "--no-index",
        "--no-deps",
    )
    options = ("--require-hashes", "--target", "installed", "-r", "wheels.lock")
    done = subprocess.run((*uv, *options), cwd=context, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) is not is_changed, done.stderr
    assert (context / "installed" / "acme_plugin.py").exists() is not is_changed
