"""The path prefix under which a proxy serves the API: links carry it, routes do not know it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.contrib.staticfiles.storage import StaticFilesStorage
from django.urls import get_script_prefix

type Application = Callable[[dict[str, Any], Any], Iterable[bytes]]  # Any: as PEP 3333 has it


def below_prefix(application: Application, prefix: str) -> Application:
    """Serve `application` below `prefix`, whether the proxy leaves it in the path or takes it off.

    What asks without a proxy, such as probes, asks without the prefix. A prefix that the server itself
    knows, the WSGI environment's ``SCRIPT_NAME``, stays.
    """

    def serve(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if prefix and not environ.get("SCRIPT_NAME"):
            environ["SCRIPT_NAME"] = prefix
            path = str(environ.get("PATH_INFO", ""))
            if f"{path}/".startswith(f"{prefix}/"):
                environ["PATH_INFO"] = path.removeprefix(prefix) or "/"
        return application(environ, start_response)

    return serve


class PrefixedStaticFiles(StaticFilesStorage):
    """Links to static files below the prefix of the request; Django keeps that of the first one."""

    def url(self, name: str | None) -> str:
        """Return the link to a file."""
        return get_script_prefix().removesuffix("/") + super().url(name)
