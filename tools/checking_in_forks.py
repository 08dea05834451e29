"""Have checks of plugin projects examine each in a fork of one process, instead of an interpreter each."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from unittest.mock import patch

from pagoda_plugin_sdk.checking import reports
from tools.warm import Warm

LIBRARIES = (
    "django.contrib.auth.password_validation",
    "django.core.management.commands.migrate",
    "django.db.backends.sqlite3.base",
    "django.template.defaulttags",
    "django.views.debug",
    "django.views.generic",
    "pagoda_plugin_sdk.checking.examining",
)


@contextmanager
def checking_in_forks() -> Iterator[None]:
    """Examine each project that the block has checked in a fork, which is a process of its own, too."""
    with Warm(*LIBRARIES) as warm:

        def run(command: Sequence[str], *, env: Mapping[str, str], **_how: object) -> SimpleNamespace:
            module, *arguments = command[2:]  # after `python -m`
            with TemporaryDirectory() as name:
                outputs = [Path(name, "output"), Path(name, "errors")]
                code = warm.run(module, arguments, outputs, environment=env, folder=Path.cwd())
                return SimpleNamespace(returncode=code, stderr=outputs[1].read_text(encoding="utf-8"))

        started = SimpleNamespace(run=run, TimeoutExpired=subprocess.TimeoutExpired)
        with patch.object(reports, "subprocess", started):
            yield
