"""Connections whose requests are still on their way: what has come, and how long it may take."""

from __future__ import annotations

import errno
import re
import socket
import time

HEAD_SECONDS = 10.0
"""How long a client may take to send a request's head."""

BODY_SECONDS = 30.0
"""How long it may take for the body after that."""

SEND_SECONDS = 30.0
"""How long all of a response may wait for a client that does not read it."""

LINGER_SECONDS = 2.0
"""How long an answered connection is drained, so that the client reads the answer and not a reset."""

MAX_HEAD_BYTES = 65_536
MAX_SIZE_LINE_BYTES = 1_024  # before a chunk
READ_BYTES = 65_536

_END_OF_HEAD = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,18})[ \t]*\r\n", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:[^\r\n]*chunked[ \t]*\r\n", re.IGNORECASE)
_EXPECT = re.compile(rb"\r\nexpect:[ \t]*100-continue[ \t]*(?=\r\n)", re.IGNORECASE)
_CHUNK_SIZE = re.compile(rb"0*([0-9a-fA-F]{1,8})(?:[ \t]*;[^\r\n]*)?\r\n")
_CHUNK_SIZE_BEGUN = re.compile(rb"[0-9a-fA-F]+(?:[ \t]*|[ \t]*;[^\r\n]*)\r?")


class HeadTooLong(ValueError):
    """A request's head does not end."""


class Connection:
    """One client's connection: read without waiting until its request is there, then written to.

    It stands in for the socket where gunicorn wants one to answer.
    """

    def __init__(self, sock: socket.socket, address: tuple[str, int], max_body_bytes: int) -> None:
        sock.setblocking(False)
        self.address = address
        self.deadline = time.monotonic() + HEAD_SECONDS
        self.received = bytearray()
        self.is_answered = False
        self._socket = sock
        self._max_body_bytes = max_body_bytes
        self._body_at = 0  # where the body begins, 0 before the head is there
        self._end_at: int | None = None  # where the request ends; None: it is not known yet
        self._chunk_at: int | None = None  # where the next chunk begins; None: the body has no chunks
        self._send_seconds = SEND_SECONDS

    def fileno(self) -> int:
        """Return the socket's number."""
        return self._socket.fileno()

    def receive(self) -> bool:
        """Take what has come; return whether more may come.

        Raises:
            OSError: the connection is broken.
            HeadTooLong: the head is longer than `MAX_HEAD_BYTES`.
        """
        try:
            data = self._socket.recv(READ_BYTES)
        except BlockingIOError:
            return True
        if not self.is_answered:
            searched = max(0, len(self.received) - 3)
            self.received += data
            if not self._body_at:
                self._find_head(searched)
            if self._chunk_at is not None:
                self._follow_chunks(self._chunk_at)
        return bool(data)

    @property
    def is_complete(self) -> bool:
        """Return whether the request is there, or as much of it as it takes to refuse it."""
        return self._end_at is not None and len(self.received) >= self._end_at

    def sendall(self, data: bytes) -> None:
        """Send to the client, waiting no longer than is left of `SEND_SECONDS` for the whole response.

        Raises:
            BrokenPipeError: the client reads too slowly.
        """
        started = time.monotonic()
        self._socket.settimeout(max(0.001, self._send_seconds))
        try:
            self._socket.sendall(data)
        except TimeoutError as error:
            raise BrokenPipeError(errno.EPIPE, "the client reads too slowly") from error
        finally:
            self._send_seconds -= time.monotonic() - started

    def finish(self) -> None:
        """Say that nothing more is sent; what still comes is thrown away until `deadline`.

        Raises:
            OSError: the client is gone.
        """
        self.is_answered = True
        self.received.clear()
        self.deadline = time.monotonic() + LINGER_SECONDS
        self._socket.setblocking(False)
        self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Close it."""
        self._socket.close()

    def _find_head(self, searched: int) -> None:
        end = self.received.find(_END_OF_HEAD, searched)
        if end < 0:
            if len(self.received) > MAX_HEAD_BYTES:
                raise HeadTooLong(f"The request's head is longer than {MAX_HEAD_BYTES} bytes.")
            return
        head = bytes(self.received[: end + 2])
        expects = _EXPECT.search(head)
        if expects is not None:  # answered here, so that gunicorn does not answer it again
            del self.received[expects.start() : expects.end()]
            end -= expects.end() - expects.start()
        self._body_at = end + len(_END_OF_HEAD)
        self.deadline = time.monotonic() + BODY_SECONDS
        length = _LENGTH.search(head)
        if _CHUNKED.search(head):
            self._chunk_at = self._body_at
        elif length is not None and int(length[1]) <= self._max_body_bytes:
            self._end_at = self._body_at + int(length[1])
        else:
            self._end_at = self._body_at  # there is no body, or one that is refused unread
        if expects is not None and not self.is_complete:
            self._socket.send(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _follow_chunks(self, at: int) -> None:
        """Go from the chunk that begins at `at` as far as they have come."""
        while at < len(self.received):
            size = _CHUNK_SIZE.match(self.received, at)
            if size is None:
                is_begun = _CHUNK_SIZE_BEGUN.fullmatch(self.received, at) is not None
                if not is_begun or len(self.received) - at > MAX_SIZE_LINE_BYTES:
                    self._end_at = len(self.received)  # no size of a chunk: it is refused as it is
                break
            length = int(size[1], 16)
            if length == 0:
                end = self.received.find(_END_OF_HEAD, size.end() - 2)
                self._end_at = end + len(_END_OF_HEAD) if end >= 0 else None
                break
            end = size.end() + length
            if not b"\r\n".startswith(self.received[end : end + 2]):
                self._end_at = len(self.received)  # the chunk is longer than it says: refused likewise
                break
            at = end + 2
        self._chunk_at = at
        if len(self.received) - self._body_at > 2 * self._max_body_bytes:
            self._end_at = len(self.received)  # too long, whatever it holds
