"""What was done: the history of an entity, and the audit log, in the console."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from pagoda.audit.actions import Action
from pagoda.domain.entity.services import update_entity
from pagoda_api.request_id import ACCEPTED
from pagoda_api.testing.host import browser_of
from pagoda_api.words import WORDS

pytestmark = pytest.mark.django_db

EVIL = "<script>alert(1)</script>"
AUDIT = "/console/audit/"


@pytest.fixture
def browser(make_user: Any) -> Client:
    return browser_of(make_user("root", is_superuser=True))


def test_the_history_of_an_entity_tells_who_changed_what(browser: Client, ann: Any, make_entity: Any) -> None:
    entity = make_entity("Rack", serial="string")
    update_entity(entity, ann, name=f"Rack {EVIL}", attrs=[{"name": f"new {EVIL}", "type": "string"}])
    url = f"/console/entities/{entity.pk}/history/"
    assert f'href="{url}"' in browser.get(f"/console/entities/{entity.pk}/").content.decode()
    answer = browser.get(url)
    rows, text = answer.context["rows"], answer.content.decode()
    assert {"changed", "created", "attribute_added"} <= {each["kind"] for each in rows}
    [renamed] = [each["changes"]["name"] for each in rows if each["kind"] == "changed"]
    assert renamed == {"old": "Rack", "new": f"Rack {EVIL}"}
    assert "ann" in text
    assert EVIL not in text
    first = browser.get(url, {"limit": 1})
    assert len(first.context["rows"]) == 1
    assert first.context["pages"]["next"]


def test_the_history_names_fields_in_the_language_of_the_page(
    browser: Client, ann: Any, make_entity: Any
) -> None:
    entity = make_entity("Rack", serial="string")
    attr = entity.attrs.get()
    update_entity(entity, ann, attrs=[{"id": attr.pk, "is_mandatory": True}])
    url = f"/console/entities/{entity.pk}/history/"
    assert "is mandatory: " in browser.get(url).content.decode()
    text = browser.get(url, headers={"accept-language": "ja"}).content.decode()
    assert "必須: " in text
    assert "mandatory" not in text


def test_auditors_find_events_by_the_url(browser: Client, ann: Any, make_entity: Any) -> None:
    entity = make_entity(f"Rack {EVIL}")
    update_entity(entity, ann, note="n")
    update_entity(entity, ann, note="m")
    answer = browser.get(
        AUDIT, {"subject_type": "entity", "subject_id": entity.pk, "action": "", "actor": "ann"}
    )
    events, text = answer.context["found"]["results"], answer.content.decode()
    assert [each["action"] for each in events] == ["entity.updated"] * 2
    assert EVIL not in text
    assert f"/api/v2/audit/export/?subject_type=entity&amp;subject_id={entity.pk}&amp;actor=ann" in text
    page = browser.get(f"{AUDIT}?limit=1&subject_type=entity&action=entity.updated&action=entity.created")
    assert "subject_type=entity" in page.context["pages"]["next"]
    further = browser.get(AUDIT + page.context["pages"]["next"])
    assert further.context["found"]["results"][0]["id"] < page.context["found"]["results"][0]["id"]


@pytest.mark.parametrize(
    "query", ["job_id=x", "happened_after=soon", "action=nothing", "nonsense=1", "cursor=x"]
)
def test_a_wrong_filter_is_told(browser: Client, query: str) -> None:
    answer = browser.get(f"{AUDIT}?{query}")
    assert answer.status_code == 400
    assert 'class="notice error"' in answer.content.decode()


def test_the_log_is_for_auditors(make_user: Any, browser: Client) -> None:
    plain = make_user("plain")
    assert browser_of(plain).get(AUDIT).status_code == 403
    assert AUDIT not in browser_of(plain).get("/console/me/").content.decode()
    plain.user_permissions.add(Permission.objects.get(codename="view_auditevent"))
    auditor = browser_of(type(plain).objects.get(pk=plain.pk))
    assert AUDIT in auditor.get("/console/me/").content.decode()
    assert auditor.get(AUDIT).status_code == 200
    assert AUDIT in browser.get("/console/").content.decode()


def test_the_entry_s_page_leads_to_its_events(browser: Client, web: Any) -> None:
    link = f"{AUDIT}?subject_type=entry&amp;subject_id={web.pk}"
    assert link in browser.get(f"/console/entries/{web.pk}/").content.decode()
    events = browser.get(link.replace("&amp;", "&")).context["found"]["results"]
    assert {each["subject_id"] for each in events} == {str(web.pk)}


@pytest.mark.parametrize("request_id", ["a/b:c=d@e+f", "one", "a//b"])
def test_a_request_id_of_any_form_has_its_page(browser: Client, web: Any, request_id: str) -> None:
    assert ACCEPTED.fullmatch(request_id)
    browser.post(f"/console/entries/{web.pk}/delete/", headers={"X-Request-ID": request_id})
    found = browser.get(AUDIT, {"request_id": request_id})
    [link] = set(re.findall(r'href="(/console/requests/[^"]+)"', found.content.decode()))
    events = browser.get(link).context["events"]["results"]
    assert [each["action"] for each in events] == ["entry.deleted"]


def test_each_action_is_a_word_of_the_console() -> None:
    assert {action.value for action in Action} - set(WORDS) == set()


def test_blanks_among_what_events_are_found_by_ask_for_nothing(browser: Client, make_entity: Any) -> None:
    make_entity("Rack")
    one = browser.get(f"{AUDIT}?action=&action=entity.created&actor=&limit=")
    assert one.status_code == 200
    assert {each["action"] for each in one.context["found"]["results"]} == {"entity.created"}
    assert '<select name="action">' in one.content.decode()
    two = browser.get(f"{AUDIT}?action=entity.created&action=entity.deleted").content.decode()
    assert '<select name="action" multiple>' in two
    assert re.findall(r'value="([\w.]+)" selected', two) == ["entity.created", "entity.deleted"]
