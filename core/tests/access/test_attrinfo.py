"""What a user sees of an entry and of an entity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.core.exceptions import ValidationError
from pytest_django import DjangoAssertNumQueries

from pagoda.domain.access import attrinfo_after_write, attrinfo_for, entity_attrinfo, entity_attrinfo_for
from pagoda.domain.entry import services
from pagoda.domain.entry.models import Entry
from pagoda.domain.user.models import Level, User

if TYPE_CHECKING:
    from core.tests.access.conftest import World


def values(attrinfo: list[dict[str, Any]]) -> dict[str, Any]:
    return {info["name"]: info["value"] for info in attrinfo}


def seen(world: World, entry: Entry, user: User | None = None) -> dict[str, Any]:
    return values(attrinfo_for([entry], user or world.user)[entry.pk])


def test_the_attributes_of_an_entry_in_the_entitys_order(world: World) -> None:
    lan = {"id": world.lan.pk, "name": "lan", "schema": {"id": world.network.pk, "name": "Network"}}
    assert attrinfo_for([world.web], world.user) == {
        world.web.pk: [
            {
                "id": world.attr("address").pk,
                "name": "address",
                "type": "string",
                "value": "192.0.2.1",
                "is_mandatory": True,
                "is_readable": True,
            },
            {
                "id": world.attr("networks").pk,
                "name": "networks",
                "type": "array_object",
                "value": [lan],
                "is_mandatory": False,
                "is_readable": True,
            },
            {
                "id": world.attr("uplink").pk,
                "name": "uplink",
                "type": "named_object",
                "value": {"name": "eth0", "object": lan},
                "is_mandatory": False,
                "is_readable": True,
            },
        ]
    }


def test_no_entry_is_no_query(world: World, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(0):
        assert attrinfo_for([], world.user) == {}


def test_attributes_that_are_not_readable_are_left_out(world: World) -> None:
    world.close(world.attr("address"), world.attr("uplink"))
    assert list(seen(world, world.web)) == ["networks"]
    world.grant(Level.READABLE, attr=world.attr("address"))
    assert list(seen(world, world.web)) == ["address", "networks"]
    assert attrinfo_for([world.web], None)[world.web.pk] == []
    world.close(world.host)
    assert seen(world, world.web) == {}
    assert len(seen(world, world.web, User.objects.create_superuser("root"))) == 3


def test_references_to_entries_that_are_not_readable_are_left_out(world: World) -> None:
    for closed in (world.lan, world.network):
        world.close(closed)
        assert seen(world, world.web) == {
            "address": "192.0.2.1",
            "networks": [],
            "uplink": {"name": "eth0", "object": None},
        }
        world.close(closed, level=Level.FULL)
    world.close(world.network)
    world.grant(Level.READABLE, entity=world.network)
    assert seen(world, world.web)["networks"][0]["name"] == "lan"
    assert len(world.web.get_attrs()["networks"]) == 1


def test_what_was_written_is_shown_without_a_query(
    world: World, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    world.close(world.attr("uplink"), level=Level.NOTHING)
    services.update_entry(world.web, world.user, attrs={"address": "192.0.2.2"})
    with django_assert_num_queries(0):
        shown = attrinfo_after_write(world.web, world.user)
    assert shown == attrinfo_for([world.web], world.user)[world.web.pk]
    assert list(values(shown)) == ["address", "networks"]
    with django_assert_num_queries(2):
        assert len(attrinfo_after_write(world.web, User(pk=99, is_superuser=True))) == 3


def test_what_was_written_is_read_again_where_the_writer_is_not_the_viewer(world: World) -> None:
    world.close(world.attr("address"))
    services.update_entry(world.web, None, attrs={"address": "192.0.2.2"})
    assert list(values(attrinfo_after_write(world.web, world.user))) == ["networks", "uplink"]


def test_a_target_that_the_writer_may_not_read_is_not_shown_after_the_write(world: World) -> None:
    world.close(world.lan)
    services.update_entry(world.web, world.user, attrs={"networks": [], "address": "x"})
    assert values(attrinfo_after_write(world.web, world.user))["networks"] == []
    with pytest.raises(ValidationError, match="there is no entry with the id"):
        services.update_entry(world.web, world.user, attrs={"networks": [world.lan.pk]})
    assert len(world.web.get_attrs()["networks"]) == 1


def test_the_attributes_of_an_entity(world: World, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(2):
        found = entity_attrinfo_for([world.host, world.network], world.user)
    assert [info["name"] for info in found[world.network.pk]] == ["cidr"]
    assert found[world.host.pk][1] == {
        "id": world.attr("networks").pk,
        "name": "networks",
        "type": "array_object",
        "is_mandatory": False,
        "is_readable": True,
        "index": 2,
        "is_summarized": False,
        "is_indexed": False,
        "is_delete_in_chain": False,
        "on_delete": "null",
        "note": "",
        "default_value": [],
        "choices": [],
        "referral": [{"id": world.network.pk, "name": "Network"}],
    }
    assert entity_attrinfo(world.host, world.user) == found[world.host.pk]


def test_an_entity_shows_what_its_viewer_may_read(world: World) -> None:
    world.close(world.network, world.attr("address"))
    found = entity_attrinfo(world.host, world.user)
    assert [(info["name"], info["referral"]) for info in found] == [("networks", []), ("uplink", [])]
    assert entity_attrinfo(world.network, world.user) == []
