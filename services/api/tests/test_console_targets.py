"""What a reference may point to: suggested by what is typed, found by its name, and told where it is not."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from pagoda.domain.entity.models import Entity
from pagoda.domain.entry.models import Entry
from pagoda.domain.user.models import Level, Role, User
from pagoda_api.console import targets
from pagoda_api.console.asking import ask
from pagoda_api.console.targets import find_target
from pagoda_api.console.values import AttrField, as_number, own_field
from pagoda_api.testing.host import browser_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser(ann: Any) -> Client:
    return browser_of(ann)


@pytest.fixture
def room(make_entity: Any, make_entry: Any) -> Any:
    entity = make_entity("Room")
    for name in ("hall", "north hall", "shall", "ha", "東京本社", "a/b %+#&"):
        make_entry(entity, name)
    return entity


@pytest.fixture
def rack(room: Any) -> Any:
    attrs: list[dict[str, Any]] = [
        {"name": "room", "type": "object", "referral": [room.pk]},
        {"name": "rooms", "type": "array_object", "referral": [room.pk]},
        {"name": "anything", "type": "named_object"},
        {"name": "team", "type": "group"},
        {"name": "size", "type": "number"},
    ]
    return Entity.objects.create_entity(user=None, name="Rack", default_permission=Level.FULL, attrs=attrs)


def suggested(browser: Client, entity: Any, text: str) -> list[str]:
    query = {"type": "object", "of": "x", "x": text, "entity": entity.pk}
    found = browser.get("/console/suggestions/", query).content.decode()
    return re.findall(r'<option value="(.*?) #\d+"', found)


def stored(browser: Client, rack: Any, sent: Mapping[str, Any]) -> Any:
    keys = {attr.name: f"attr-{attr.pk}" for attr in rack.attrs.all()}
    data = {"name": f"rack {Entry.objects.count()}", **{keys[name]: value for name, value in sent.items()}}
    return browser.post(f"/console/entities/{rack.pk}/new/", data)


@pytest.mark.parametrize(
    ("typed", "among_few", "among_many"),
    [
        ("h", ["hall", "ha", "north hall", "shall"], ["hall", "ha", "north hall"]),
        ("ha", ["hall", "ha", "north hall", "shall"], ["hall", "ha", "north hall"]),
        ("hal", ["hall", "north hall", "shall"], ["hall", "north hall", "shall"]),
        ("本社", ["東京本社"], []),
        ("東京", ["東京本社"], ["東京本社"]),
        ("%+", ["a/b %+#&amp;"], ["a/b %+#&amp;"]),
        ("zz", [], []),
    ],
)
def test_little_is_looked_for_where_an_index_leads(
    browser: Client,
    room: Any,
    typed: str,
    among_few: list[str],
    among_many: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert suggested(browser, room, typed) == among_few
    monkeypatch.setattr(targets, "FEW", 0)
    assert suggested(browser, room, typed) == among_many


def test_suggestions_are_bounded(
    browser: Client, room: Any, make_entry: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(30):
        make_entry(room, f"hall {number}")
    asked = list[str]()

    def noted(request: Any, url_name: str, *args: Any, **more: Any) -> Any:
        asked.append(url_name)
        return ask(request, url_name, *args, **more)

    monkeypatch.setattr(targets, "ask", noted)
    assert len(suggested(browser, room, "ha")) == targets.SUGGESTIONS
    assert len(asked) == 1, "what fills the list is asked for alone"
    assert len(suggested(browser, room, "")) == targets.SUGGESTIONS


def test_a_name_is_found_however_many_hold_it(browser: Client, room: Any, rack: Any, make_entry: Any) -> None:
    for number in range(30):
        make_entry(room, f"hall {number}")
    for typed in ("hall 29", " hall 29 ", "a/b %+#&"):
        answer = stored(browser, rack, {"room": typed})
        assert answer.status_code == 302, answer.context["fields"][0].faults
        made = Entry.objects.order_by("-pk").first()
        assert made is not None
        assert made.get_attrs()["room"]["name"] == typed.strip()


def test_what_names_nothing_is_told_beside_its_field(browser: Client, rack: Any, make_entity: Any) -> None:
    twice = [Entity.objects.create_entity(user=None, name=each, default_permission=8) for each in ("A", "B")]
    for entity in twice:
        Entry.objects.create_entry(user=None, schema=entity, name="twin")
    Group.objects.create(name="ops")
    answer = stored(
        browser, rack, {"room": "nobody <i>", "rooms": ["hall", "1"], "anything": "twin", "team": "op"}
    )
    assert answer.status_code == 400
    faults = {each.attr["name"]: each.faults for each in answer.context["fields"] if each.faults}
    none = "None that you may see is called “%s”: choose one that is suggested, or name #id."
    assert faults == {
        "room": [none % "nobody <i>"],
        "rooms": [none % "1"],
        "anything": ["Several are called “twin”: choose one of them, as name #id."],
        "team": [none % "op"],
    }
    text = answer.content.decode()
    assert "Nothing is stored: see what is said beside the values." in text
    assert "its id or {" not in text
    assert "<i>" not in text
    assert not Entry.objects.filter(schema=rack).exists()


def test_many_at_once_are_told_so_too(browser: Client, rack: Any, make_entry: Any) -> None:
    entry = make_entry(rack, "rack")
    key = f"attr-{rack.attrs.get(name='room').pk}"
    data = {"pick": f"rack #{entry.pk}", "set": key, key: "nobody", "sure": "1", "do": "edit"}
    answer = browser.post(f"/console/entities/{rack.pk}/bulk/", data)
    assert answer.status_code == 400
    assert "called “nobody”" in answer.content.decode()


@pytest.mark.parametrize("text", ["NaN", "inf", "-Infinity", "1e400", "9" * 5000, "1e310", "1,5", "0x10", ""])
def test_what_json_has_no_number_for_is_told_beside_its_field(browser: Client, rack: Any, text: str) -> None:
    assert as_number(text) == text
    if text:
        answer = stored(browser, rack, {"size": text})
        assert answer.status_code == 400
        assert [each.attr["name"] for each in answer.context["fields"] if each.faults] == ["size"]


@pytest.mark.parametrize("text", ["9" * 310, "-" + "9" * 4299])
def test_a_number_of_many_digits_is_the_api_s_to_judge(browser: Client, rack: Any, text: str) -> None:
    assert as_number(text) == int(text)
    answer = stored(browser, rack, {"size": text})
    assert answer.status_code == 400
    assert [each.attr["name"] for each in answer.context["fields"] if each.faults] == ["size"]


@pytest.mark.parametrize("kind", ["group", "role", "user", "entity"])
def test_a_name_is_found_among_many_that_have_it_in_theirs(
    rf: Any, make_user: Any, make_entity: Any, kind: str
) -> None:
    makers = {"user": make_user, "entity": make_entity}
    models: dict[str, Any] = {"group": Group, "role": Role}
    make = makers.get(kind) or (lambda name: models[kind].objects.create(name=name))
    for number in range(25):
        make(f"a{number:02}-ops")
    made = make("ops")
    request = rf.get("/")
    request.user, request.session = make_user("root", is_superuser=True), {}
    field = AttrField(own_field(kind, kind, kind), [])
    assert find_target(request, field, "ops") == made.pk, field.unknown
    assert find_target(request, field, f"#{made.pk}") == made.pk
    assert find_target(request, field, "op") == "op"
    assert len(field.unknown) == 1


def test_names_that_look_like_ids_come_before_ids(
    browser: Client, rack: Any, room: Any, make_entry: Any
) -> None:
    first = Entry.objects.get(name="hall")
    named = make_entry(room, f"#{first.pk}")
    assert stored(browser, rack, {"room": named.name}).status_code == 302
    assert Entry.objects.filter(schema=rack).latest("pk").get_attrs()["room"]["id"] == named.pk
    for typed in (f"hall #{first.pk}", f"#{named.pk}"):
        assert stored(browser, rack, {"room": typed}).status_code == 302
    ids = [each.get_attrs()["room"]["id"] for each in Entry.objects.filter(schema=rack).order_by("pk")]
    assert ids == [named.pk, first.pk, named.pk]


@pytest.mark.parametrize("many", [22, 51])
def test_a_name_is_found_in_each_entity_that_a_reference_may_lead_to(
    browser: Client, make_entity: Any, make_entry: Any, many: int
) -> None:
    entities = [make_entity(f"E{number}") for number in range(many)]
    spec = {"name": "to", "type": "object", "referral": [each.pk for each in entities]}
    holder = Entity.objects.create_entity(user=None, name="H", default_permission=Level.FULL, attrs=[spec])
    last = make_entry(entities[-1], "last one")
    make_entry(make_entity("Elsewhere"), "last one")
    assert stored(browser, holder, {"to": "last one"}).status_code == 302
    assert Entry.objects.get(schema=holder).get_attrs()["to"]["id"] == last.pk
    make_entry(entities[0], "last one")
    answer = stored(browser, holder, {"to": "last one"})
    assert answer.status_code == 400
    assert "Several are called “last one”" in answer.content.decode()


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_name_is_found_however_it_is_spelled(
    browser: Client, rack: Any, room: Any, make_entry: Any, form: Any
) -> None:
    cafe = make_entry(room, "Café")
    group = Group.objects.create(name="Équipe")
    typed = {"room": f"{unicodedata.normalize(form, 'Café')} ", "team": unicodedata.normalize(form, "Équipe")}
    root = User.objects.create_superuser("root")
    assert stored(browser_of(root), rack, typed).status_code == 302
    label = unicodedata.normalize(form, f"Café #{cafe.pk}")
    assert stored(browser, rack, {"room": label}).status_code == 302
    found = [each.get_attrs() for each in Entry.objects.filter(schema=rack).order_by("pk")]
    assert [each["room"]["id"] for each in found] == [cafe.pk, cafe.pk]
    assert found[0]["team"]["id"] == group.pk
    assert suggested(browser, room, unicodedata.normalize(form, "café")) == ["Café"]


@pytest.mark.parametrize("typed", ["h", "hal", "zz"])
def test_completion_costs_the_same_for_many_entities(
    browser: Client, room: Any, make_entity: Any, typed: str
) -> None:
    others = [make_entity(f"E{number}").pk for number in range(20)]
    counts = []
    for entities in ([room.pk], [room.pk, *others]):
        query = {"type": "object", "of": "x", "x": typed, "entity": entities}
        with CaptureQueriesContext(connection) as asked:
            assert browser.get("/console/suggestions/", query).status_code == 200
        counts.append(len(asked))
    assert counts[0] == counts[1] <= 40
