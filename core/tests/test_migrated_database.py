"""What decides whether a session's tables are those of an earlier one."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from django.apps import apps

from tools import migrated_database


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """An app of ours and one of somebody else, each with a migration."""
    made = {name: tmp_path / name for name in ("ours", "theirs")}
    for folder in made.values():
        (folder / "migrations").mkdir(parents=True)
        (folder / "migrations" / "0001_initial.py").write_text("first")
    configs = [SimpleNamespace(label=name, path=str(folder)) for name, folder in made.items()]
    monkeypatch.setattr(migrated_database, "ROOT", made["ours"])
    monkeypatch.setattr(apps, "get_app_configs", lambda: configs)
    return made


def test_the_same_sources_have_the_same_tables(folders: dict[str, Path]) -> None:
    assert migrated_database.digest() == migrated_database.digest()


@pytest.mark.parametrize(
    "path",
    [
        "ours/migrations/0001_initial.py",
        "ours/triggers.py",
        "ours/core/src/beside_the_apps.py",
        "theirs/migrations/0002_next.py",
    ],
)
def test_a_change_that_tables_may_depend_on_makes_them_anew(folders: dict[str, Path], path: str) -> None:
    before = migrated_database.digest()
    changed = folders["ours"].parent / path
    changed.parent.mkdir(parents=True, exist_ok=True)
    changed.write_text("second")
    assert migrated_database.digest() != before
