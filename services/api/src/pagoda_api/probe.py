"""`python -m pagoda_api.probe`: exit 0 if the API of this machine answers; for a container's health check.

It imports the standard library alone, as it runs every few seconds.
"""

from __future__ import annotations

import http.client
import os
import sys
from collections.abc import Mapping

TIMEOUT_SECONDS = 3.0


def address(environ: Mapping[str, str]) -> tuple[str, int]:
    """Return host and port behind API_BIND, loopback for an address that means all."""
    host, _, port = environ.get("API_BIND", "127.0.0.1:8000").rpartition(":")
    host = host.strip("[]")
    return ("127.0.0.1" if host in ("", "0.0.0.0", "::") else host), int(port)  # noqa: S104 - compared, not bound


def host_header(environ: Mapping[str, str]) -> str:
    """Return a name that the API answers to: the first of PAGODA_ALLOWED_HOSTS."""
    first = environ.get("PAGODA_ALLOWED_HOSTS", "").partition(",")[0].strip().lstrip(".")
    return first if first not in ("", "*") else "localhost"


def main(path: str = "/healthz") -> int:
    """Ask; return 0 for an answer of 200, else 1 with what came instead on stderr."""
    host, port = address(os.environ)
    connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", path, headers={"Host": host_header(os.environ)})
        answer = connection.getresponse()
    except OSError as error:
        print(f"http://{host}:{port}{path}: {error}", file=sys.stderr)
        return 1
    finally:
        connection.close()
    if answer.status == http.client.OK:
        return 0
    print(f"http://{host}:{port}{path}: answered {answer.status}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
