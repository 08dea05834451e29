"""The page of an entry: what its versions changed, taking one back, and its neighbours."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from pagoda.domain.entry.services import update_entry
from pagoda_api.console.around import with_before
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
    assert len(re.findall(r"/revert/\d+/", text)) == 2

    answer = browser.post(reverse("console-entry-revert", args=[rack.pk, first["id"]]), follow=True)
    assert "Entry rack 1 is stored." in answer.content.decode()
    assert rack.get_attrs()["serial"] == "S-1"
    assert [each["value"] for each in versions(browser, rack, "serial")] == ["S-1", EVIL, "S-1"]


def test_the_whole_entry_goes_back_to_a_time(ann: Any, rack: Any) -> None:
    browser = browser_of(ann)
    moment = timezone.now().isoformat()
    update_entry(rack, ann, name="rack 2", attrs={"serial": "S-2", "tags": ["c"]})
    url = reverse("console-entry-revert-all", args=[rack.pk])

    answer = browser.post(url, {"at": moment}, follow=True)

    assert "Entry rack 1 is stored." in answer.content.decode()
    rack.refresh_from_db()
    assert (rack.name, rack.get_attrs()["serial"], rack.get_attrs()["tags"]) == ("rack 1", "S-1", ["a", "b"])


@pytest.mark.parametrize(
    ("seconds", "has_newer", "offered"),
    [
        ((30, 29.9, 10, 9.9, 9.8, 0), False, (10, 0)),  # the rows of a write are offered once, by their last
        ((30, 10), True, (30, 10)),
        ((5, 4, 3), False, ()),
        ((5,), False, ()),
        ((5,), True, (5,)),
    ],
)
def test_the_ends_of_writes_are_offered_to_go_back_to(
    seconds: Sequence[float], has_newer: bool, offered: Sequence[float]
) -> None:
    began = datetime(2026, 1, 1, tzinfo=UTC)
    rows = [
        {"kind": "changed", "created_time": (began + timedelta(seconds=each)).isoformat()} for each in seconds
    ]
    page = {"results": rows, "next": None, "previous": "?offset=0" if has_newer else None}
    marked = [each for each, row in zip(seconds, with_before(page), strict=True) if row["is_moment"]]
    assert tuple(marked) == offered


@pytest.mark.parametrize(
    ("at", "told"), [("", "at:"), ("soon", "at:"), ("1999-01-01T00:00:00Z", "not made yet")]
)
def test_an_entry_goes_back_to_no_time_that_it_has_not(ann: Any, rack: Any, at: str, told: str) -> None:
    url = reverse("console-entry-revert-all", args=[rack.pk])
    answer = browser_of(ann).post(url, {"at": at}, follow=True)
    assert told in answer.content.decode()
    assert rack.get_attrs()["serial"] == "S-1"


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
