"""The worker process of gunicorn that serves a request once it has come whole."""

from __future__ import annotations

import json
import os
import selectors
import socket
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from uuid import uuid4

import structlog
from gunicorn.http import RequestParser, errors
from gunicorn.workers.sync import SyncWorker

from pagoda.fencing.interrupts import HostInterrupt
from pagoda_api.connections import Connection, HeadTooLong

log = structlog.get_logger(__name__)

MAX_CONNECTIONS = 256
"""How many requests one process lets arrive at a time; beyond it the oldest that is not complete goes."""

MAX_WAITING_BYTES = 33_554_432
"""How much of them it keeps at a time; beyond it the longest goes."""

TURN_SECONDS = 1.0

_CLIENTS_FAULTS: dict[type[BaseException], int] = {
    errors.LimitRequestLine: 414,
    errors.LimitRequestHeaders: 431,
    HeadTooLong: 431,
    errors.ExpectationFailed: 417,
    errors.UnsupportedTransferCoding: 501,
    TimeoutError: 408,
}


class ServerStops(HostInterrupt, SystemExit):
    """The server ends this process now, whatever it is doing."""


class BufferingWorker(SyncWorker):
    """Serve one request at a time, once it has come whole; those that are still coming block nobody.

    Requests run in the main thread, where the time budget of plugins' code can interrupt system calls.
    """

    max_body_bytes: int  # set by `ApiServer` before the processes are forked

    def run(self) -> None:
        """Serve until the server stops; gunicorn calls it."""
        self._arriving: dict[Connection, socket.socket] = {}  # {connection: its listener}
        self._selector = selectors.DefaultSelector()
        self._selector.register(self.PIPE[0], selectors.EVENT_READ)
        for listener in self.sockets:
            listener.setblocking(False)
            # The kernel keeps connections that say nothing to itself for a while.
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 5)
            self._selector.register(listener, selectors.EVENT_READ)
        while self.alive:
            self._turn()
            if not self.is_parent_alive():
                return
        for listener in self.sockets:
            self._selector.unregister(listener)
        while any(not connection.is_answered for connection in self._arriving):
            self._turn()

    def _turn(self) -> None:
        self.notify()
        for key, _ in self._selector.select(TURN_SECONDS):
            if isinstance(key.fileobj, Connection):
                self._receive(key.fileobj)
            elif key.fileobj in self.sockets:
                self._accept(key.fileobj)
            else:
                os.read(self.PIPE[0], 4096)  # a signal has come
        now = time.monotonic()
        for connection in [each for each in self._arriving if each.deadline <= now]:
            self._drop(connection, TimeoutError("The request took too long to arrive."))
        self._make_room()

    def _accept(self, listener: Any) -> None:
        try:
            client, address = listener.accept()
        except (BlockingIOError, ConnectionError):
            return  # another process was faster
        connection = Connection(client, address, self.max_body_bytes)
        self._arriving[connection] = listener
        self._selector.register(connection, selectors.EVENT_READ)
        self._receive(connection)

    def _receive(self, connection: Connection) -> None:
        if connection not in self._arriving:
            return
        try:
            is_open = connection.receive()
        except HeadTooLong as error:
            self._drop(connection, error)
        except OSError:
            self._forget(connection)
        else:
            if connection.is_complete and not connection.is_answered:
                self._serve(connection)
            elif not is_open:
                self._forget(connection)

    def _serve(self, connection: Connection) -> None:
        req = None
        try:
            req = next(RequestParser(self.cfg, [bytes(connection.received)], connection.address))
            client: Any = connection
            self.handle_request(self._arriving[connection], req, client, connection.address)
        except StopIteration:
            pass  # the response could not be finished; gunicorn has logged why
        except OSError as error:
            log.info("client_gone", error=f"{type(error).__name__}: {error}")
        except BaseException as error:
            self.handle_error(req, connection, connection.address, error)
            if isinstance(error, ServerStops):
                raise
        finally:
            self.notify()
            self._finish(connection)

    def _finish(self, connection: Connection) -> None:
        try:
            connection.finish()
        except OSError:
            self._forget(connection)

    def _drop(self, connection: Connection, error: Exception) -> None:
        if connection.is_answered or not connection.received:
            self._forget(connection)
            return
        self.handle_error(None, connection, connection.address, error)
        self._finish(connection)

    def _forget(self, connection: Connection) -> None:
        self._selector.unregister(connection)
        del self._arriving[connection]
        connection.close()

    def _make_room(self) -> None:
        busy = TimeoutError("The server has too many requests that do not come to an end.")
        while len(self._arriving) > MAX_CONNECTIONS:
            self._forget(next(iter(self._arriving)))
        while sum(len(each.received) for each in self._arriving) > MAX_WAITING_BYTES:
            self._drop(max(self._arriving, key=lambda each: len(each.received)), busy)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Answer what no application could answer, as JSON; gunicorn's own pages are HTML.

        Any, as gunicorn has no types.
        """
        is_clients = isinstance(exc, errors.ParseException | HeadTooLong | TimeoutError)
        is_clients = is_clients and not type(exc).__name__.startswith("InvalidResponse")
        request_id, path = uuid4().hex, getattr(req, "path", None)
        if is_clients:
            status = HTTPStatus(_CLIENTS_FAULTS.get(type(exc), 400))
            detail = f"The request can't be read: {exc}"
            log.warning("request_refused", request_id=request_id, address=str(addr), reason=str(exc))
        else:
            status = HTTPStatus.INTERNAL_SERVER_ERROR
            detail = f"The server failed. The cause is in the server's log under request id {request_id!r}."
            log.error("request_failed", request_id=request_id, path=path, exc_info=exc)
        code = status.phrase.lower().replace(" ", "_") if is_clients else "internal_error"
        body = json.dumps({"detail": detail, "code": code, "request_id": request_id}).encode()
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\nConnection: close\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            f"X-Request-ID: {request_id}\r\n\r\n"
        )
        try:
            client.sendall(head.encode() + body)
        except OSError:
            log.debug("client_gone", request_id=request_id)

    def handle_quit(self, sig: int, frame: Any) -> None:
        """Stop at once."""
        self._stop_now(super().handle_quit, sig, frame)

    def handle_abort(self, sig: int, frame: Any) -> None:
        """Stop at once, as the parent has lost its patience."""
        self._stop_now(super().handle_abort, sig, frame)

    @staticmethod
    def _stop_now(handle: Callable[..., None], sig: int, frame: Any) -> None:
        try:
            handle(sig, frame)
        except SystemExit as stop:
            raise ServerStops(stop.code) from None
