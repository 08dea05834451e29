"""What one write may hold, and how many queries it takes: they do not grow with what it holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext

from pagoda.domain import stamped
from pagoda.domain.bulk import items
from pagoda.domain.bulk.items import read_items
from pagoda.domain.entity import services as entities
from pagoda.domain.entity.models import Entity, EntityAttr
from pagoda.domain.entry import services
from pagoda.domain.entry.models import AttributeReference, Entry
from pagoda.domain.user.models import User
from pagoda_plugin_sdk.rules.entity_fields import read_entity_fields
from pagoda_plugin_sdk.rules.faults import AttributeTypeError

pytestmark = [pytest.mark.django_db, pytest.mark.bounds]


@pytest.fixture
def limit(settings: Any) -> Callable[..., None]:
    def set_to(**limits: int) -> None:
        settings.PAGODA = settings.PAGODA.model_copy(update=limits)

    return set_to


def queries(write: Callable[[], object]) -> int:
    with CaptureQueriesContext(connection) as captured:
        write()
    return len(captured)


def texts(count: int) -> list[dict[str, Any]]:
    return [{"name": f"a{number}", "type": "string"} for number in range(count)]


def test_an_entity_has_1_000_attributes_and_no_more(user: User) -> None:
    entity = entities.create_entity(user, name="Wide", attrs=texts(1_000))
    with pytest.raises(ValidationError, match="would have more than 1,000 attributes"):
        entities.update_entity(entity, user, attrs=[{"name": "more", "type": "string"}])
    with pytest.raises(ValidationError, match="would have more than 1,000 attributes"):
        entities.create_entity(user, name="Wider", attrs=texts(1_001))
    with pytest.raises(ValidationError, match="has 30,000 items, at most 2,000 are allowed"):
        entities.create_entity(user, name="Widest", attrs=texts(30_000))
    assert not Entity.objects.filter(name__startswith="Wide").exclude(pk=entity.pk).exists()


def test_what_is_beyond_a_lowered_limit_stays_and_does_not_grow(
    user: User, host: Entity, limit: Callable[..., None]
) -> None:
    web = services.create_entry(user, host, name="web", attrs={"address": "x"})
    nets = services.create_entries(
        user, Entity.objects.get(name="Network"), [{"name": str(n)} for n in range(4)]
    )
    services.update_entry(web, user, attrs={"networks": nets[:3]})
    limit(domain_max_attributes=3, domain_max_array_items=2)
    services.update_entry(web, user, attrs={"networks": [net.pk for net in nets[1:4]]})
    with pytest.raises(AttributeTypeError, match="has 4 elements, at most 2 are allowed"):
        services.update_entry(web, user, attrs={"networks": nets})
    first = host.attrs.first()
    assert first is not None
    entities.update_entity(host, user, attrs=[{"id": first.pk, "note": "n"}])
    entities.update_entity(host, user, attrs=[{"id": first.pk, "is_deleted": True}, texts(1)[0]])
    with pytest.raises(ValidationError, match="would have more than 3 attributes"):
        entities.update_entity(host, user, attrs=[{"name": "b", "type": "string"}])


@pytest.mark.parametrize("value", [list(range(1, 200_001)), list(range(1, 10_002))], ids=["200000", "10001"])
def test_an_array_has_10_000_elements_and_no_more(user: User, host: Entity, value: list[int]) -> None:
    web = services.create_entry(user, host, name="web", attrs={"address": "x"})

    def write() -> None:
        with pytest.raises(AttributeTypeError, match=r"elements, at most 10,000 are allowed"):
            services.update_entry(web, user, attrs={"networks": value})

    assert queries(write) <= 5
    with pytest.raises(AttributeTypeError, match=r"elements, at most 10,000 are allowed"):
        services.create_entry(user, host, name="web2", attrs={"address": "x", "networks": value})


@pytest.mark.parametrize("key", ["choices", "referral"])
def test_an_attribute_has_1_000_choices_and_targets_and_no_more(user: User, key: str) -> None:
    attr_type = {"choices": "select", "referral": "object"}[key]
    items = [f"c{number}" for number in range(1_001)]
    with pytest.raises(ValidationError, match=f"'{key}' has 1,001 items, at most 1,000 are allowed"):
        entities.create_entity(user, name="X", attrs=[{"name": "a", "type": attr_type, key: items}])


@pytest.mark.parametrize("count", [10, 300])
def test_attributes_are_written_in_a_bounded_number_of_queries(
    user: User, network: Entity, count: int
) -> None:
    attrs = [{"name": f"r{number}", "type": "object", "referral": [network]} for number in range(count)]
    assert queries(lambda: entities.create_entity(user, name="Wide", attrs=attrs)) <= 13
    wide = Entity.objects.get(name="Wide")
    ids = list(wide.attrs.values_list("pk", flat=True))
    shifted = [{"id": pk, "name": f"r{number + 1}", "referral": [wide]} for number, pk in enumerate(ids)]
    assert queries(lambda: entities.update_entity(wide, user, attrs=shifted)) <= 25
    assert (
        queries(
            lambda: entities.update_entity(wide, user, attrs=[{"id": pk, "is_deleted": True} for pk in ids])
        )
        <= 15
    )
    assert not EntityAttr.objects.active().filter(parent_entity=wide).exists()


def test_faults_beyond_what_a_reader_can_use_are_counted_and_cost_no_work(
    user: User, host: Entity, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def near_misses(name: str, _known: object) -> str:
        asked.append(name)
        return ""

    rules = [f"pagoda_plugin_sdk.rules.{name}" for name in ("incoming", "specs", "entity_fields")]
    for module in (*rules, items.__name__):
        monkeypatch.setattr(f"{module}.near_misses", near_misses)
    with pytest.raises(ValidationError) as caught:
        services.create_entry(user, host, name="x", attrs={f"unknown {n}": n for n in range(5_000)})
    assert len(caught.value.messages) == 20 + 1
    assert caught.value.messages[-1] == "There are 4,980 more faults."
    assert len(asked) == 20
    referral = [f"no {number}" for number in range(1_000)]
    with pytest.raises(ValidationError, match="There are 980 more faults"):
        entities.create_entity(user, name="X", attrs=[{"name": "a", "type": "object", "referral": referral}])
    assert len(asked) == 2 * 20
    with pytest.raises(ValidationError, match="There are 4,980 more faults"):
        read_entity_fields({f"unknown {n}": n for n in range(5_000)})
    assert len(asked) == 3 * 20
    item = read_items([{"op": "create", **{f"unknown {n}": n for n in range(5_000)}}], user)[0]
    assert "There are 4,982 more faults." in str(item.result.error)  # its entity and its name lack, too
    assert len(asked) == 4 * 20 - 2


def test_the_operator_says_how_many_faults_are_told(
    user: User, host: Entity, limit: Callable[..., None]
) -> None:
    limit(domain_max_faults=3)
    with pytest.raises(ValidationError) as caught:
        services.create_entry(user, host, name="x", attrs={f"unknown {n}": n for n in range(5)})
    assert caught.value.messages[-1] == "There are 2 more faults."
    assert len(caught.value.messages) == 3 + 1


def test_an_unknown_entity_is_compared_with_a_bounded_number_of_names(user: User) -> None:
    Entity.objects.bulk_create(Entity(name=f"e{number:06}") for number in range(3_000))
    referral = ["e00998", "e00997"]
    with (
        CaptureQueriesContext(connection) as captured,
        pytest.raises(ValidationError, match=r"'e00998', which does not exist\. Did you mean 'e000998'"),
    ):
        entities.create_entity(user, name="X", attrs=[{"name": "a", "type": "object", "referral": referral}])
    assert sum(query["sql"].count("LIMIT 1000") for query in captured) == 1


@pytest.mark.parametrize("count", [20, 400])
def test_a_chain_is_deleted_and_references_are_written_in_a_bounded_number_of_queries(
    user: User, count: int
) -> None:
    disk = Entity.objects.create_entity(
        user=user,
        name="Disk",
        attrs=[{"name": "parts", "type": "array_object", "is_delete_in_chain": True}],
    )
    parts = services.create_entries(user, disk, [{"name": str(number)} for number in range(count)])
    root = services.create_entry(user, disk, name="root")
    assert queries(lambda: services.update_entry(root, user, attrs={"parts": parts})) <= 16
    assert AttributeReference.objects.count() == count
    assert queries(lambda: services.delete_entry(root, user)) <= 16
    assert not Entry.objects.active().exists()


def test_many_large_texts_are_written_in_pieces_that_a_statement_takes(
    user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stamped, "_CHARACTERS_AT_ONCE", 10_000)
    entity = entities.create_entity(user, name="Note", attrs=[{"name": "body", "type": "text"}])
    bodies = [str(n % 10) * (20_000 if n == 5 else 900) for n in range(40)]
    rows = [{"name": f"n{n}", "attrs": {"body": body}} for n, body in enumerate(bodies)]
    services.create_entries(user, entity, rows)
    found = list(Entry.objects.filter(schema=entity).order_by("id"))
    assert [each.name for each in found] == [row["name"] for row in rows]
    assert [attrs["body"] for attrs in services.read_attrs(found, user).values()] == bodies
