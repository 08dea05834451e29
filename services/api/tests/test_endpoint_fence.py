"""Plugin endpoints that go wrong: what the client is told, and that nobody else notices."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.contrib.auth.models import Group
from structlog.testing import capture_logs

from pagoda.fencing import Outcome, add_observer, remove_observer
from pagoda.fencing.breaker import CircuitBreaker
from pagoda.fencing.policy import Policy
from pagoda.fencing.testing import MemoryStore
from pagoda.hooks.manager import manager
from pagoda_api import endpoint_fence
from pagoda_api.bulkhead import Bulkhead
from pagoda_api.endpoint_fence import EndpointFence
from pagoda_api.worker import ServerStops
from pagoda_plugin_sdk.exceptions import PluginError
from pagoda_plugin_sdk.plugin import Plugin

pytestmark = pytest.mark.django_db

URL = "/api/v2/plugins/faulty/"


class Faulty(Plugin):
    id = name = "faulty"
    api_v2_patterns = "routes_faulty"


@pytest.fixture
def fence(serve: Callable[..., None]) -> Iterator[EndpointFence]:
    """A fence that is soon out of patience, around the views of the plugin `faulty`."""
    serve(Faulty())
    fence = EndpointFence(
        budget=manager().budget,
        breaker=CircuitBreaker(MemoryStore(), Policy(consecutive_failures=2)),
        bulkhead=Bulkhead(limit=1, process_limit=1),
        timeout_seconds=0.2,
        max_response_bytes=2000,
    )
    replaced = endpoint_fence.install(fence)
    yield fence
    endpoint_fence.install(replaced)


@pytest.fixture
def outcomes() -> Iterator[list[Outcome]]:
    seen: list[Outcome] = []
    add_observer(seen.append)
    yield seen
    remove_observer(seen.append)


def told(outcomes: list[Outcome]) -> list[tuple[str, str, str, str]]:
    return [(outcome.plugin, outcome.surface, outcome.name, outcome.result) for outcome in outcomes]


@pytest.mark.usefixtures("fence")
class TestFaults:
    def test_a_good_view_is_one_outcome(self, anonymous: Any, outcomes: list[Outcome]) -> None:
        assert anonymous.get(f"{URL}fine/").json() == {"ok": True}
        assert told(outcomes) == [("faulty", "endpoint", "GET /api/v2/plugins/faulty/fine/", "ok")]

    def test_a_url_may_name_its_parts_as_the_fence_does(self, anonymous: Any) -> None:
        assert anonymous.get(f"{URL}named/a/b/c/d/").json() == {
            "name": "a",
            "view": "b",
            "plugin_id": "c",
            "answers": "d",
        }

    @pytest.mark.parametrize("view", ["spins", "sleeps", "queries"])
    def test_a_view_that_hangs_is_cut_off(self, anonymous: Any, outcomes: list[Outcome], view: str) -> None:
        with capture_logs() as logs:
            response = anonymous.get(f"{URL}{view}/", headers={"X-Request-ID": "r-1"})

        assert response.status_code == 504
        assert response.json() == {
            "detail": "An endpoint of plugin 'faulty' failed: "
            "it was cut off: it ran longer than its time budget of 0.2 s.",
            "code": "plugin_endpoint_timeout",
            "request_id": "r-1",
            "plugin": "faulty",
        }
        assert [outcome[3] for outcome in told(outcomes)] == ["timeout"]
        assert [log["event"] for log in logs if log["log_level"] == "error"] == ["endpoint_timed_out"]

    def test_a_query_that_hangs_is_cut_off_after_a_search_too(
        self, anonymous: Any, superuser_api: Any
    ) -> None:
        assert superuser_api.get("/api/v2/entries/?name=nothing").status_code == 200
        assert anonymous.get(f"{URL}queries/").status_code == 504

    def test_what_it_has_not_committed_is_undone(self, superuser_api: Any) -> None:
        assert superuser_api.get(f"{URL}writes_and_hangs/").status_code == 504
        assert not Group.objects.exists()

    @pytest.mark.parametrize(
        ("view", "code", "detail"),
        [
            ("none", "plugin_response_unusable", "it returned NoneType, expected an HttpResponse"),
            ("coroutine", "plugin_response_unusable", "it returned coroutine, expected an HttpResponse"),
            (
                "large",
                "plugin_response_too_large",
                "its response has 3000 bytes, at most 2000 are allowed (PLUGIN_MAX_RESPONSE_BYTES)",
            ),
        ],
    )
    def test_a_response_that_is_no_use_is_a_bad_gateway(
        self, anonymous: Any, outcomes: list[Outcome], view: str, code: str, detail: str
    ) -> None:
        response = anonymous.get(f"{URL}{view}/")

        assert response.status_code == 502
        assert response.json()["code"] == code
        assert response.json()["detail"] == f"An endpoint of plugin 'faulty' failed: {detail}."
        assert response.json()["plugin"] == "faulty"
        assert [outcome[3] for outcome in told(outcomes)] == ["raised"]

    def test_an_answer_of_the_500s_is_passed_on_and_counts_as_a_failure(
        self, anonymous: Any, outcomes: list[Outcome]
    ) -> None:
        assert anonymous.get(f"{URL}unavailable/").status_code == 503
        assert (outcomes[0].result, outcomes[0].error) == ("raised", "it answered 503")


ESCAPING = [
    *(f"raises/{name}" for name in ("CancelledError", "GeneratorExit", "SystemExit", "Odd")),
    *(
        "raises/StopIteration",
        "raises/RuntimeError",
        "raises/Silent",
        "streams/silent",
        "unprintable",
        "converter/5",
    ),
    *("streams/nothing-cancelled", "streams/raised"),
    *(f"drf/{part}" for part in ("authentication", "permission", "throttle", "renderer")),
]


@pytest.mark.usefixtures("fence")
class TestWhatIsNoException:
    @pytest.mark.parametrize("path", ESCAPING)
    def test_it_is_contained_counted_and_gives_its_slot_back(
        self, anonymous: Any, outcomes: list[Outcome], path: str
    ) -> None:
        with capture_logs() as logs:
            response = anonymous.get(f"{URL}{path}/", headers={"X-Request-ID": "r-1"})

        assert response.status_code == 500
        assert (response.json()["code"], response.json()["plugin"]) == ("plugin_endpoint_failed", "faulty")
        assert [log["plugin"] for log in logs if log.get("exc_info")] == ["faulty"]
        assert [outcome[3] for outcome in told(outcomes)] == ["raised"]
        assert anonymous.get(f"{URL}fine/").status_code == 200

    @pytest.mark.django_db(transaction=True)
    def test_its_breaker_opens(self, anonymous: Any) -> None:
        codes = [anonymous.get(f"{URL}raises/CancelledError/").json()["code"] for _ in range(3)]
        assert codes == ["plugin_endpoint_failed", "plugin_endpoint_failed", "plugin_unavailable"]

    def test_a_status_that_is_none_is_a_bad_gateway(self, anonymous: Any) -> None:
        assert anonymous.get(f"{URL}has_odd_status/").json()["code"] == "plugin_response_unusable"

    def test_closing_a_response_is_done_in_the_fence(self, anonymous: Any, outcomes: list[Outcome]) -> None:
        response = anonymous.get(f"{URL}closes_badly/")
        response.close()

        assert (response.status_code, response.content, response.closed) == (200, b"fine", True)
        assert "raised" in [outcome[3] for outcome in told(outcomes)]
        assert anonymous.get(f"{URL}fine/").status_code == 200

    @pytest.mark.parametrize("path", ["then-cancelled", "closing-cancelled"])
    def test_a_stream_ends_in_an_error_that_the_server_survives(
        self, anonymous: Any, outcomes: list[Outcome], path: str
    ) -> None:
        response = anonymous.get(f"{URL}streams/{path}/")
        with pytest.raises(PluginError, match="CancelledError"):
            b"".join(response.streaming_content)
        response.close()

        assert "raised" in [outcome[3] for outcome in told(outcomes)]
        assert anonymous.get(f"{URL}fine/").status_code == 200

    def test_a_stream_that_cancels_when_it_is_given_up_is_closed(self, anonymous: Any) -> None:
        response = anonymous.get(f"{URL}streams/closing-cancelled/")
        response.close()
        assert response.closed
        assert anonymous.get(f"{URL}fine/").status_code == 200

    def test_a_response_that_is_never_closed_holds_no_slot(self, anonymous: Any) -> None:
        anonymous.get(f"{URL}streams/")
        gc.collect()
        assert anonymous.get(f"{URL}fine/").status_code == 200

    def test_a_keyboard_interrupt_is_the_plugins_where_the_server_takes_the_signal(
        self, anonymous: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("signal.getsignal", lambda _signal: print)
        assert anonymous.get(f"{URL}raises/KeyboardInterrupt/").json()["code"] == "plugin_endpoint_failed"

    def test_the_servers_own_end_passes(self, anonymous: Any) -> None:
        with pytest.raises(ServerStops):
            anonymous.get(f"{URL}raises/ServerStops/")
        assert anonymous.get(f"{URL}fine/").status_code == 200


@pytest.mark.usefixtures("fence")
class TestStreams:
    def test_a_stream_is_passed_on_and_is_one_outcome(self, anonymous: Any, outcomes: list[Outcome]) -> None:
        response = anonymous.get(f"{URL}streams/")

        assert outcomes == []
        assert len(b"".join(response.streaming_content)) == 1500
        response.close()
        assert [outcome[3] for outcome in told(outcomes)] == ["ok"]

    def test_one_that_nobody_reads_gives_its_slot_back(self, anonymous: Any, outcomes: list[Outcome]) -> None:
        anonymous.get(f"{URL}streams/").close()

        assert anonymous.get(f"{URL}fine/").status_code == 200
        assert [outcome[3] for outcome in told(outcomes)] == ["ok", "ok"]

    @pytest.mark.parametrize(
        ("view", "result"), [("streams_too_much", "raised"), ("streams_and_hangs", "timeout")]
    )
    def test_one_that_goes_wrong_is_broken_off(
        self, anonymous: Any, outcomes: list[Outcome], view: str, result: str
    ) -> None:
        response = anonymous.get(f"{URL}{view}/")

        with pytest.raises(PluginError, match=r"at most 2000 are allowed|time budget"):
            b"".join(response.streaming_content)
        response.close()
        assert [outcome[3] for outcome in told(outcomes)] == [result]


class TestBulkhead:
    def test_beyond_the_plugins_share_it_is_busy(
        self, anonymous: Any, fence: EndpointFence, outcomes: list[Outcome]
    ) -> None:
        with fence.bulkhead.slot("faulty"):
            response = anonymous.get(f"{URL}fine/")

        assert response.status_code == 503
        assert response.headers["Retry-After"] == "1"
        assert (response.json()["code"], response.json()["plugin"]) == ("plugin_busy", "faulty")
        assert [outcome[3] for outcome in told(outcomes)] == ["skipped"]
        assert anonymous.get(f"{URL}fine/").status_code == 200

    def test_another_plugins_share_is_its_own(self, anonymous: Any, fence: EndpointFence) -> None:
        with fence.bulkhead.slot("another"):
            assert anonymous.get(f"{URL}fine/").status_code == 200


@pytest.mark.django_db(transaction=True)
class TestBreaker:
    def test_an_open_breaker_answers_for_the_view(
        self, anonymous: Any, fence: EndpointFence, outcomes: list[Outcome]
    ) -> None:
        for _ in range(2):
            assert anonymous.get(f"{URL}none/").status_code == 502
        response = anonymous.get(f"{URL}fine/")

        assert response.status_code == 503
        assert 25 <= int(response.headers["Retry-After"]) <= 30
        assert (response.json()["code"], response.json()["plugin"]) == ("plugin_unavailable", "faulty")
        assert [outcome[3] for outcome in told(outcomes)] == ["raised", "raised", "skipped"]
        assert [(state.plugin, state.state) for state in fence.breaker.states()] == [("faulty", "open")]

    def test_a_dry_run_lets_it_through(self, anonymous: Any, fence: EndpointFence) -> None:
        fence.breaker.policy = replace(fence.breaker.policy, dry_run=True)
        for _ in range(3):
            assert anonymous.get(f"{URL}none/").status_code == 502
        assert anonymous.get(f"{URL}fine/").status_code == 200

    def test_a_transaction_that_a_view_leaves_open_is_dropped(
        self, superuser_api: Any, fence: EndpointFence
    ) -> None:
        with capture_logs() as logs:
            assert superuser_api.get(f"{URL}leaves_a_transaction/").status_code == 200
        assert "transaction_left_open" in [log["event"] for log in logs]
        assert superuser_api.get(f"{URL}fine/").status_code == 200
        assert not Group.objects.exists()
