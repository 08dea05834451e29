"""One of each place in the console, on the real host."""

from __future__ import annotations

from typing import Any

import pytest

from pagoda_plugin_sdk import PermissionLevel
from pagoda_plugin_sdk.models import Entity, Entry


@pytest.fixture
def entry(pagoda_host: Any) -> Any:
    entity = Entity.objects.create_entity(user=None, name="Greeting")
    pagoda_host.allow(pagoda_host.user("ann"), PermissionLevel.FULL, entity)
    return Entry.objects.create_entry(user=None, schema=entity, name="<b>Ann</b>")


def test_an_entry_shows_its_greeting(pagoda_host: Any, entry: Any) -> None:
    page = pagoda_host.browser(pagoda_host.user("ann")).get(f"/console/entries/{entry.id}/")

    assert [(each.title, each.notice) for each in page.context["panels"]] == [("Greeting", "")]
    assert "<p>Hello, &lt;b&gt;Ann&lt;/b&gt;!</p>" in page.content.decode()


def test_the_menu_leads_to_its_page(pagoda_host: Any) -> None:
    browser = pagoda_host.browser(pagoda_host.user("ann"))

    assert '<a href="/console/plugins/hello-world-plugin/hello/">Hello</a>' in (
        browser.get("/console/").content.decode()
    )
    page = browser.get("/console/plugins/hello-world-plugin/hello/").content.decode()
    assert "<h1>Hello</h1>" in page
    assert "<p>Hello, ann!</p>" in page
    assert 'href="/console/entities/"' in page


def test_a_button_says_hello(pagoda_host: Any, entry: Any) -> None:
    browser = pagoda_host.browser(pagoda_host.user("ann"))
    url = f"/console/entries/{entry.id}/actions/hello-world-plugin/say_hello/"

    page = browser.post(url, follow=True)

    assert f'<form action="{url}" method="post">' in page.content.decode()
    assert [str(each) for each in page.context["messages"]] == ["Hello, <b>Ann</b>!"]
