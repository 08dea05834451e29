"""What becomes of values when their attribute gets another type."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from pagoda.domain.entity.models import Entity, EntityAttr
from pagoda.domain.entity.services import (
    create_entity,
    preview_update,
    restore_attribute,
    update_entity,
)
from pagoda.domain.entry import services
from pagoda.domain.entry.following import Following
from pagoda.domain.entry.history import value_of, versions_of
from pagoda.domain.entry.models import AttributeValue, Entry
from pagoda.domain.entry.past import as_of, existing_at
from pagoda.domain.entry.reading import with_values, with_version
from pagoda.domain.user.models import Level, User
from pagoda_plugin_sdk.rules.value_types import attrs_of

pytestmark = pytest.mark.django_db


class Thing:
    """An entity with one attribute, ``value``, and entries that have it."""

    def __init__(self, kind: str, *values: Any, **spec: Any) -> None:
        attr = {"name": "value", "type": kind, **spec}
        self.entity = create_entity(None, name="Thing", attrs=[attr, {"name": "other", "type": "string"}])
        self.attr = EntityAttr.objects.get(parent_entity=self.entity, name="value")
        self.entries = [
            services.create_entry(None, self.entity, name=f"e{n}", attrs={"value": value})
            for n, value in enumerate(values)
        ]

    def becomes(self, kind: str, user: User | None = None, **spec: Any) -> None:
        update_entity(self.entity, user, attrs=[{"id": self.attr.pk, "type": kind, **spec}])

    def values(self) -> list[Any]:
        read = services.read_attrs([Entry.objects.get(pk=each.pk) for each in self.entries])
        return [read[each.pk]["value"] for each in self.entries]

    def faults(self, kind: str, user: User | None = None, **spec: Any) -> list[str]:
        with pytest.raises(ValidationError) as caught:
            self.becomes(kind, user, **spec)
        assert services.verify().wrong == ()
        faults: list[str] = caught.value.message_dict["value"]
        return faults


CONVERTED = [
    ("string", ["1", " 2.50 ", "-3e2", "", None], "number", [1, 2.5, -300.0, None, None]),
    ("number", [1, 2.5, None], "string", ["1", "2.5", None]),
    ("string", ["true", "FALSE"], "boolean", [True, False]),
    ("boolean", [True, False], "text", ["true", "false"]),
    ("boolean", [True, False], "number", [1, 0]),
    ("number", [1, 0], "boolean", [True, False]),
    ("string", ["a\nb"], "text", ["a\nb"]),
    ("string", ["a", None], "array_string", [["a"], []]),
    ("array_string", [["a"], []], "string", ["a", None]),
    ("array_string", [["1", "", "2"], []], "array_number", [[1, 2], []]),
    ("array_number", [[7]], "string", ["7"]),
]


@pytest.mark.parametrize(("kind", "values", "new", "expected"), CONVERTED, ids=str)
def test_values_follow_the_type(kind: str, values: list[Any], new: str, expected: list[Any]) -> None:
    thing = Thing(kind, *values)

    thing.becomes(new)

    assert thing.values() == expected
    assert services.verify().wrong == ()
    versions = AttributeValue.objects.filter(parent_attr__schema=thing.attr, is_latest=True)
    assert {each.value for each in versions.filter(former_type__isnull=False)} <= {None}


def test_dates_and_instants_lead_to_each_other_where_nothing_is_lost() -> None:
    thing = Thing("string", "2026-03-31")
    thing.becomes("date")
    thing.becomes("datetime")
    assert [str(each) for each in thing.values()] == ["2026-03-31 00:00:00+00:00"]
    thing.becomes("date")
    thing.becomes("string")
    assert thing.values() == ["2026-03-31"]


def test_what_can_t_be_converted_is_told_and_nothing_is_written() -> None:
    thing = Thing("string", "1", "abc", "0.12345678901234567890123")

    faults = thing.faults("number")

    says = [
        f"Entry 'e{n}' (id {thing.entries[n].pk}) has {value!r}, which can't become number: "
        for n, value in enumerate(thing.values())
    ]
    assert faults == [
        f"{says[1]}expected a number such as 3 or 3.5, got 'abc'.",
        f"{says[2]}'0.12345678901234567890123' has more digits than a number keeps.",
    ]
    assert thing.values() == ["1", "abc", "0.12345678901234567890123"]
    thing.attr.refresh_from_db()
    assert thing.attr.attr_type.type_name == "string"
    assert AttributeValue.objects.filter(former_type__isnull=False).count() == 0


def test_of_many_faults_the_first_are_told_and_the_others_counted() -> None:
    thing = Thing("string", *["x"] * 30)
    with pytest.raises(ValidationError) as caught:
        thing.becomes("number")
    assert len(caught.value.message_dict["value"]) == 20
    assert caught.value.messages[-1] == "There are 10 more faults."


@pytest.mark.parametrize(
    ("kind", "value", "new", "fault"),
    [
        ("array_string", ["a", "b"], "string", "has 2 elements, and string holds one"),
        ("number", 2, "boolean", "expected 0 or 1, got 2"),
        ("string", "9" * 40, "number", "does not fit 64 bits"),
        ("string", "yes", "boolean", "expected true or false"),
        ("datetime", "2026-03-31T09:30:00Z", "date", "is no midnight in UTC"),
        ("string", "2026-03-31T09:30:00", "datetime", "has no offset from UTC"),
        ("text", "x" * 70_000, "string", "at most 65,535 are allowed"),
        ("string", "a", "object", "a name tells an entry where 'referral' says of which entities"),
    ],
)
def test_nothing_is_lost_in_silence(kind: str, value: Any, new: str, fault: str) -> None:
    thing = Thing(kind, value)
    before = thing.values()

    assert fault in thing.faults(new)[0]
    assert thing.values() == before


def test_a_select_takes_texts_that_are_its_choices() -> None:
    thing = Thing("string", "red", "blue", "")
    assert "'blue' is not one of its choices" in thing.faults("select", choices=["red"])[0]

    thing.becomes("select", choices=["red", "blue"])
    assert thing.values() == ["red", "blue", None]
    thing.becomes("string")

    assert thing.values() == ["red", "blue", None]
    thing.attr.refresh_from_db()
    assert thing.attr.choices == []


def test_types_that_do_not_lead_to_each_other_are_refused_at_once() -> None:
    thing = Thing("number", 20260331)
    with pytest.raises(
        ValidationError, match="type of 'value' is number, and no number becomes date; remove it"
    ):
        thing.becomes("date")


def test_a_default_follows_or_is_to_be_sent() -> None:
    thing = Thing("string", default_value="7")
    thing.becomes("array_number")
    thing.attr.refresh_from_db()
    assert thing.attr.default_value == [7]
    thing.becomes("string", default_value="x")

    with pytest.raises(ValidationError, match=r"'default_value' 'x' can't become number: .*; send another"):
        thing.becomes("number")
    thing.becomes("number", default_value=None)

    thing.attr.refresh_from_db()
    assert thing.attr.default_value is None


def test_names_become_references_where_they_tell_one_entry() -> None:
    sites = create_entity(None, name="Site")
    tokyo = services.create_entry(None, sites, name="Tokyo")
    thing = Thing("string", "Tokyo", "")

    thing.becomes("object", referral=["Site"])
    assert [each and each["id"] for each in thing.values()] == [tokyo.pk, None]
    thing.becomes("named_object")
    assert thing.values()[0]["object"]["id"] == tokyo.pk
    thing.becomes("array_object")
    thing.becomes("text")

    assert thing.values() == ["Tokyo", None]
    assert thing.attr.referral.count() == 0
    services.update_entry(thing.entries[1], None, attrs={"value": "Osaka"})
    assert "there is no entry named 'Osaka'" in thing.faults("object", referral=["Site"])[0]


def test_a_reference_to_what_is_deleted_has_no_name() -> None:
    sites = create_entity(None, name="Site")
    tokyo = services.create_entry(None, sites, name="Tokyo")
    thing = Thing("object", tokyo.pk)
    services.delete_entry(tokyo, None)

    assert "what it points to is deleted" in thing.faults("string")[0]


def test_what_one_may_not_see_is_not_told() -> None:
    user = User.objects.create_user("ann")
    thing = Thing("string", "1", "secret")
    Entity.objects.filter(pk=thing.entity.pk).update(default_permission=Level.FULL)
    Entry.objects.filter(pk=thing.entries[1].pk).update(default_permission=Level.NOTHING)

    assert thing.faults("number", user) == [
        "An entry that you may not see has a value that can't become number; ask somebody who may see it."
    ]
    (effect,), is_whole = preview_update(thing.entity, user, attrs=[{"id": thing.attr.pk, "type": "number"}])
    assert (effect.entries, effect.refused, effect.is_hidden_refused, is_whole) == (1, 0, True, True)
    services.update_entry(thing.entries[1], None, attrs={"value": "2"})
    thing.becomes("number", user)
    assert thing.values() == [1, 2]


def test_deleted_entries_are_converted_too() -> None:
    thing = Thing("string", "1")
    services.delete_entry(thing.entries[0], None)
    thing.becomes("number")
    services.restore_entry(Entry.objects.get(pk=thing.entries[0].pk), None)
    assert thing.values() == [1]


def test_a_removed_attribute_comes_back_with_the_type_that_it_had() -> None:
    thing = Thing("string", "1")
    thing.becomes("number")
    update_entity(thing.entity, None, attrs=[{"id": thing.attr.pk, "is_deleted": True}])
    restore_attribute(thing.entity, None, thing.attr.pk)
    assert thing.values() == [1]


def test_the_past_keeps_type_and_values() -> None:
    root = User.objects.create_superuser("root")
    thing = Thing("string", "1.0")
    at = timezone.now()
    thing.becomes("number")
    thing.becomes("array_number")

    rows = list(existing_at(Entry.objects.all(), at))
    state = as_of(rows, at, None)[rows[0].pk]

    assert attrs_of(state)["value"] == "1.0"
    versions = [(each.attr_type.type_name, value_of(each)) for each in versions_of(thing.entries[0], root)]
    assert versions == [("array_number", [1]), ("number", 1), ("string", "1.0")]


def test_going_back_converts_or_says_why_not() -> None:
    root = User.objects.create_superuser("root")
    thing = Thing("string", "7")
    at = timezone.now()
    services.update_entry(thing.entries[0], None, attrs={"value": "8"})
    thing.becomes("number")
    first = AttributeValue.objects.filter(parent_attr__schema=thing.attr).earliest("pk")
    entry = thing.entries[0]

    services.revert_value(entry, root, first.pk)
    assert thing.values() == [7]
    services.update_entry(entry, None, attrs={"value": 9})
    services.revert_entry(Entry.objects.get(pk=entry.pk), root, at)
    assert thing.values() == [7]
    services.update_entry(entry, None, attrs={"value": 0})
    thing.becomes("boolean")

    with pytest.raises(ValidationError, match=r"was string then, .* can't become boolean: expected true"):
        services.revert_value(entry, root, first.pk)
    with pytest.raises(ValidationError, match="was string then"):
        services.revert_entry(Entry.objects.get(pk=entry.pk), root, at)
    assert thing.values() == [False]


def test_a_row_without_current_values_is_converted_from_its_history() -> None:
    thing = Thing("string", "1", "x")
    Entry.objects.update(current_values=None)
    (effect,), _ = preview_update(thing.entity, None, attrs=[{"id": thing.attr.pk, "type": "number"}])
    assert (effect.entries, effect.refused) == (2, 1)
    services.update_entry(thing.entries[1], None, attrs={"value": "2"})
    Entry.objects.update(current_values=None)

    thing.becomes("number")

    assert thing.values() == [1, 2]


def test_a_writer_who_read_the_former_type_is_refused() -> None:
    root = User.objects.create_superuser("root")
    thing = Thing("string", "1")
    stale = with_values(Entry.objects.filter(pk=thing.entries[0].pk), root, for_update=True).get()
    old = with_version(Entity.objects.filter(pk=thing.entity.pk), root).get()
    thing.becomes("number")

    with pytest.raises(ValidationError, match="clashes with another one of this moment"):
        services.update_entry(stale, root, attrs={"value": "x"})
    with pytest.raises(ValidationError, match="clashes with another one of this moment"):
        services.create_entry(root, old, name="new", attrs={"value": "x"})

    assert thing.values() == [1]
    assert Entry.objects.count() == 1


def test_more_entries_than_one_request_converts_are_for_a_job(settings: Any) -> None:
    settings.PAGODA = settings.PAGODA.model_copy(update={"domain_max_converted": 2})
    thing = Thing("string", "1", "2", "x")
    seen: list[tuple[int, float]] = []

    assert "has more than 2 entries" in thing.faults("number")[0]
    effects, is_whole = preview_update(thing.entity, None, attrs=[{"id": thing.attr.pk, "type": "number"}])
    assert ([each.entries for each in effects], is_whole) == ([2], False)
    services.update_entry(thing.entries[2], None, attrs={"value": "3"})
    following = Following(is_bounded=False, progress=lambda done, part: seen.append((done, part)))
    update_entity(thing.entity, None, attrs=[{"id": thing.attr.pk, "type": "number"}], following=following)

    assert thing.values() == [1, 2, 3]
    assert seen == [(3, 1.0)]


def test_a_preview_tells_what_other_changes_do_and_writes_nothing() -> None:
    thing = Thing("select", "a", "b", None, choices=["a", "b"])
    kept = {"id": thing.attr.pk, "choices": ["a"], "is_mandatory": True}

    effects, is_whole = preview_update(thing.entity, None, attrs=[kept])
    (removed,), _ = preview_update(thing.entity, None, attrs=[{"id": thing.attr.pk, "is_deleted": True}])

    assert is_whole
    assert [(each.change, each.entries, [fault.entry_name for fault in each.faults]) for each in effects] == [
        ("choices", 2, ["e1"]),
        ("is_mandatory", 1, ["e2"]),
    ]
    assert (removed.change, removed.entries, removed.examples[0].before) == ("removed", 2, "a")
    thing.attr.refresh_from_db()
    assert (thing.attr.choices, thing.attr.is_mandatory, thing.attr.is_active) == (["a", "b"], False, True)


def test_queries_do_not_grow_with_the_entries() -> None:
    counts = []
    for number in (2, 40):
        thing = Thing("string", *["1"] * number)
        with CaptureQueriesContext(connection) as captured:
            thing.becomes("number")
        counts.append(len(captured))
        Entity.objects.filter(pk=thing.entity.pk).update(name=f"Former {number}")
    assert counts[0] == counts[1]
