"""The site of docs/ names every public name of the SDK, asks no other host, and has no broken link."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SDK = ROOT / "sdk/src/pagoda_plugin_sdk"
INTERNAL = (
    *("cli", "checking", "rules", "metadata", "project", "washing", "authority", "job_arguments"),
    *("operation_ranges", "testing.database", "testing.fixtures", "testing.settings", "testing.stack"),
    "testing.starting",
)
"""Modules that are the SDK's and the host's own; those of fixtures are told in docs/plugins/testing.md."""
PUBLIC = [
    path
    for path in sorted(SDK.rglob("*.py"))
    if not re.match(
        rf"({'|'.join(map(re.escape, INTERNAL))}|template)\b", ".".join(path.relative_to(SDK).parts)
    )
]


def built(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        (sys.executable, "-m", "mkdocs", "build", *arguments),
        cwd=folder,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    ended = built(ROOT, "--site-dir", str(folder))
    assert ended.returncode == 0, ended.stdout
    return folder


def file_of(module: str) -> Path:
    path = SDK / "/".join(module.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def names_of(path: Path) -> tuple[set[str], set[str], dict[str, str]]:
    """Return what a module publishes, what it defines, and ``{what it imports of the SDK: from where}``."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    own: set[str] = set()
    exported: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            own.add(node.name)
        elif isinstance(node, ast.TypeAlias):
            own.add(node.name.id)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            name = ast.unparse(node.targets[0] if isinstance(node, ast.Assign) else node.target)
            own.add(name)
            if name == "__all__" and node.value is not None:
                exported = set(ast.literal_eval(node.value))
    imported = {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pagoda_plugin_sdk")
        for alias in node.names
    }
    return {name for name in exported or own if not name.startswith("_")}, own, imported


def where_defined(module: str, name: str) -> str:
    _, own, imported = names_of(file_of(module))
    return f"{module}.{name}" if name in own else where_defined(*imported[name].rsplit(".", 1))


def test_each_public_name_of_the_sdk_is_in_the_reference(site: Path) -> None:
    pages = (site / "plugins" / "reference").rglob("*.html")
    told = {
        name for page in pages for name in re.findall(r'id="(pagoda_plugin_sdk\.[^"]+)"', page.read_text())
    }
    wanted = {
        where_defined(module, name)
        for path in PUBLIC
        for name in names_of(path)[0]
        if (
            module := ".".join(
                ("pagoda_plugin_sdk", *path.relative_to(SDK).with_suffix("").parts)
            ).removesuffix(".__init__")
        )
    }
    assert len(wanted) > 150
    assert wanted - told == set()


def test_a_comment_beside_a_field_is_told_as_it_stands(site: Path) -> None:
    page = (site / "plugins" / "reference" / "plugin" / "index.html").read_text()
    assert "URL module served under /api/v2/plugins/&lt;id&gt;/." in page


def test_the_site_asks_no_other_host(site: Path) -> None:
    """Other hosts are in links that a reader may follow, and nowhere that a browser loads from."""
    loads = re.compile(
        r"""<(?:script|img|iframe|source|link|form)\b[^>]*?\b(?:src|href|action)=["']?(?:https?:)?//"""
    )
    pages, styles = [*site.rglob("*.html")], [*site.rglob("*.css")]
    assert len(pages) > 40
    assert styles
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert loads.findall(text) == [], page
        assert "default-src 'self'" in text, page  # so that no script of the theme can, either
        assert 'class="mermaid"' not in text, page  # the theme loads what draws it
    for style in styles:
        assert re.findall(r"(?:url\(|@import )[\"']?(?:https?:)?//", style.read_text()) == [], style


BROKEN = {
    "a page": "[x](no-such-page.md)",
    "a heading": "[x](hooks.md#no-such-heading)",
    "a file of the repository": "[x](../no-such-file.toml)",
    "a name of the reference": "[x](plugins/reference/plugin.md#pagoda_plugin_sdk.plugin.NoSuch)",
}


def test_a_broken_link_stops_the_build(tmp_path: Path) -> None:
    for name in ("docs", "tools"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("*.pyc"))
    for name in ("mkdocs.yml", "sdk", "core", "services", "plugins", "deploy", "docker", ".env.example"):
        (tmp_path / name).symlink_to(ROOT / name)
    for page in ROOT.glob("*.md"):
        (tmp_path / page.name).symlink_to(page)
    with (tmp_path / "docs" / "glossary.md").open("a") as glossary:
        glossary.write("\n\n".join(["", *BROKEN.values()]))
    (tmp_path / "docs" / "in-no-menu.md").write_text("# Lost\n")
    ended = built(tmp_path)
    assert ended.returncode == 1
    assert {link for link in BROKEN.values() if link[4:-1].removeprefix("../") not in ended.stdout} == set()
    assert "in-no-menu.md" in ended.stdout
    assert f"Aborted with {len(BROKEN) + 1} warnings" in ended.stdout
