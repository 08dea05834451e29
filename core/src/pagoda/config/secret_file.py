"""Secrets that are made once and kept in the data folder."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def stored_secret(path: Path) -> str:
    """Return the secret kept in `path`, made at random on first use; safe between processes."""
    if not path.exists():
        _create(path)
    return path.read_text()


def _create(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    draft.touch(mode=0o600)
    draft.write_text(secrets.token_urlsafe(50))
    try:
        os.link(draft, path)  # atomic: the first process wins
    except FileExistsError:
        return  # another process was first, its secret serves both
    finally:
        draft.unlink()
