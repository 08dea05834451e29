"""The page of a plugin's settings: what its model takes, and for staff what holds, without secrets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pydantic import BaseModel, Field, SecretStr

from pagoda.plugins.registry import registry
from pagoda_api.testing.host import browser_of
from pagoda_plugin_sdk import Plugin

pytestmark = pytest.mark.django_db

URL = "/console/plugins/set-up/settings/"
HIDDEN = "hunter2"


class Conf(BaseModel):
    address: str = Field(description="Of the <b>server</b>")
    limit: int = 60
    token: SecretStr
    db_password: str = ""
    url: str = ""


class SetUp(Plugin):
    id = "set-up"
    name = "Set up"
    settings_model = Conf


GIVEN = {
    "address": "<i>here</i>",
    "token": HIDDEN,
    "db_password": HIDDEN,
    "url": f"https://ann:{HIDDEN}@example.org/",
}


@pytest.fixture(autouse=True)
def plugin(register: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    host = replace(registry().host, plugin_settings={"set-up": GIVEN})
    monkeypatch.setattr(registry(), "host", host)
    register(SetUp())


@pytest.fixture
def staff(make_user: Any) -> Client:
    return browser_of(make_user("root", is_superuser=True))


def test_staff_see_what_holds_and_no_secret(staff: Client) -> None:
    answer = staff.get(URL)
    text = answer.content.decode()
    assert answer.status_code == 200
    assert HIDDEN not in text
    assert "<code>&lt;i&gt;here&lt;/i&gt;</code></td><td><code>PLUGIN_SETTINGS</code>" in text
    assert "<td>Of the &lt;b&gt;server&lt;/b&gt;</td>" in text
    assert '<th scope="row"><code>limit</code></th><td><code>int</code></td><td><code>60</code></td>' in text
    assert "<code>60</code></td><td>default</td>" in text
    assert "https://ann:[Filtered]@example.org/" in text
    assert text.count("<code>[Filtered]</code></td><td><code>PLUGIN_SETTINGS</code>") == 2


def test_others_see_what_it_takes(ann: Any, api: Any) -> None:
    text = browser_of(ann).get(URL).content.decode()
    assert ("<code>limit</code>" in text, "here&lt;" in text, "[Filtered]@" in text) == (True, False, False)
    assert text.count("shown to staff, of a plugin in service") == len(Conf.model_fields)
    told = api.get("/api/v2/plugins/set-up/").json()["settings"]
    assert {(each["value"], each["origin"]) for each in told} == {(None, None)}
    assert [each["is_secret"] for each in told] == [False, False, True, True, False]


def test_the_api_tells_staff_and_no_secret(superuser_api: Any) -> None:
    for url in ("/api/v2/plugins/set-up/", "/api/v2/plugins/set-up/about/", "/api/v2/plugins/"):
        answer = superuser_api.get(url)
        assert (answer.status_code, HIDDEN in answer.content.decode()) == (200, False), url
    told = superuser_api.get("/api/v2/plugins/set-up/").json()["settings"]
    assert [each["value"] for each in told] == [
        "<i>here</i>",
        60,
        "[Filtered]",
        "[Filtered]",
        "https://ann:[Filtered]@example.org/",
    ]


def test_the_plugin_s_page_leads_there(staff: Client) -> None:
    text = staff.get("/console/plugins/set-up/").content.decode()
    assert f'<a href="{URL}">5, and what holds here</a>' in text
    assert HIDDEN not in text


def test_who_may_not_look(staff: Client) -> None:
    assert Client().get(URL)["Location"] == f"/console/login/?next={URL}"
    assert staff.get("/console/plugins/nobody/settings/").status_code == 404
    assert staff.post(URL).status_code == 405


def test_it_takes_no_query_per_setting(staff: Client) -> None:
    staff.get(URL)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        staff.get(URL)
    assert len(queries) <= 4, [each["sql"] for each in queries]
