"""Buttons of plugins on the page of an entry: pressed with a form's token, as whoever presses them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from placed.plugin import Placed  # type: ignore[import-not-found]  # on the path of the tests

from pagoda.domain.entity.models import Entity
from pagoda.domain.user.models import Level
from pagoda.fencing.breaker import CircuitBreaker
from pagoda.fencing.policy import Policy
from pagoda.fencing.testing import MemoryStore
from pagoda.hooks.manager import manager
from pagoda_api import endpoint_fence
from pagoda_api.bulkhead import Bulkhead
from pagoda_api.endpoint_fence import EndpointFence
from pagoda_api.testing.host import browser_of
from pagoda_api.worker import ServerStops

pytestmark = pytest.mark.django_db


@pytest.fixture
def plugin(register: Callable[[Any], Any]) -> Iterator[Any]:
    fence = EndpointFence(
        budget=manager().budget,
        breaker=CircuitBreaker(MemoryStore(), Policy(consecutive_failures=2)),
        bulkhead=Bulkhead(limit=2, process_limit=2),
        timeout_seconds=0.5,
        max_response_bytes=3000,
    )
    replaced = endpoint_fence.install(fence)
    yield register(Placed())
    endpoint_fence.install(replaced)


@pytest.fixture
def url(web: Any) -> str:
    return reverse("console-entry-action", args=[web.pk, "placed", "act"])


def told(answer: Any) -> list[str]:
    return [f"{message.level_tag}: {message}" for message in answer.context["messages"]]


def test_a_button_stands_on_the_page_and_does_what_it_says(plugin: Any, ann: Any, web: Any, url: str) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(ann)
    page = browser.get(reverse("console-entry", args=[web.pk]))
    assert f'<form action="{url}" method="post">' in page.content.decode()
    assert "<button>Do &lt;b&gt;it&lt;/b&gt;</button>" in page.content.decode()
    plugin.does = "writes"

    assert browser.post(url).status_code == 403
    assert browser.get(url).status_code == 405
    assert web.get_attrs()["address"] == "10.0.0.1"

    token = {"csrfmiddlewaretoken": str(page.context["csrf_token"])}
    assert told(browser.post(url, token, follow=True)) == ["success: Do <b>it</b>: OK"]
    assert web.get_attrs()["address"] == "10.0.0.9"


@pytest.mark.parametrize(
    ("does", "message"),
    [
        ("tells", "success: <i>told</i>"),
        ("HookRejected", "error: Plugin 'placed': <i>not today</i>"),
        ("PluginSecurityError", "error: Plugin 'placed': not yours"),
        ("BadRequest", "error: Plugin 'placed': what?"),
        ("ValueError", "error: Plugin 'placed' failed. The cause is in the server's log under request id"),
        ("SystemExit", "error: Plugin 'placed' failed. The cause is in the server's log under request id"),
        ("hangs", "error: Plugin 'placed' failed: it was cut off"),
        (
            "a number",
            "error: Plugin 'placed' failed: it returned int, expected a text, a redirection",
        ),
        ("leads away", "error: Plugin 'placed' failed: it leads to another host"),
    ],
)
def test_what_came_of_it_is_told_on_the_page(
    plugin: Any, ann: Any, url: str, does: str, message: str
) -> None:
    browser = browser_of(ann)
    plugin.does = does
    answer = browser.post(url)
    plugin.does = "nothing"
    page = browser.get(answer["Location"])
    assert answer.status_code == 302
    [text] = told(page)
    assert text.startswith(message)
    assert "<i>" not in page.content.decode()


def test_it_may_lead_to_another_page(plugin: Any, ann: Any, url: str) -> None:
    plugin.does = "leads"
    assert browser_of(ann).post(url)["Location"] == "/console/jobs/"


def test_the_servers_own_end_passes(plugin: Any, ann: Any, url: str) -> None:
    plugin.does = "ServerStops"
    with pytest.raises(ServerStops):
        browser_of(ann).post(url)


def test_who_may_only_read_writes_nothing_by_it(plugin: Any, make_user: Any, web: Any, url: str) -> None:
    Entity.objects.filter(pk=web.schema_id).update(default_permission=Level.READABLE)
    plugin.does = "writes"
    [text] = told(browser_of(make_user("bob")).post(url, follow=True))
    assert text.startswith("error: Plugin 'placed': ")
    assert web.get_attrs()["address"] == "10.0.0.1"


@pytest.mark.parametrize("named", [("placed", "faulty"), ("placed", "validate"), ("nobody", "act")])
def test_nothing_but_a_marked_method_is_called(plugin: Any, ann: Any, web: Any, named: Any) -> None:
    plugin.does = "ServerStops"
    missing = reverse("console-entry-action", args=[web.pk, *named])
    assert browser_of(ann).post(missing).status_code == 404


def test_who_may_not_see_the_entry_presses_nothing(plugin: Any, make_user: Any, web: Any, url: str) -> None:
    Entity.objects.filter(pk=web.schema_id).update(default_permission=Level.NOTHING)
    plugin.does = "ServerStops"
    assert browser_of(make_user("bob")).post(url).status_code == 404


@pytest.mark.django_db(transaction=True)
def test_one_that_fails_too_often_is_out_of_service(plugin: Any, ann: Any, url: str) -> None:
    plugin.does = "ValueError"
    browser = browser_of(ann)
    for _ in range(2):
        browser.post(url)
    texts = told(browser.post(url, follow=True))
    assert texts[-1].startswith("error: Plugin 'placed' is out of service here, as it failed too often.")
