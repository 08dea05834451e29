"""What `helm test` runs: log in, ask the API whether it is ready, and have every queue run one canary job."""

import json
import os
import sys
import time
import urllib.error
import urllib.request

API = os.environ["API_URL"]
TIMEOUT_SECONDS = float(os.environ["TIMEOUT_SECONDS"])
POLL_SECONDS = 0.5


def ask(path, body=None, token=None):
    """Return the answer to a GET, or to a POST of `body`, as JSON."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Token {token}"} if token else {})
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(API + path, data=data, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        sys.exit(f"{path} answered {error.code}: {error.read().decode(errors='replace')[:500]}")


def run_canary(queue, token):
    """Run one job on `queue`; end the test unless it gets DONE in time."""
    began = time.monotonic()
    job = ask("/api/v2/jobs/canary/", {"queue": queue}, token)
    while job["phase"] != "finished":
        if time.monotonic() - began > TIMEOUT_SECONDS:
            sys.exit(
                f"{queue}: job {job['id']} is {job['phase']} after {TIMEOUT_SECONDS:g} s {job['hold_reason']}"
            )
        time.sleep(POLL_SECONDS)
        job = ask(f"/api/v2/jobs/{job['id']}/", token=token)
    if job["status_name"] != "DONE":
        sys.exit(f"{queue}: job {job['id']} ended as {job['status_name']}: {job['error']}")
    print(f"{queue}: job {job['id']} is DONE after {time.monotonic() - began:.1f} s")


ask("/readyz")
print("the API is ready")
credentials = {"username": os.environ["ADMIN_USERNAME"], "password": os.environ["ADMIN_PASSWORD"]}
token = ask("/api/v2/auth/token/", credentials | {"name": "helm test"})["token"]
print(f"logged in as {credentials['username']}")
for name in os.environ["QUEUES"].split(","):
    run_canary(name, token)
