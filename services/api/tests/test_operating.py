"""Operating plugins by the API: what administrators do holds in every process, and is refused to others."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection

from pagoda.fencing.breaker import CircuitBreaker, breaker, install
from pagoda.fencing.store import DatabaseStore
from pagoda.fencing.switches import plugins_in_dry_run
from pagoda.watching.models import AlertState
from pagoda_plugin_sdk import Plugin

RETRY = "/api/v2/breakers/shelf/endpoint/retry/"
SILENCE = "/api/v2/switches/shelf/silence/"
DRY_RUN = "/api/v2/switches/shelf/dry_run/"
ON = {"lasts_seconds": 3600, "reason": "a deployment"}

OTHER_PROCESS = """
import json, sys
import django
django.setup()
from pagoda.fencing.breaker import breaker
from pagoda.watching.alerts.notifying import tell

def sent():
    titles = []
    tell(lambda notice: not titles.append(notice.title), frozenset())
    return titles

def look():
    breaker()._rows._read_at = float("-inf")
    breaker().refresh()

for line in sys.stdin:
    look()
    answer = {
        "fail": lambda: [breaker().fail("shelf", "endpoint", "view", "KeyError") for _ in range(5)],
        "admits": lambda: breaker().admits("shelf", "endpoint"),
        "tell": sent,
    }[line.strip()]()
    print("answer", json.dumps(answer), flush=True)
