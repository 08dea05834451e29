"""An entity is deleted in the console after a look at what that meets, and restored."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest

from pagoda.domain.entity.models import Entity
from pagoda.domain.search.saving import store_search
from pagoda.domain.user.models import Level
from pagoda_api.testing.host import browser_of

pytestmark = pytest.mark.django_db

EVIL = "<script>alert(1)</script>"


@pytest.fixture
def root(make_user: Any) -> Any:
    return make_user("root", is_superuser=True)


@pytest.fixture
def room(make_entity: Any) -> Any:
    return make_entity(f"Room {EVIL}", floor="number")


def page_of(entity: Any, verb: str = "delete/") -> str:
    return f"/console/entities/{entity.pk}/{verb}"


def save(user: Any, name: str, search: Any, *, is_shared: bool = False) -> None:
    store_search(user, name=name, search=search, is_shared=is_shared)


def point_to(entity: Any, name: str, attr: str = "room") -> Any:
    attrs = [{"name": attr, "type": "object", "referral": [entity.pk]}]
    return Entity.objects.create_entity(user=None, name=name, default_permission=Level.FULL, attrs=attrs)


def test_an_entity_is_deleted_after_a_look_and_restored(root: Any, room: Any) -> None:
    browser = browser_of(root)
    rack = point_to(room, f"Rack {EVIL}")
    point_to(room, "Secret").delete()
    save(root, f"high {EVIL}", {"entities": [room.pk]})
    save(root, "elsewhere", {"entities": [rack.pk]})
    assert f'href="{page_of(room)}"' in browser.get(page_of(room, "attributes/")).content.decode()

    asked = browser.get(page_of(room))

    met, text = asked.context["met"], asked.content.decode()
    assert (met["refused"], met["entries"], met["are_more"]) == ("", 0, False)
    assert [(each["entity"]["name"], each["name"]) for each in met["attributes"]] == [(rack.name, "room")]
    assert [each["name"] for each in met["searches"]] == [f"high {EVIL}"]
    assert "They stay, and are refused while it is deleted." in text
    assert EVIL not in text
    assert Entity.objects.get(pk=room.pk).is_active

    answer = browser.post(page_of(room), {"version": asked.context["version"]}, follow=True)
    assert "is deleted. Its page can restore it." in answer.content.decode()
    assert not Entity.objects.get(pk=room.pk).is_active
    assert page_of(room, "") not in browser.get("/console/entities/").content.decode()
    assert page_of(room, "") in browser.get("/console/entities/?is_active=false").content.decode()
    shown = browser.get(page_of(room, "")).content.decode()
    assert "This entity is deleted." in shown
    assert page_of(room, "new/") not in shown
    assert 'class="notice error"' not in shown

    restored = browser.post(page_of(room, "restore/"), follow=True).content.decode()
    assert "is restored." in restored
    assert Entity.objects.get(pk=room.pk).is_active


def test_entries_are_in_the_way_and_are_counted(root: Any, room: Any, make_entry: Any) -> None:
    browser = browser_of(root)
    gone = make_entry(room, "gone")
    gone.delete()
    for number in range(2):
        make_entry(room, f"room {number}")
    asked = browser.get(page_of(room))
    assert asked.context["met"]["entries"] == 2
    text = asked.content.decode()
    assert "has active entries; delete them first." in text
    assert '<button class="main">' not in text
    refused = browser.post(page_of(room), {"version": asked.context["version"]})
    assert refused.status_code == 409
    assert refused.content.decode().count("has active entries; delete them first.") == 1
    assert Entity.objects.get(pk=room.pk).is_active


def test_who_sees_less_is_told_less(make_user: Any, room: Any, make_entry: Any, grant: Any) -> None:
    plain = make_user("plain")
    rack = point_to(room, "Rack")
    hidden = make_entry(room, "hidden")
    type(hidden).objects.filter(pk=hidden.pk).update(default_permission=Level.NOTHING)
    Entity.objects.filter(pk=rack.pk).update(default_permission=Level.NOTHING)
    save(make_user("other"), "own", {"entities": [room.pk]})
    asked = browser_of(plain).get(page_of(room))
    met = asked.context["met"]
    assert (met["entries"], met["attributes"], met["searches"]) == (0, [], [])
    assert "some that you may not see" in asked.content.decode()

    Entity.objects.filter(pk=room.pk).update(default_permission=Level.WRITABLE)
    browser = browser_of(plain)
    refused = browser.get(page_of(room))
    assert refused.status_code == 403
    text = refused.content.decode()
    assert "Full permission on entity" in text
    assert '<button class="main">' not in text
    assert "<header>" in text, "the way on, as on every page that links lead to"
    assert browser.post(page_of(room)).status_code == 403
    assert Entity.objects.get(pk=room.pk).is_active
    Entity.objects.filter(pk=room.pk).update(is_active=False)
    assert 'class="notice error"' in browser.post(page_of(room, "restore/"), follow=True).content.decode()
    assert not Entity.objects.get(pk=room.pk).is_active


def test_an_entity_that_somebody_changed_meanwhile_stays(root: Any, room: Any) -> None:
    browser = browser_of(root)
    seen = browser.get(page_of(room)).context["version"]
    room.update_attrs(root, [{"name": "area", "type": "number"}])
    answer = browser.post(page_of(room), {"version": seen})
    assert answer.status_code == 412
    assert "Somebody else has changed this entity" in answer.content.decode()
    assert Entity.objects.get(pk=room.pk).is_active
    again = browser.post(page_of(room), {"version": answer.context["version"]})
    assert again.headers["Location"] == "/console/entities/"
    assert not Entity.objects.get(pk=room.pk).is_active


def test_a_search_names_its_entities_by_id_or_name(superuser_api: Any, root_user: Any, room: Any) -> None:
    for number, named in enumerate((room.pk, str(room.pk), room.name, "Other")):
        save(root_user, f"s{number}", {"entities": [named]})
    save(root_user, "everywhere", {"text": "x"})
    found = superuser_api.get(f"/api/v2/entities/{room.pk}/deletion/").json()
    assert [each["name"] for each in found["searches"]] == ["s0", "s1", "s2"]


@pytest.mark.parametrize("name", ['Überraum "%_\\', "東京", "Rack 'a'"])
def test_a_search_is_found_behind_many_that_others_share(
    superuser_api: Any,
    root_user: Any,
    make_user: Any,
    make_entity: Any,
    name: str,
) -> None:
    entity, other = make_entity(name), make_user("other")
    for number in range(5):
        search = {"entities": ["Elsewhere"]}
        save(other, f"a{number}", search, is_shared=True)
    for number, user in ((0, other), (1, root_user), (2, root_user)):
        named = name if number < 2 else unicodedata.normalize("NFD", name)
        save(user, f"b{number}", {"entities": [named]}, is_shared=True)
    found = superuser_api.get(f"/api/v2/entities/{entity.pk}/deletion/").json()
    assert [each["name"] for each in found["searches"]] == ["b1", "b2", "b0"]


@pytest.fixture
def root_user(superuser_api: Any) -> Any:
    from pagoda.domain.user.models import User

    return User.objects.get(username="root")
