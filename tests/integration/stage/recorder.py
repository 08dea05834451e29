"""Stands for Sentry: takes events over HTTP and gives them back. Runs in a container, on Python alone."""

from __future__ import annotations

import gzip
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

EVENTS: list[dict[str, Any]] = []


class Recorder(BaseHTTPRequestHandler):
    """``POST`` takes an envelope as Sentry's clients send it, ``GET`` returns all events so far."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        lines = body.split(b"\n")
        for header, payload in zip(lines[1::2], lines[2::2], strict=False):  # an item's header and body
            if json.loads(header).get("type") == "event":
                EVENTS.append(json.loads(payload))
        self._answer(b"{}")

    def do_GET(self) -> None:
        self._answer(json.dumps(EVENTS).encode())

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


if __name__ == "__main__":
    ThreadingHTTPServer(("", 8080), Recorder).serve_forever()
