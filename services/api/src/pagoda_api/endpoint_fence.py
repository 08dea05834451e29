"""The fence around plugins' endpoints: what a view does wrong stays its own.

A view is called only while its plugin's breaker admits it and a slot is free, within a time budget, and what
it returns is checked. Whatever happens is one outcome, and whatever went wrong one log record and one event.
Only the host's own interrupt passes; the slot is given back whatever happens.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, cast

import structlog
from django.conf import settings
from django.core.exceptions import BadRequest, PermissionDenied, SuspiciousOperation
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from pagoda.budget import TimeBudget, TimeBudgetExceeded
from pagoda.fencing import Outcome, Result, report_outcome
from pagoda.fencing.breaker import CircuitBreaker, breaker
from pagoda.fencing.interrupts import is_host_interrupt
from pagoda.fencing.reporting import described, report_error
from pagoda.health.storage import storage_fault
from pagoda.hooks.manager import manager
from pagoda_api import problems
from pagoda_api.bulkhead import Bulkhead
from pagoda_api.plugin_responses import GuardedStream, ResponseTooLarge, UnusableResponse, finished
from pagoda_api.request_id import request_id_of

log = structlog.get_logger(__name__)

ANSWERS = (Http404, PermissionDenied, SuspiciousOperation, BadRequest)
"""Exceptions that Django answers: a view's way to refuse a request."""

BUSY_RETRY_SECONDS = 1


class Answers(Protocol):
    """What is answered where the plugin's code gave no answer; `problems` has those of views."""

    def plugin_unavailable(
        self, request: HttpRequest, plugin_id: str, retry_seconds: float, /
    ) -> HttpResponse:
        """Answer for code whose breaker is open."""

    def plugin_busy(self, request: HttpRequest, plugin_id: str, retry_seconds: float, /) -> HttpResponse:
        """Answer for a plugin that holds all it may of the server."""

    def plugin_failed(self, request: HttpRequest, plugin_id: str, error: BaseException, /) -> HttpResponse:
        """Answer for code that raised, ran too long, or returned what is no use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointFence:
    """Calls the views of plugins."""

    budget: TimeBudget
    breaker: CircuitBreaker
    bulkhead: Bulkhead
    timeout_seconds: float
    max_response_bytes: int

    def call(
        self, plugin_id: str, request: HttpRequest, view: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        """Return the view's response, or the answer that says why there is none.

        Any: a view's arguments are what its URL names.

        Raises:
            Exception: one of `ANSWERS`.
        """
        return self.call_as(_name(request), problems, plugin_id, request, view, *args, **kwargs)

    def call_as(
        self,
        name: str,
        answers: Answers,
        plugin_id: str,
        request: HttpRequest,
        view: Callable[..., Any],
        /,
        *args: Any,
        **kwargs: Any,
    ) -> HttpResponseBase:
        """Call a part of a page, which has a name of its own and other answers, as `call` does a view."""
        call = _Call(fence=self, plugin_id=plugin_id, request=request, name=name, answers=answers)
        if not self.breaker.admits(plugin_id, "endpoint"):
            seconds = self.breaker.retry_after(plugin_id, "endpoint")
            return call.skipped(
                "its breaker is open", answers.plugin_unavailable(request, plugin_id, seconds)
            )
        place = self.bulkhead.take(plugin_id)
        if place is None:
            busy = answers.plugin_busy(request, plugin_id, BUSY_RETRY_SECONDS)
            return call.skipped("all its slots are taken", busy)
        call.place = place
        return call.run(view, args, kwargs)


@dataclass(slots=True, kw_only=True)
class _Call:
    """One request to one view."""

    fence: EndpointFence
    plugin_id: str
    request: HttpRequest
    name: str
    answers: Answers
    place: int | None = None  # its slot
    seconds: float = 0.0  # spent in the plugin's code

    def run(
        self, view: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> HttpResponseBase:
        response: Any  # Django's types know neither what it closes nor that streams are streamed
        try:
            response = self._within_budget(self._respond, view, args, kwargs)
        except ANSWERS:
            self._end("ok")
            raise
        except BaseException as error:  # noqa: BLE001 - the fence
            return self._failed(error)
        if response.streaming:
            return self._guarded(response)
        if response._resource_closers or type(response).close is not HttpResponseBase.close:
            response.close = partial(self._close, response)
        if response.status_code >= 500:
            self._end("raised", f"it answered {response.status_code}")
        else:
            self._end("ok")
        return cast("HttpResponseBase", response)

    def __del__(self) -> None:
        # A response that a middleware replaced is never closed.
        self.fence.bulkhead.give_back(self.place)

    def skipped(self, reason: str, answer: HttpResponseBase) -> HttpResponseBase:
        log.warning("endpoint_skipped", plugin=self.plugin_id, endpoint=self.name, reason=reason)
        self._tell("skipped", reason)
        return answer

    def _respond(
        self, view: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> HttpResponseBase:
        return finished(view(self.request, *args, **kwargs), self.fence.max_response_bytes)

    def _within_budget[T](self, function: Callable[..., T], *args: Any) -> T:
        database = _thread.database
        was_open = database.in_atomic_block
        started = time.perf_counter()
        left = max(0.001, self.fence.timeout_seconds - self.seconds)
        try:
            return self.fence.budget.run_within(left, self.plugin_id, function, *args)
        finally:
            self.seconds += time.perf_counter() - started
            if database.in_atomic_block and not was_open:
                _abandon_transaction(database)

    def _guarded(self, response: Any) -> HttpResponseBase:
        """Any: as in `run`. The first chunk is made now: until it is sent, there can be another answer."""
        try:
            chunks = GuardedStream(
                response.streaming_content, self.fence.max_response_bytes, self._within_budget, self._ended
            )
            chunks.begin()
        except BaseException as error:  # noqa: BLE001 - the fence
            self._close(response)
            return self._failed(error)
        response.streaming_content = chunks
        response.close = partial(self._close, response)
        return cast("HttpResponseBase", response)

    def _ended(self, error: BaseException | None) -> None:
        """End a stream, which raises `error` after its first chunk."""
        if error is None:
            self._end("ok")
        else:
            self._fail(error)

    def _close(self, response: Any) -> None:
        """Let what the plugin wants closed be closed in the fence; the host's part is done in any case.

        Any: as in `run`.
        """
        if response.closed:
            return
        try:
            self._within_budget(type(response).close, response)
        except BaseException as error:  # the fence
            if is_host_interrupt(error):
                raise
            self._fail(error)
        finally:
            if not response.closed:
                response._resource_closers.clear()
                HttpResponseBase.close(response)

    def _failed(self, error: BaseException) -> HttpResponseBase:
        """Return the answer for what the view raised; the host's own interrupt is raised again."""
        if is_host_interrupt(error):
            self._end("skipped", "the server stopped")
            raise error
        self._fail(error)
        return self.answers.plugin_failed(self.request, self.plugin_id, error)

    def _fail(self, error: BaseException) -> None:
        is_timeout = isinstance(error, TimeBudgetExceeded)
        text = described(error)
        event = "endpoint_timed_out" if is_timeout else "endpoint_failed"
        log.error(
            event,
            plugin=self.plugin_id,
            endpoint=self.name,
            path=self.request.path,
            request_id=request_id_of(self.request),
            error=text,
            exc_info=None if isinstance(error, (UnusableResponse, ResponseTooLarge)) else error,
        )
        report_error(
            error,
            plugin=self.plugin_id,
            surface="endpoint",
            name=self.name,
            request_id=request_id_of(self.request),
        )
        fault = storage_fault(error)  # no plugin's
        self._end("rejected" if fault else "timeout" if is_timeout else "raised", text)

    def _end(self, result: Result, error: str | None = None) -> None:
        place, self.place = self.place, None
        self.fence.bulkhead.give_back(place)
        self._tell(result, error)

    def _tell(self, result: Result, error: str | None) -> None:
        outcome = Outcome(
            plugin=self.plugin_id,
            surface="endpoint",
            name=self.name,
            result=result,
            seconds=self.seconds,
            error=error,
        )
        self.fence.breaker.record(outcome)
        report_outcome(outcome)