"""


class Shelf(Plugin):
    id = name = "shelf"
    version = "1.0.0"


@pytest.fixture
def shelf(register: Callable[[Any], Any]) -> None:
    register(Shelf())


@pytest.fixture
def shared() -> Iterator[None]:
    """A breaker whose rows are in the database, as those of other processes."""
    made = CircuitBreaker(DatabaseStore(), breaker().policy, dry_running=plugins_in_dry_run)
    replaced = install(made)
    yield
    install(replaced)


class Other:
    """Another process of the host, on the same database."""

    def __init__(self) -> None:
        environment = {
            **os.environ,
            "DATABASE_URL": f"sqlite:///{connection.settings_dict['NAME']}",
            "DJANGO_SETTINGS_MODULE": "pagoda.settings",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-c", OTHER_PROCESS],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
        )  # fmt: skip

    def ask(self, question: str) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(question, file=self.process.stdin, flush=True)
        for line in self.process.stdout:
            if line.startswith("answer "):
                return json.loads(line.removeprefix("answer "))
        raise AssertionError(f"the other process ended with {self.process.wait()}")


@pytest.fixture
def other(transactional_db: None) -> Iterator[Other]:
    made = Other()
    yield made
    made.process.communicate(timeout=30)  # it ends with its input
    assert made.process.returncode == 0


def test_a_retry_and_a_dry_run_hold_in_another_process(
    other: Other, shelf: None, shared: None, superuser_api: Any
) -> None:
    other.ask("fail")
    assert other.ask("admits") is False
    assert superuser_api.put(DRY_RUN, ON, format="json").status_code == 200
    assert other.ask("admits") is True
    assert superuser_api.delete(DRY_RUN).status_code == 204
    assert other.ask("admits") is False
    assert superuser_api.post(RETRY).status_code == 204
    assert other.ask("admits") is True
    answer = superuser_api.get("/api/v2/breakers/shelf/").json()
    assert [(each["surface"], each["state"]) for each in answer["breakers"]] == [("endpoint", "half_open")]
    assert [(each["action"], each["details"].get("new")) for each in answer["history"]] == [
        ("breaker.changed", "half_open"),
        ("breaker.retried", None),
        ("plugin.switched_off", None),
        ("plugin.switched_on", None),
        ("breaker.changed", "open"),
    ]


def test_a_silence_holds_in_another_process_until_it_ends(
    other: Other, shelf: None, superuser_api: Any
) -> None:
    AlertState.objects.create(
        rule="queue_age", subject="x", plugin="shelf", is_firing=True, is_told=False, version=1
    )
    assert superuser_api.put(SILENCE, ON, format="json").status_code == 200
    assert other.ask("tell") == []
    assert superuser_api.delete(SILENCE).status_code == 204
    assert other.ask("tell") == ["[FIRING] Pagoda: queue_age x"]


@pytest.mark.django_db
class TestAnswers:
    @pytest.fixture(autouse=True)
    def served(self, shelf: None) -> None:
        """Every test here is about the plugin `shelf`."""

    def test_a_switch_is_shown_with_its_end_its_reason_and_who(self, superuser_api: Any) -> None:
        made = superuser_api.put(SILENCE, ON, format="json")
        assert made.status_code == 200
        body = made.json()
        assert {key: body[key] for key in ("plugin", "switch", "reason", "actor")} == {
            "plugin": "shelf",
            "switch": "silence",
            "reason": "a deployment",
            "actor": "root",
        }
        assert superuser_api.get("/api/v2/switches/").json() == {"count": 1, "results": [body]}
        endless = superuser_api.put(SILENCE, {**ON, "lasts_seconds": None}, format="json")
        assert endless.json()["until"] is None
        assert [superuser_api.delete(SILENCE).status_code for _ in range(2)] == [204, 404]

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({}, "lasts_seconds"),
            ({"lasts_seconds": 1}, "reason"),
            ({"lasts_seconds": 0, "reason": "x"}, "lasts_seconds"),
            ({"lasts_seconds": 10**12, "reason": "x"}, "lasts_seconds"),
            ({"lasts_seconds": 1, "reason": " "}, "reason"),
            ({"lasts_seconds": 1, "reason": "x" * 301}, "reason"),
            ({**ON, "untill": 1}, "untill"),
        ],
    )
    def test_a_bad_body_names_its_field(self, superuser_api: Any, body: dict[str, Any], field: str) -> None:
        answer = superuser_api.put(SILENCE, body, format="json")
        assert answer.status_code == 400
        assert field in answer.json()["errors"]
        assert superuser_api.get("/api/v2/switches/").json()["count"] == 0

    @pytest.mark.parametrize(
        ("method", "url", "status", "told"),
        [
            ("post", "/api/v2/breakers/shelv/endpoint/retry/", 404, "Did you mean 'shelf'"),
            ("post", "/api/v2/breakers/shelf/endpoints/retry/", 400, "Did you mean 'endpoint'"),
            ("post", RETRY, 409, "in service: there is nothing to retry"),
            ("get", "/api/v2/breakers/shelv/", 404, "Did you mean 'shelf'"),
            ("put", "/api/v2/switches/shelv/silence/", 404, "Did you mean 'shelf'"),
            ("put", "/api/v2/switches/shelf/silense/", 400, "Did you mean 'silence'"),
            ("delete", "/api/v2/switches/shelf/silense/", 400, "Did you mean 'silence'"),
        ],
    )
    def test_a_wrong_name_is_told_with_what_there_is(
        self, superuser_api: Any, method: str, url: str, status: int, told: str
    ) -> None:
        body = ON if method == "put" else None
        answer = getattr(superuser_api, method)(url, body, format="json")
        assert answer.status_code == status
        assert told in answer.json()["detail"]

    def test_rows_that_can_t_be_shared_are_503(self, superuser_api: Any, shared: None) -> None:
        """The test is a transaction, in which the rows are left alone."""
        answer = superuser_api.post(RETRY)
        assert (answer.status_code, answer.json()["code"]) == (503, "breakers_away")

    def test_staff_look_and_others_see_nothing(
        self, make_user: Callable[..., Any], client_of: Callable[..., Any], api: Any, anonymous: Any
    ) -> None:
        stan = make_user("stan")
        stan.is_staff = True
        stan.save()
        staff = client_of(stan)
        shown = ("/api/v2/switches/", "/api/v2/processes/", "/api/v2/breakers/shelf/")
        assert [staff.get(url).status_code for url in shown] == [200] * 3
        assert [api.get(url).status_code for url in shown] == [403] * 3
        assert [anonymous.get(url).status_code for url in shown] == [401] * 3
        for client, status in ((staff, 403), (api, 403), (anonymous, 401)):
            assert client.post(RETRY).status_code == status
            assert client.put(SILENCE, ON, format="json").status_code == status
            assert client.delete(SILENCE).status_code == status

    def test_processes_are_listed_with_their_digest(self, superuser_api: Any) -> None:
        from pagoda.watching.presence import LivingProcess, renew

        renew(LivingProcess(service="api"))
        (found,) = superuser_api.get("/api/v2/processes/").json()["results"]
        assert (found["service"], found["pid"], found["differs"]) == ("api", os.getpid(), False)
        assert len(found["digest"]) == len(superuser_api.get("/api/v2/plugins/").json()["digest"]) == 64
