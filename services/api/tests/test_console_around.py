"""The page of an entry: what its versions changed, taking one back, and its neighbours."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from pagoda.domain.entry.services import update_entry
from pagoda_api.testing.host import browser_of

pytestmark = pytest.mark.django_db

EVIL = "<script>alert(1)</script>"


@pytest.fixture
def rack(make_entity: Any, make_entry: Any) -> Any:
    entity = make_entity("Rack", serial="string", tags="array_string", room="object")
    room = make_entry(make_entity("Room", front="object"), f"room {EVIL}")
    return make_entry(entity, "rack 1", serial="S-1", tags=["a", "b"], room=room.pk)


def versions(browser: Client, rack: Any, attr: str) -> list[Any]:
    shown = browser.get(reverse("console-entry", args=[rack.pk])).context["versions"]
    return [each for each in shown if each["attr"] and each["attr"]["name"] == attr]


def test_versions_tell_what_was_before_and_are_taken_back(ann: Any, rack: Any) -> None:
    browser = browser_of(ann)
    update_entry(rack, ann, attrs={"serial": EVIL, "tags": ["b", "c"]})
    now, first = versions(browser, rack, "serial")
    assert (now["before"], now["value"], first["before"], first["is_known"]) == ("S-1", EVIL, None, True)
    tags = versions(browser, rack, "tags")[0]
    assert (tags["added"], tags["removed"]) == (["c"], ["a"])
    text = browser.get(reverse("console-entry", args=[rack.pk])).content.decode()
    assert EVIL not in text
    assert text.count("/revert/") == 2

    answer = browser.post(reverse("console-entry-revert", args=[rack.pk, first["id"]]), follow=True)
    assert "Entry rack 1 is stored." in answer.content.decode()
    assert rack.get_attrs()["serial"] == "S-1"
    assert [each["value"] for each in versions(browser, rack, "serial")] == ["S-1", EVIL, "S-1"]


def test_what_was_before_a_page_is_not_guessed(ann: Any, rack: Any) -> None:
    for number in range(2, 5):
        update_entry(rack, ann, attrs={"serial": f"S-{number}"})
    answer = browser_of(ann).get(reverse("console-entry-history", args=[rack.pk]), {"limit": 2})
    assert [each["is_known"] for each in answer.context["versions"]] == [True, False]
    assert "on a further page" in answer.content.decode()


def test_who_may_not_change_it_takes_nothing_back(ann: Any, rack: Any, make_user: Any) -> None:
    update_entry(rack, ann, attrs={"serial": "S-2"})
    first = versions(browser_of(ann), rack, "serial")[1]["id"]
    type(rack.schema).objects.update(default_permission=2)
    url = reverse("console-entry-revert", args=[rack.pk, first])
    answer = browser_of(make_user("bob")).post(url, follow=True)
    assert 'class="notice error"' in answer.content.decode()
    assert rack.get_attrs()["serial"] == "S-2"


def test_neighbours_are_drawn_with_their_attributes(
    ann: Any, rack: Any, make_entry: Any, django_assert_max_num_queries: Any
) -> None:
    browser, url = browser_of(ann), reverse("console-entry", args=[rack.pk])
    assert [each["label"] for each in browser.get(url).context["picture"]["targets"]] == ["room"]
    for number in range(50):
        make_entry(rack.schema.__class__.objects.get(name="Room"), f"way in {number}", front=rack.pk)
    with django_assert_max_num_queries(18):
        answer = browser.get(url)
    drawn = answer.context["picture"]
    assert 0 < len(drawn["sources"]) < 50
    assert drawn["is_cut"]
    text = answer.content.decode()
    assert "<svg" in text
    assert "There are more than are drawn." in text
    assert EVIL not in text


def test_an_entry_by_itself_has_no_picture(ann: Any, web: Any) -> None:
    assert "<svg" not in browser_of(ann).get(reverse("console-entry", args=[web.pk])).content.decode()
