"""Count what a request passes through: the files of the project, and the moves from one to another.

It creates an entry through the whole API, with a handler at each of the four hooks that run for it, once to
warm up and once under `sys.setprofile`; what a process keeps for seconds, tokens and breakers, is warm. A
move is a call whose nearest caller among the project's files is another file. Prints the files in the order
in which they are first entered; exits 1 when there are more files or moves than there were: the bounds go
down, never up. A reader can follow 40 files and 120 moves.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any
from unittest.mock import patch

ROOT = Path(__file__).parents[1]
_PLUMBING = (
    *("BoundQuery.names_to_path", "BoundQuery.get_select_mask", "BoundQuerySet.__init__"),
    *("BoundQuerySet.query", "BoundQuerySet._clone", "BoundQuerySet._result_cache"),
    *("_asked", "_viewer", "is_plain"),
)
"""What Django asks of each queryset dozens of times: nobody who follows a request looks at it."""
MOST_FILES = 39
MOST_MOVES = 120
_SOURCES = tuple(str(ROOT / folder) for folder in ("core/src", "sdk/src", "services/api/src"))


@dataclass(slots=True)
class Trace:
    """What a stretch of code went through."""

    moves: Counter[tuple[str, str]] = field(default_factory=Counter)  # {(file, file): how often}
    files: dict[str, int] = field(default_factory=dict)  # {file: calls into it}, as first entered
    _stack: list[str] = field(default_factory=lambda: [""])

    def __call__(self, frame: FrameType, event: str, _arg: object) -> None:
        """Note an event of `sys.setprofile`."""
        name = frame.f_code.co_filename
        if event not in ("call", "return") or not name.startswith(_SOURCES):
            return
        if frame.f_code.co_qualname in _PLUMBING:
            return
        if event == "return":
            if len(self._stack) > 1:
                self._stack.pop()
            return
        if self._stack[-1] not in ("", name):
            self.moves[self._stack[-1], name] += 1
        self._stack.append(name)
        self.files[name] = self.files.get(name, 0) + 1


@contextmanager
def traced() -> Iterator[Trace]:
    """Trace what the calling thread does inside the block."""
    trace = Trace()
    sys.setprofile(trace)
    try:
        yield trace
    finally:
        sys.setprofile(None)


def start_host(folder: str) -> None:
    """Start the API's Django on an empty database in `folder`."""
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "pagoda_api.settings",
        "PAGODA_DATA_DIR": folder,
        "PAGODA_ENV_FILE": "",
        "PAGODA_LOG_LEVEL": "ERROR",
        "PAGODA_ALLOWED_HOSTS": "testserver",
        "ENABLED_PLUGINS": "",
    }
    import django
    from django.conf import settings

    from pagoda.config.logging import configure_logging

    configure_logging(settings.PAGODA, service="trace")
    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


def trace_request() -> Trace:
    """Return what creating an entry with four handlers goes through; Django must be set up."""
    from pagoda.domain.entity.models import Entity
    from pagoda.domain.user.models import ApiToken, User
    from pagoda.plugins.registry import registry
    from pagoda_plugin_sdk.decorators import entry_hook, get_attrs_hook, validation_hook
    from pagoda_plugin_sdk.plugin import Plugin

    class Traced(Plugin):
        """A plugin with a handler at each hook of a creation."""

        id = name = "traced"

        @entry_hook("before_create")
        def before(self, *_args: Any) -> None: ...

        @validation_hook()
        def check(self, *_args: Any) -> None: ...

        @entry_hook("after_create")
        def after(self, *_args: Any) -> None: ...

        @get_attrs_hook("entry")
        def show(self, *_args: Any) -> None: ...

    registry().register(Traced())
    user = User.objects.create(username="tracer", is_superuser=True)
    Entity.objects.create_entity(
        user=user,
        name="Host",
        attrs=[{"name": "address", "type": "string"}, {"name": "count", "type": "number"}],
    )
    _, token = ApiToken.issue(user, "trace", None)
    with patch("time.monotonic", return_value=time.monotonic()):  # on a slow machine it would read them again
        _post(token, "warm")
        with traced() as trace:
            _post(token, "traced")
    return trace


def _post(token: str, name: str) -> None:
    from django.core.wsgi import get_wsgi_application

    body = json.dumps({"name": name, "schema": "Host", "attrs": {"address": "10.0.0.1", "count": 1}}).encode()
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/api/v2/entries/",
        "SERVER_NAME": "testserver",
        "SERVER_PORT": "80",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_AUTHORIZATION": f"Token {token}",
        "wsgi.input": io.BytesIO(body),
        "wsgi.url_scheme": "http",
        "wsgi.errors": sys.stderr,
    }
    answers: list[str] = []
    response = _Application.made(get_wsgi_application)(
        environ, lambda status, _headers: answers.append(status)
    )
    content = b"".join(response)
    response.close()
    if not answers[0].startswith("201"):
        raise SystemExit(f"trace: the request was answered {answers[0]}: {content.decode()}")


class _Application:
    application: Any = None

    @classmethod
    def made(cls, make: Any) -> Any:
        cls.application = cls.application or make()
        return cls.application


def main() -> int:
    """Print the trace."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--moves", action="store_true", help="list the moves, too")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pagoda-trace-") as folder:
        start_host(folder)
        trace = trace_request()
    short = {name: name.split("/src/", 1)[1] for name in trace.files}
    for name, calls in trace.files.items():
        print(f"{calls:5d} calls  {short[name]}")
    if arguments.moves:
        for (source, target), times in trace.moves.most_common():
            print(f"{times:5d} moves  {short[source]} -> {short[target]}")
    files, moves = len(trace.files), trace.moves.total()
    is_ok = files <= MOST_FILES and moves <= MOST_MOVES
    print(f"trace: {files} files, at most {MOST_FILES}; {moves} moves, at most {MOST_MOVES}", end="")
    print(f": {'ok' if is_ok else 'MISSED'}")
    return 0 if is_ok else 1


if __name__ == "__main__":
    raise SystemExit(main())
