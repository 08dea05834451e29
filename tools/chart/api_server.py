"""An API server on loopback that says yes to everything, so that Helm can install without a cluster.

Helm's library has no call that renders alone. What it needs of a server is discovery, and somebody who takes
the objects; the rendered manifest is in the result of the installation.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

import yaml

from tools.chart.discovery import documents
from tools.chart.kinds import KINDS

Document = dict[str, Any]

LONGEST_WATCH_SECONDS = 30.0
_PLURALS = {kind.plural: kind for kind in KINDS.values()}
_CREATED = {"resourceVersion": "1", "creationTimestamp": "2026-01-01T00:00:00Z", "generation": 1}


class KubernetesApi(ThreadingHTTPServer):
    """Answers for a cluster of one Kubernetes version. A context manager: leaving it stops the server."""

    daemon_threads = True

    def __init__(self, kube_version: str, namespace: str, existing: Iterable[Document] = ()) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.discovery = documents(kube_version)
        self.objects = {path_of(document, namespace): document for document in existing}
        self.is_over = threading.Event()

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.is_over.set()
        self.shutdown()
        self.server_close()

    @property
    def kubeconfig(self) -> str:
        """Return the configuration that leads clients here."""
        entry = {"cluster": {"server": f"http://127.0.0.1:{self.server_port}"}, "name": "stub"}
        context = {"name": "stub", "context": {"cluster": "stub", "user": "stub"}}
        return yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [entry],
                "users": [{"name": "stub", "user": {}}],
                "contexts": [context],
                "current-context": "stub",
            }
        )


def path_of(document: Document, namespace: str) -> str:
    """Return where a server keeps an object."""
    kind = KINDS[document["kind"]]
    root = "apis" if "/" in kind.group_version else "api"
    where = document["metadata"].get("namespace", namespace)
    return f"{root}/{kind.group_version}/namespaces/{where}/{kind.plural}/{document['metadata']['name']}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # a head and a body are two writes, and the second would wait 40 ms
    server: KubernetesApi

    def do_GET(self) -> None:
        objects, path = self.server.objects, self._path
        collection = _PLURALS.get(path.rpartition("/")[2])
        if path in self.server.discovery:
            self._answer(200, self.server.discovery[path])
        elif path in objects:
            self._answer(200, objects[path])
        elif collection is None:
            self._answer_missing()
        elif "watch=" in self.path:
            self._watch()
        else:
            items = [item for key, item in objects.items() if key.rpartition("/")[0] == path]
            listed = {"kind": f"{collection.name}List", "apiVersion": collection.group_version}
            self._answer(200, listed | {"metadata": {"resourceVersion": "1"}, "items": items})

    def do_POST(self) -> None:
        created = self._body()
        if created is None:
            return
        created["metadata"] |= _CREATED | {"uid": f"00000000-0000-0000-0000-{len(self.server.objects):012}"}
        self.server.objects.setdefault(f"{self._path}/{created['metadata']['name']}", created)
        self._answer(201, created)

    def do_PUT(self) -> None:
        changed = self._body()
        if changed is not None:  # a patch holds what is other; whoever sent it asks for no more than the kind
            self.server.objects[self._path] = self.server.objects.get(self._path, {}) | changed
            self._answer(200, self.server.objects[self._path])

    def do_PATCH(self) -> None:
        self.do_PUT()

    def do_DELETE(self) -> None:
        self._body()
        if self.server.objects.pop(self._path, None) is None:
            self._answer_missing()
        else:
            self._answer(200, {"kind": "Status", "apiVersion": "v1", "status": "Success"})

    def log_message(self, *_: object) -> None:
        """Say nothing: who renders wants to see the chart's faults alone."""

    @property
    def _path(self) -> str:
        return self.path.partition("?")[0].strip("/")

    def _body(self) -> Document | None:
        """Return the object sent; Helm's own record of the release, a protobuf, is answered unread."""
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if "protobuf" in self.headers.get("Content-Type", ""):
            self._answer(201, {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "release"}})
            return None
        body: Document = json.loads(data or b"{}")
        return body

    def _watch(self) -> None:
        """Say that nothing is there yet, then nothing more until the rendering is over."""
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Connection", "close")
        self.end_headers()
        self.server.is_over.wait(LONGEST_WATCH_SECONDS)

    def _answer_missing(self) -> None:
        status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound"}
        self._answer(404, status | {"code": 404, "message": f"{self.path} not found"})

    def _answer(self, code: int, body: Document) -> None:
        data = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
