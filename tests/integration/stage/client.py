"""Speaks to the API as a user does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx

from tests.integration.stage.waiting import wait_until

ADMIN, PASSWORD = "admin", "a-long-password-of-the-tests"
JOB_SECONDS = 60.0


class Client:
    """A logged-in user. The address is asked for anew each time: it changes with a container's restart."""

    def __init__(self, address: Callable[[], str]) -> None:
        self._address = address
        self._http = httpx.Client(timeout=30)

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def log_in(self, username: str = ADMIN) -> None:
        """Take a token for the administrator, or for another user with the same password."""
        body = self.post("auth/token/", username=username, password=PASSWORD)
        self._http.headers["Authorization"] = f"Token {body['token']}"

    @property
    def authorization(self) -> str:
        """Return the header that says who asks, for clients of the test's own."""
        return str(self._http.headers["Authorization"])

    def send(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """Send a request; `path` is below ``/api/v2/`` unless it begins with a slash."""
        full = path if path.startswith("/") else f"/api/v2/{path}"
        return self._http.request(method, f"http://{self._address()}{full}", json=body)

    def get(self, path: str) -> Any:
        """Return what the API answers.

        Raises:
            AssertionError: it is no success.
        """
        return _checked(self.send("GET", path))

    def post(self, path: str, **body: Any) -> Any:
        """Send an object, and return what the API answers; raises as `get` does."""
        return _checked(self.send("POST", path, body))

    def submit(self, operation: str, params: dict[str, Any] | None = None, **options: Any) -> int:
        """Queue a job of the trial plugin; return its id."""
        body = self.post(f"plugins/trial/run/{operation}/", params=params or {}, **options)
        return int(body["job"])

    def submit_many(self, operation: str, count: int, params: dict[str, Any] | None = None) -> list[int]:
        """Queue equal jobs of the trial plugin at once; return their ids."""
        body = self.post(f"plugins/trial/run/{operation}/", params=params or {}, count=count)
        return [int(job) for job in body["jobs"]]

    def job(self, job_id: int) -> dict[str, Any]:
        """Return a job."""
        job: dict[str, Any] = self.get(f"jobs/{job_id}/")
        return job

    def until(
        self, job_id: int, is_so: Callable[[dict[str, Any]], object], limit_seconds: float = JOB_SECONDS
    ) -> dict[str, Any]:
        """Wait until something is true of a job; return the job.

        Raises:
            AssertionError: it took longer than the limit; the job is shown.
        """
        seen: dict[str, Any] = {}

        def look() -> bool:
            seen.clear()
            seen.update(self.job(job_id))
            return bool(is_so(seen))

        wait_until(look, limit_seconds, lambda: str(seen))
        return seen

    def finished(self, job_id: int, limit_seconds: float = JOB_SECONDS) -> dict[str, Any]:
        """Wait for a job's end; return the job."""
        return self.until(job_id, lambda job: job["phase"] == "finished", limit_seconds)


def _checked(answer: httpx.Response) -> Any:
    request = answer.request
    assert answer.is_success, (
        f"{request.method} {request.url.path}: {answer.status_code} {answer.text[:2000]}"
    )
    return answer.json() if answer.content else None
