"""Entities are made and changed in the console, by the API's own rules."""

from __future__ import annotations

from typing import Any

import pytest

from pagoda.domain.entity.models import Entity
from pagoda.domain.user.models import Level
from pagoda_api.testing.host import browser_of

pytestmark = pytest.mark.django_db

NEW = "/console/entities/new/"


def sent(**given: str) -> dict[str, str]:
    return {f"attr-{key}": value for key, value in given.items()}


@pytest.fixture
def browser(make_user: Any) -> Any:
    return browser_of(make_user("root", is_superuser=True))


def test_an_entity_is_made_and_leads_to_its_attributes(browser: Any) -> None:
    assert f'href="{NEW}"' in browser.get("/console/entities/").content.decode()
    answer = browser.post(NEW, sent(name="Switch", note="of racks", default_permission="readable"))
    made = Entity.objects.get(name="Switch")
    assert answer.headers["Location"] == f"/console/entities/{made.pk}/attributes/"
    assert (made.note, made.default_permission) == ("of racks", Level.READABLE)


def test_what_is_refused_stands_beside_its_field(browser: Any, web: Any) -> None:
    for name, status in (("", 400), (web.schema.name, 409)):
        answer = browser.post(NEW, sent(name=name))
        assert answer.status_code == status, name
        assert [each.attr["id"] for each in answer.context["fields"] if each.faults] == ["name"]
        assert 'aria-invalid="true"' in answer.content.decode()
    assert Entity.objects.count() == 1


def test_an_entity_is_changed_unless_somebody_else_has(browser: Any, web: Any) -> None:
    url = f"/console/entities/{web.schema_id}/edit/"
    assert f'href="{url}"' in browser.get(f"/console/entities/{web.schema_id}/attributes/").content.decode()
    seen = browser.get(url).context["version"]
    assert seen
    same = sent(name="Machine", note="all", default_permission=browser_level(browser, url))
    assert browser.post(url, {**same, "version": seen}).status_code == 302
    assert Entity.objects.get(pk=web.schema_id).name == "Machine"

    stale = browser.post(url, {**same, **sent(name="Other"), "version": seen})
    assert stale.status_code == 412
    assert Entity.objects.get(pk=web.schema_id).name == "Machine"
    assert 'value="Other"' in stale.content.decode()


def browser_level(browser: Any, url: str) -> str:
    [level] = [each for each in browser.get(url).context["fields"] if each.attr["id"] == "default_permission"]
    return str(level.rows[0].text)


def test_who_may_not_add_entities_is_told(make_user: Any) -> None:
    answer = browser_of(make_user("plain")).post(NEW, sent(name="Switch"))
    assert answer.status_code == 403
    assert "Adding entities takes a right" in answer.content.decode()
    assert not Entity.objects.exists()
