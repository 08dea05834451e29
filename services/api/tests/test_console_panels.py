"""Panels of plugins on the page of an entry: each in its fence, and the page stands whatever they do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from placed.plugin import (  # type: ignore[import-not-found]  # on the path of the tests
    RETURNED,
    Coroutine,
    Narrow,
    Placed,
)

from pagoda.domain.entity.models import Entity
from pagoda.domain.entry.models import Entry
from pagoda.domain.user.models import Level
from pagoda.fencing.breaker import CircuitBreaker
from pagoda.fencing.policy import Policy
from pagoda.fencing.testing import MemoryStore
from pagoda.hooks.manager import manager
from pagoda.plugins.records import PluginRefused
from pagoda_api import endpoint_fence
from pagoda_api.bulkhead import Bulkhead
from pagoda_api.endpoint_fence import EndpointFence
from pagoda_api.testing.host import browser_of
from pagoda_api.worker import ServerStops
from pagoda_plugin_sdk import Plugin
from pagoda_plugin_sdk.decorators import entry_panel

pytestmark = pytest.mark.django_db


@pytest.fixture
def plugin(register: Callable[[Any], Any]) -> Any:
    return register(Placed())


@pytest.fixture
def fence() -> Iterator[EndpointFence]:
    """A fence that is soon out of patience."""
    fence = EndpointFence(
        budget=manager().budget,
        breaker=CircuitBreaker(MemoryStore(), Policy(consecutive_failures=2)),
        bulkhead=Bulkhead(limit=2, process_limit=2),
        timeout_seconds=0.3,
        max_response_bytes=3000,
    )
    replaced = endpoint_fence.install(fence)
    yield fence
    endpoint_fence.install(replaced)


@pytest.fixture
def look(ann: Any, web: Any, fence: EndpointFence) -> Callable[..., Any]:
    def at(user: Any = ann, entry: Any = web) -> Any:
        answer = browser_of(user).get(reverse("console-entry", args=[entry.pk]))
        assert answer.status_code == 200
        return answer

    return at


def notices(answer: Any) -> list[tuple[str, str]]:
    return [(each.title, each.notice) for each in answer.context["panels"] if each.notice]


def test_panels_stand_in_their_order_and_their_texts_are_escaped(plugin: Any, look: Any) -> None:
    plugin.does = "nothing"
    answer = look()
    assert [each.title for each in answer.context["panels"]] == ["Everywhere", "Last"]
    text = answer.content.decode()
    assert "web has &lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;, for ANN" in text
    assert text.index("Everywhere") < text.index(">Last<")


def test_a_panel_of_an_entity_is_on_its_entries_alone(
    plugin: Any, look: Any, make_entity: Any, make_entry: Any
) -> None:
    other = make_entry(make_entity("Other"), "other")
    assert [each.title for each in look(entry=other).context["panels"]] == ["Everywhere"]
    Entry.objects.filter(pk=other.pk).update(is_active=False)
    assert look(entry=other).context["panels"] == []


def test_plugins_stand_in_load_order_where_the_priority_is_one(
    register: Callable[[Any], Any], plugin: Any, look: Any
) -> None:
    class Second(Plugin):
        id = name = "second"

        @entry_panel(title="Second", priority=50)
        def second(self, request: Any, entry: Any) -> Any:
            return None, 3

    register(Second())
    assert [each.title for each in look().context["panels"]] == ["Everywhere", "Second", "Last"]


@pytest.mark.parametrize(
    ("does", "told"),
    [
        ("ValueError", "failed. The cause is in the server's log under request id"),
        ("SystemExit", "failed. The cause is in the server's log under request id"),
        ("CancelledError", "failed. The cause is in the server's log under request id"),
        ("HookRejected", ": <i>not today</i>"),
        ("BadRequest", ": what?"),
        ("hangs", "failed: it was cut off: it ran longer than its time budget of 0.3 s."),
        ("spins", "failed: it was cut off: it ran longer than its time budget of 0.3 s."),
        ("a number", "failed: it returned int, expected (template, context) or None."),
        ("a template alone", "failed: it returned str, expected (template, context) or None."),
        ("no context", "failed: it returned tuple, expected (template, context) or None."),
        ("a template of none", "failed: it returned tuple, expected (template, context) or None."),
        ("keys that are none", "failed: it returned a context whose keys are not strings."),
        ("missing", "names the template 'placed/missing.html', which is not below templates/ of its package"),
        ("the host's own", "names the template 'admin/base.html', which is not below templates/"),
        ("outside", "names the template '../plugin.py', which is not below templates/"),
        ("broken", "failed. The cause is in the server's log under request id"),
        ("large", "failed: it drew 5038 bytes, at most 3000 are allowed (PLUGIN_MAX_RESPONSE_BYTES)."),
    ],
)
def test_one_that_goes_wrong_is_a_notice_that_names_its_plugin(
    plugin: Any, look: Any, does: str, told: str
) -> None:
    plugin.does = does
    answer = look()
    [(title, notice)] = notices(answer)
    assert title == "Faulty & <b>bold</b>"
    assert "'placed'" in notice
    assert told in notice
    text = answer.content.decode()
    assert "Faulty &amp; &lt;b&gt;bold&lt;/b&gt;" in text
    assert "<i>" not in text
    assert "web has" in text


def test_the_servers_own_end_passes(plugin: Any, look: Any) -> None:
    plugin.does = "ServerStops"
    with pytest.raises(ServerStops):
        look()


@pytest.mark.parametrize("does", ["nothing", "Http404", "PermissionDenied", "PluginSecurityError"])
def test_one_with_nothing_for_this_user_is_left_out(plugin: Any, look: Any, does: str) -> None:
    assert does not in RETURNED or RETURNED[does] is None
    plugin.does = does
    assert [each.title for each in look().context["panels"]] == ["Everywhere", "Last"]


def test_a_panel_sees_what_its_user_may_see(
    plugin: Any, look: Any, make_user: Any, make_entry: Any, web: Any
) -> None:
    secret = make_entry(web.schema, "secret")
    assert "web has 1, for ANN" in look().content.decode()
    Entry.objects.filter(pk=secret.pk).update(default_permission=Level.NOTHING)
    assert "web has 0, for BOB" in look(make_user("bob")).content.decode()


def test_who_may_not_see_the_entry_gets_no_panel(plugin: Any, make_user: Any, web: Any, fence: Any) -> None:
    Entity.objects.filter(pk=web.schema_id).update(default_permission=Level.NOTHING)
    plugin.does = "ServerStops"  # which nothing would hold up
    answer = browser_of(make_user("bob")).get(reverse("console-entry", args=[web.pk]))
    assert answer.status_code == 404


@pytest.mark.django_db(transaction=True)
def test_a_panel_that_fails_too_often_is_out_of_service(plugin: Any, look: Any, fence: EndpointFence) -> None:
    plugin.does = "ValueError"
    for _ in range(2):
        look()
    told = notices(look())
    assert [title for title, _ in told] == ["Everywhere", "Faulty & <b>bold</b>", "Last"]
    assert {notice.partition(" Try")[0] for _, notice in told} == {
        "Plugin 'placed' is out of service here, as it failed too often."
    }
    assert [(each.plugin, each.state) for each in fence.breaker.states()] == [("placed", "open")]


def test_beyond_the_plugins_share_it_is_busy(plugin: Any, look: Any, fence: EndpointFence) -> None:
    with fence.bulkhead.slot("placed"), fence.bulkhead.slot("placed"):
        assert {notice for _, notice in notices(look())} == {
            "Plugin 'placed' has as many requests at work as one plugin may have."
        }
    assert notices(look()) == []


def test_a_host_without_panels_asks_nothing_more(ann: Any, web: Any, register: Any, fence: Any) -> None:
    browser, url = browser_of(ann), reverse("console-entry", args=[web.pk])
    browser.get(url)
    with CaptureQueriesContext(connection) as before:
        browser.get(url)
    register(Placed())
    with CaptureQueriesContext(connection) as after:
        browser.get(url)
    assert len(after) == len(before) + 4  # the entry, what one panel asks for, and two for ann's permissions


@pytest.mark.parametrize(("made", "told"), [(Coroutine, "is a coroutine function"), (Narrow, "can't take")])
def test_a_panel_that_cannot_be_called_keeps_its_plugin_out(register: Any, made: Any, told: str) -> None:
    with pytest.raises(PluginRefused, match=told):
        register(made())
