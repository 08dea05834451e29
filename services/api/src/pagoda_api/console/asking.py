"""The console asks the API, in the same process: what holds for programs holds for people.

Rights, hooks, overrides, filters, pages, audit and the words of every refusal are the API's own, so that the
console has neither queries nor rules. Nothing is sent and nothing is rendered as JSON: a view set is called
with the request of the page, and its data is taken as it is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from urllib.parse import urlencode

from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest
from django.urls import get_script_prefix, resolve, reverse
from django.utils.translation import gettext

type Query = Mapping[str, str | int | Sequence[str]]
type Path = Mapping[str, str | int]
"""What a URL names, by the names of its parts."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API answered. Any: JSON values, moments among them."""

    status: int
    data: Any
    headers: Mapping[str, str]

    @property
    def is_ok(self) -> bool:
        """Return whether it did what it was asked for."""
        return self.status < 400


class Refused(Exception):
    """The API refuses what a page can't do without."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status, answer.data)
        self.answer = answer


def ask(
    request: HttpRequest,
    url_name: str,
    path: Path | None = None,
    *,
    method: str = "GET",
    query: Query | None = None,
    data: object = None,
    content: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Return what the API answers at the URL of this name to whoever sent `request`; a refusal, too.

    `content` is the body where it is no JSON. The page has checked the CSRF token of its own form.
    """
    url = f"/{reverse(url_name, kwargs=dict(path or {})).removeprefix(get_script_prefix())}"
    body = content if content is not None else b"" if data is None else json.dumps(data).encode()
    environ = {
        **{key: value for key, value in request.META.items() if not key.startswith("HTTP_IF_")},
        "REQUEST_METHOD": method,
        "PATH_INFO": url,
        "QUERY_STRING": urlencode(query or {}, doseq=True),
        "CONTENT_TYPE": "application/json" if content is None else "application/octet-stream",
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_ACCEPT": "application/json",
        "wsgi.input": BytesIO(body),
        **{f"HTTP_{key.upper().replace('-', '_')}": value for key, value in (headers or {}).items()},
    }
    inner = WSGIRequest(environ)
    inner.user, inner.session = request.user, request.session
    inner._dont_enforce_csrf_checks = True  # type: ignore[attr-defined]  # noqa: SLF001 - Django's own mark
    inner.resolver_match = match = resolve(url)
    response = match.func(inner, *match.args, **match.kwargs)
    found = response.data if hasattr(response, "data") else json.loads(response.content or b"null")
    return Answer(response.status_code, found, response.headers)


def get(request: HttpRequest, url_name: str, query: Query | None = None, **path: str | int) -> Any:
    """Return the data at the URL of this name; Any: JSON values, moments among them.

    Raises:
        Refused: there is none for whoever asks.
    """
    answer = ask(request, url_name, path, query=query)
    if not answer.is_ok:
        raise Refused(answer)
    return answer.data


def faults_of(answer: Answer) -> tuple[dict[str, list[str]], str]:
    """Return what a refusal says: messages by field, and what belongs to no field with the plugin's name."""
    data = answer.data if isinstance(answer.data, dict) else {"detail": answer.data}
    rest = {key: each for key, each in data.items() if key not in ("detail", "code", "plugin", "request_id")}
    fields = rest.pop("errors", rest)
    faults = {key: [str(each) for each in _listed(messages)] for key, messages in fields.items()}
    detail = str(data.get("detail") or "")
    plugin = data.get("plugin")
    if plugin and repr(plugin) not in detail:
        detail = f"{gettext('Plugin %r refuses it.') % plugin} {detail}".strip()
    return faults, detail


def told(answer: Answer) -> list[str]:
    """Return what a refusal says, line by line, and nothing twice: its detail may repeat the faults."""
    faults, detail = faults_of(answer)
    lines = [f"{key}: {' '.join(each)}" for key, each in faults.items()]
    return lines if detail in " ".join(lines) else [detail, *lines]


def _listed(messages: object) -> Sequence[object]:
    return messages if isinstance(messages, list) else [messages]
