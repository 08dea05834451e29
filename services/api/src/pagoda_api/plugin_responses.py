"""What a plugin's view may answer: a response, rendered, of a bounded size."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar

from django.http.response import HttpResponseBase

from pagoda.fencing.reporting import described
from pagoda_plugin_sdk.exceptions import PluginError

type Ended = Callable[[BaseException | None], None]


class UnusableResponse(PluginError):
    """A view returned something that is no response."""

    code: ClassVar[str] = "plugin_response_unusable"


class StreamCutOff(PluginError):
    """A stream's next chunk took too long, or its making ended in what is no exception."""

    code: ClassVar[str] = "plugin_stream_cut_off"


class ResponseTooLarge(PluginError):
    """A view's response is longer than a plugin's may be."""

    code: ClassVar[str] = "plugin_response_too_large"


def finished(returned: Any, max_bytes: int) -> HttpResponseBase:
    """Return what a view returned, rendered and checked; Any: it may be anything.

    Raises:
        UnusableResponse: it is no response.
        ResponseTooLarge: it is longer than `max_bytes`.
    """
    if not isinstance(returned, HttpResponseBase):
        if hasattr(returned, "close"):
            returned.close()  # a coroutine that nobody awaits
        raise UnusableResponse(f"returned {type(returned).__name__}, expected an HttpResponse")
    status = returned.status_code
    if type(status) is not int or not 100 <= status <= 599:
        raise UnusableResponse(f"has the status {status!r}, expected a number from 100 to 599")
    if getattr(returned, "is_async", False):
        raise UnusableResponse("streams from an asynchronous iterator, which needs a server of another kind")
    render: Callable[[], HttpResponseBase] | None = getattr(returned, "render", None)
    response = returned if render is None else render()
    length = _length(response)
    if length is not None and length > max_bytes:
        response.close()
        raise ResponseTooLarge(_too_large(f"has {length} bytes", max_bytes))
    return response


class GuardedStream:
    """The chunks of a streamed response: made within a time budget, bounded in sum.

    `run` calls what makes a chunk, and `end` is called once when the stream is over, with the error if one
    ended it.
    """

    def __init__(
        self, chunks: Iterable[Any], max_bytes: int, run: Callable[[Callable[[], Any]], Any], end: Ended
    ) -> None:
        self._source = chunks
        self._chunks: Iterator[Any] = iter(())
        self._first: list[bytes] = []
        self._max_bytes = max_bytes
        self._run = run
        self._end: Ended | None = end
        self._bytes = 0

    def __iter__(self) -> Iterator[bytes]:
        return self

    def begin(self) -> None:
        """Make the first chunk; what the plugin's code raises for it escapes."""
        chunk = self._run(self._open)
        if chunk is not None:
            self._first.append(chunk)

    def __next__(self) -> bytes:
        if self._first:
            return self._first.pop()
        try:
            chunk: bytes = self._run(self._make)
        except BaseException as error:
            self._finish(None if isinstance(error, StopIteration) else error)
            if not isinstance(error, Exception):
                # The server goes on after an exception, not after anything else.
                raise StreamCutOff(described(error)) from error
            raise
        return chunk

    def close(self) -> None:
        """End the stream; Django calls it when the response is sent or given up."""
        self._finish(None)

    def _open(self) -> Any:
        self._chunks = iter(self._source)
        try:
            return self._make()
        except StopIteration:
            return None

    def _make(self) -> Any:
        chunk = next(self._chunks)
        self._bytes += len(chunk)
        if self._bytes > self._max_bytes:
            raise ResponseTooLarge(_too_large(f"has {self._bytes} bytes and more", self._max_bytes))
        return chunk

    def _finish(self, error: BaseException | None) -> None:
        end, self._end = self._end, None
        if end is not None:
            end(error)


def _length(response: HttpResponseBase) -> int | None:
    content = getattr(response, "content", None) if not response.streaming else None
    if content is not None:
        return len(content)
    declared = response.headers.get("Content-Length", "")
    return int(declared) if declared.isdigit() else None


def _too_large(fact: str, max_bytes: int) -> str:
    return f"its response {fact}, at most {max_bytes} are allowed (PLUGIN_MAX_RESPONSE_BYTES)"