def _name(request: HttpRequest) -> str:
    """Return the method and the route, which are few, as the paths are not."""
    route = request.resolver_match.route if request.resolver_match is not None else ""
    return f"{request.method} /{route}"


class _Thread(threading.local):
    """The calling thread's database connection, which Django takes long to find."""

    def __init__(self) -> None:
        self.database: BaseDatabaseWrapper = connections[DEFAULT_DB_ALIAS]


_thread = _Thread()


def _abandon_transaction(database: BaseDatabaseWrapper) -> None:
    """Drop a transaction that a view has begun and left open, which would swallow the next requests."""
    database.in_atomic_block = database.needs_rollback = False
    database.savepoint_ids, database.atomic_blocks, database.run_on_commit = [], [], []
    database.close()
    log.error("transaction_left_open", database=database.alias)


class _OfProcess:
    fence: EndpointFence | None = None


def endpoint_fence() -> EndpointFence:
    """Return the process's fence, made at the first call."""
    if _OfProcess.fence is None:
        host = settings.PAGODA
        _OfProcess.fence = EndpointFence(
            budget=manager().budget,
            breaker=breaker(),
            bulkhead=Bulkhead.of(host),
            timeout_seconds=host.plugin_endpoint_timeout_seconds,
            max_response_bytes=host.plugin_max_response_bytes,
        )
    return _OfProcess.fence


def install(fence: EndpointFence | None) -> EndpointFence | None:
    """Make `fence` the process's and return the one it replaces; None: it is made anew."""
    replaced, _OfProcess.fence = _OfProcess.fence, fence
    return replaced
