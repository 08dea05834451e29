"""Pages of plugins in the console: in its menu, its frame and its policy, and in the fence of endpoints."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from placed.plugin import Placed  # type: ignore[import-not-found]  # on the path of the tests

from pagoda.fencing.breaker import CircuitBreaker
from pagoda.fencing.policy import Policy
from pagoda.fencing.testing import MemoryStore
from pagoda.hooks.manager import manager
from pagoda.plugins.records import Fault, ReasonCode
from pagoda.plugins.registry import registry
from pagoda_api import endpoint_fence
from pagoda_api.browsers import CONTENT_SECURITY_POLICY
from pagoda_api.bulkhead import Bulkhead
from pagoda_api.endpoint_fence import EndpointFence
from pagoda_api.plugin_routes import PluginRoutes
from pagoda_api.testing.host import browser_of
from pagoda_api.worker import ServerStops

pytestmark = pytest.mark.django_db

URL = "/console/plugins/placed/"


@pytest.fixture(autouse=True)
def fence(serve: Callable[..., None]) -> Iterator[EndpointFence]:
    serve(Placed())
    fence = EndpointFence(
        budget=manager().budget,
        breaker=CircuitBreaker(MemoryStore(), Policy(consecutive_failures=2)),
        bulkhead=Bulkhead(limit=1, process_limit=1),
        timeout_seconds=0.3,
        max_response_bytes=100_000,
    )
    replaced = endpoint_fence.install(fence)
    yield fence
    endpoint_fence.install(replaced)


@pytest.fixture
def browser(ann: Any) -> Client:
    return browser_of(ann)


def test_a_page_stands_in_the_frame_with_its_texts_escaped(browser: Client) -> None:
    answer = browser.get(f"{URL}good/")
    text = answer.content.decode()
    assert answer.status_code == 200
    assert answer["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    assert "<h1>Good &amp; &lt;b&gt;bold&lt;/b&gt;</h1>" in text
    assert "&lt;script&gt;alert(&#x27;x&#x27;)" in text
    assert '<a href="/console/plugins/placed/">Placed</a>' in text
    assert '<a href="/console/entities/">' in text
    assert '<a href="/console/plugins/placed/good/">good</a>' in text


def test_the_page_of_a_plugin_lists_its_endpoints(browser: Client) -> None:
    found = browser.get(URL).context["endpoints"]
    assert "/console/plugins/placed/good/" in found
    assert len(found) == len(set(found))
    assert f"<code>{found[0]}</code>" in browser.get(URL).content.decode()


def test_paths_that_nothing_can_show_are_washed(browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = ["/odd\ud800\x07/", "/" + "x" * 5_000]
    monkeypatch.setattr(PluginRoutes, "paths_of", lambda self, plugin_id: iter(paths))
    answer = browser.get(URL)
    assert answer.status_code == 200
    odd, long = answer.context["endpoints"]
    assert odd.startswith("/odd")
    assert odd.isprintable()
    assert len(long) <= 300


def test_the_menu_has_pages_for_who_may(browser: Client, make_user: Any) -> None:
    shown = '<a href="/console/plugins/placed/good/">Good &amp; &lt;b&gt;bold&lt;/b&gt;</a>'
    hidden = '<a href="/console/plugins/placed/secret/">Secret</a>'
    for url in ("/console/", f"{URL}good/"):
        text = browser.get(url).content.decode()
        assert shown in text, url
        assert hidden in text, url
    bob = browser_of(make_user("bob"))
    text = bob.get("/console/").content.decode()
    assert shown in text
    assert hidden not in text
    assert browser.get(f"{URL}secret/").status_code == 200
    refused = bob.get(f"{URL}secret/")
    assert refused.status_code == 403
    assert "You need the permission &#x27;entity.add_entity&#x27; for this page." in refused.content.decode()


def test_strangers_are_sent_to_the_login_before_any_code_runs(fence: EndpointFence) -> None:
    answer = Client().get(f"{URL}raises/ServerStops/")
    assert (answer.status_code, answer["Location"]) == (
        302,
        f"/console/login/?next={URL}raises/ServerStops/",
    )
    assert fence.breaker.states() == []


def test_a_form_needs_its_token_and_no_policy_is_weaker(ann: Any) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(ann)
    token = str(browser.get(f"{URL}good/").context["csrf_token"])
    assert browser.post(f"{URL}good/").status_code == 403
    answer = browser.post(f"{URL}good/", {"csrfmiddlewaretoken": token})
    assert answer.content == b"done"
    assert answer["Content-Security-Policy"] == CONTENT_SECURITY_POLICY


def test_what_the_host_serves_of_a_plugin_stays_the_hosts(browser: Client) -> None:
    text = browser.get(URL).content.decode()
    assert browser.get(URL).templates[0].name == "console/plugin.html"
    assert "Placed 1.0.0" in text


@pytest.mark.parametrize(
    ("path", "status", "told"),
    [
        ("raises/ValueError/", 500, "The cause is in the server&#x27;s log under request id"),
        ("raises/SystemExit/", 500, "The cause is in the server&#x27;s log under request id"),
        ("raises/CancelledError/", 500, "The cause is in the server&#x27;s log under request id"),
        ("hangs/", 504, "it ran longer than its time budget of 0.3 s"),
        ("rubbish/", 502, "it returned int, expected an HttpResponse"),
        (
            "missing/",
            502,
            "it names the template &#x27;placed/missing.html&#x27;, which is not below",
        ),
    ],
)
def test_one_that_goes_wrong_is_a_page_that_names_its_plugin(
    browser: Client, path: str, status: int, told: str
) -> None:
    answer = browser.get(URL + path)
    text = answer.content.decode()
    assert answer.status_code == status
    assert answer["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    assert "An endpoint of plugin &#x27;placed&#x27; failed" in text
    assert told in text
    assert browser.get("/console/").status_code == 200


def test_the_servers_own_end_passes(ann: Any) -> None:
    browser = Client()
    browser.force_login(ann)
    with pytest.raises(ServerStops):
        browser.get(f"{URL}raises/ServerStops/")


def test_a_plain_template_response_is_a_page_too(browser: Client) -> None:
    text = browser.get(f"{URL}plain/").content.decode()
    assert "<h1>Placed</h1>" in text
    assert '<p class="good">plain</p>' in text


@pytest.mark.django_db(transaction=True)
def test_pages_that_fail_too_often_are_out_of_service(browser: Client) -> None:
    assert [browser.get(f"{URL}rubbish/").status_code for _ in range(2)] == [502, 502]
    answer = browser.get(f"{URL}rubbish/")
    assert answer.status_code == 503
    assert 25 <= int(answer["Retry-After"]) <= 30
    assert "out of service" in answer.content.decode()


def test_two_faults_of_one_kind_mean_one_thing(browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    record = registry().get("placed")
    assert record is not None
    parts = ("api", "pages")
    faults = [Fault(code=ReasonCode.URLS_FAILED, text=f"{part} is broken") for part in parts]
    monkeypatch.setattr(record, "faults", faults)
    [load] = [each["load"] for each in browser.get(reverse("console-plugins")).context["plugins"]]
    assert load["text"] == "its URLs can't be served; the rest of it is active"
    assert load["detail"].count("broken") == 2
