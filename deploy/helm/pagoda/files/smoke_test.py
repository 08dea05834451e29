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
TRY_AGAIN_SECONDS = 60.0  # for an API that is just coming up, or a node where the Service is not known yet


def ask(path, body=None, token=None):
    """Return the answer to a GET, or to a POST of `body`, as JSON; without one, or with 503, try again."""
    until = time.monotonic() + TRY_AGAIN_SECONDS
    while True:
        try:
            return _ask(path, body, token)
        except OSError as error:  # urllib's errors are all of them
            is_answer = isinstance(error, urllib.error.HTTPError)
            told = f"{error.code}: {error.read().decode(errors='replace')[:500]}" if is_answer else str(error)
            if (is_answer and error.code != 503) or time.monotonic() > until:
                sys.exit(f"{path} answered {told}")
            print(f"{path}: {told}; again", flush=True)
            time.sleep(2 * POLL_SECONDS)


def _ask(path, body, token):
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Token {token}"} if token else {})
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(API + path, data=data, headers=headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def wait_for(queue, job, began, token):
    """End the test unless the job of `queue` gets DONE in time; it may wait behind others."""
    while job["phase"] != "finished":
        if time.monotonic() - began > TIMEOUT_SECONDS:
            hint = "Is a longer job before it? tests.timeoutSeconds is how long it may wait."
            waits = job["hold_reason"] or hint
            sys.exit(f"{queue}: job {job['id']} is {job['phase']} after {TIMEOUT_SECONDS:g} s. {waits}")
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
began = time.monotonic()  # all at once, so that one that waits keeps no other
queues = os.environ["QUEUES"].split(",")
jobs = {name: ask("/api/v2/jobs/canary/", {"queue": name}, token) for name in queues}
for name, job in jobs.items():
    wait_for(name, job, began, token)
