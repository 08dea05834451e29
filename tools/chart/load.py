"""Runs in a Pod beside a release: submit canaries for a while, then see that every one of them got DONE.

It stands alone, on the standard library: the image of the API holds nothing of this folder.
"""

import json
import os
import sys
import time
import urllib.error
import urllib.request
from typing import Any

API = os.environ["API_URL"]
LOAD_SECONDS = float(os.environ["LOAD_SECONDS"])
SETTLE_SECONDS = 120.0
PAUSE_SECONDS = 0.2


def ask(path: str, body: dict[str, Any] | None = None, token: str | None = None) -> Any:
    """Return the answer to a GET, or to a POST of `body`, as JSON."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Token {token}"} if token else {})
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(API + path, data=data, headers=headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def submit_for_a_while(queues: list[str], token: str) -> tuple[list[int], list[str]]:
    """Return the ids of the jobs that were submitted, and what went wrong."""
    jobs: list[int] = []
    failures: list[str] = []
    until = time.monotonic() + LOAD_SECONDS
    while time.monotonic() < until:
        for queue in queues:
            try:
                jobs.append(ask("/api/v2/jobs/canary/", {"queue": queue}, token)["id"])
            except OSError as error:  # urllib's errors are all of them
                failures.append(f"{type(error).__name__}: {error}")
        time.sleep(PAUSE_SECONDS)
    return jobs, failures


def unfinished(jobs: list[int], token: str) -> list[int]:
    """Return the jobs that are not DONE, once all have ended or time is over."""
    until, left = time.monotonic() + SETTLE_SECONDS, list(jobs)
    while left and time.monotonic() < until:
        left = [job for job in left if ask(f"/api/v2/jobs/{job}/", token=token)["status_name"] != "DONE"]
        time.sleep(PAUSE_SECONDS)
    return left


credentials = {"username": os.environ["ADMIN_USERNAME"], "password": os.environ["ADMIN_PASSWORD"]}
api_token = ask("/api/v2/auth/token/", credentials | {"name": "cluster test"})["token"]
submitted, refused = submit_for_a_while(os.environ["QUEUES"].split(","), api_token)
lost = unfinished(submitted, api_token)
print(f"{len(submitted)} jobs in, {len(submitted) - len(lost)} DONE, {len(refused)} requests failed")
for line in refused[:5]:
    print(f"  {line}")
sys.exit(1 if lost or refused or not submitted else 0)
