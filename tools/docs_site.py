"""What mkdocs.yml does not say: pages outside of docs/, links to files, decisions, comments of fields.

Its functions are hooks of mkdocs, its class one of griffe, which reads the SDK's docstrings for mkdocstrings.
"""

from __future__ import annotations

import html
import logging
import os
import re
from pathlib import Path
from typing import Any

import griffe
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
OUTSIDE = ("*.md", "sdk/README.md", "plugins/*/README.md", "deploy/helm/*/README.md")
"""Pages that stand where people look for them in the repository; the site has them below repository/."""
LINK = re.compile(r"(?<=\]\()(?![a-z]+:|[#/])([^)#\s]+)(?=[)#])")
DECISION = re.compile(r"# (\d+\. .+)")

log = logging.getLogger("mkdocs.plugins.docs_site")


def on_config(config: MkDocsConfig) -> None:
    """Put the decisions into the navigation, behind their own page."""
    developers = next(section["Developers"] for section in config.nav or [] if "Developers" in section)
    developers[-1] = {"Decisions": ["adr/index.md", *(f"adr/{path.name}" for path in _decisions())]}


def on_files(files: Files, config: MkDocsConfig) -> None:
    """Add the list of decisions, and the pages that are not in docs/."""
    rows = (f"- [{DECISION.findall(path.read_text())[0]}]({path.name})" for path in _decisions())
    files.append(File.generated(config, "adr/index.md", content="# Decisions\n\n" + "\n".join(rows) + "\n"))
    for path in sorted(path for pattern in OUTSIDE for path in ROOT.glob(pattern)):
        files.append(File.generated(config, _uri(path), abs_src_path=str(path)))


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead links to files of the repository to where the site has them.

    What is not there stays as it is, and mkdocs tells of it.
    """
    origin = page.file.src_uri
    outside = origin.removeprefix("repository/")
    folder = (ROOT / ("docs" if outside == origin else "") / outside).parent

    def led(found: re.Match[str]) -> str:
        path = Path(os.path.normpath(folder / found[0]))
        if not path.exists() or not path.is_relative_to(ROOT):
            return found[0]
        uri = _uri(path)
        if files.get_file_from_path(uri) is None:
            if path.suffix == ".md":
                log.warning(
                    "%s links to %s, which the site lacks: name it in tools/docs_site.py", origin, path
                )
            files.append(File.generated(config, uri, content=_content(path)))
        return os.path.relpath(uri, Path(origin).parent)

    return LINK.sub(led, markdown)


class FieldComments(griffe.Extension):
    """Takes the comment beside a field, or a member without a body, as its docstring where it has none."""

    def on_instance(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        if obj.docstring is None and obj.is_attribute and obj.endlineno and isinstance(obj.filepath, Path):
            line = obj.lines_collection[obj.filepath][obj.endlineno - 1]
            comment = re.search(r"  # (?!noqa|type:)(.+)", line)
            if comment:
                text = html.escape(comment[1][0].upper() + comment[1][1:].rstrip(".") + ".", quote=False)
                obj.docstring = griffe.Docstring(text, parent=obj)


def _decisions() -> list[Path]:
    return sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))


def _uri(path: Path) -> str:
    """Return where the site has a file or folder of the repository; what is no page is there as text."""
    if path == ROOT / "docs" / "adr":
        return "adr/index.md"
    if path.is_dir():
        path /= "README.md" if (path / "README.md").exists() else "files"
    if path.is_relative_to(ROOT / "docs"):
        return path.relative_to(ROOT / "docs").as_posix()
    return f"repository/{path.relative_to(ROOT)}" + ("" if path.suffix == ".md" else ".txt")


def _content(path: Path) -> bytes:
    if path.is_dir():
        return "\n".join(sorted(found.name for found in path.iterdir())).encode()
    return path.read_bytes()
