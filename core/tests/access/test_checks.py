"""What a user may not do is refused, with what is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied, ValidationError
from pytest_django import DjangoAssertNumQueries

from pagoda.domain.access import require
from pagoda.domain.entity.models import Entity, EntityAttr
from pagoda.domain.entry import services
from pagoda.domain.entry.models import Entry
from pagoda.domain.user.models import Level, User

if TYPE_CHECKING:
    from core.tests.access.conftest import World


def test_what_is_allowed_passes(world: World, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    world.close(world.host, world.web)
    world.grant(Level.WRITABLE, entity=world.host)
    world.grant(Level.FULL, entry=world.web)
    with django_assert_num_queries(1):
        require(world.user, world.web, Level.WRITABLE)
    with django_assert_num_queries(0):
        require(User(is_superuser=True), world.web, Level.FULL)
    with pytest.raises(PermissionDenied):
        require(world.user, world.web, Level.FULL)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (
            "web",
            "Writable permission on entry 'web' of entity 'Host' is needed; user 'alice' has 'readable'.",
        ),
        ("host", "Writable permission on entity 'Host' is needed; user 'alice' has 'readable'."),
        (
            "address",
            "Writable permission on attribute 'address' of entity 'Host' is needed; user 'alice' has",
        ),
    ],
)
def test_a_refusal_names_the_thing_the_level_and_the_user(world: World, target: str, message: str) -> None:
    world.close(world.host, level=Level.READABLE)
    objects: dict[str, Entity | EntityAttr | Entry] = {"web": world.web, "host": world.host}
    obj = objects.get(target) or world.attr(target)
    with pytest.raises(PermissionDenied) as caught:
        require(world.user, obj, Level.WRITABLE)
    assert str(caught.value).startswith(message)
    assert str(caught.value).endswith("Ask for a role that grants it.")


def test_what_is_hidden_is_not_named(world: World) -> None:
    world.close(world.host)
    for viewer in (AnonymousUser(), world.user):
        with pytest.raises(PermissionDenied) as caught:
            require(viewer, world.web, Level.READABLE)
        assert str(caught.value) == "You may not see what this would change, or it does not exist."


def test_attributes_need_to_be_writable_too(world: World) -> None:
    world.close(world.attr("networks"), level=Level.READABLE)
    services.update_entry(world.web, world.user, attrs={"uplink": None})
    by_id: list[dict[str, Any]] = [
        {"id": world.attr("networks").pk, "value": []},
        {"name": "address", "value": "192.0.2.9"},
    ]
    attrs: Any
    for attrs in ({"networks": [], "address": "192.0.2.9"}, by_id):
        with pytest.raises(PermissionDenied) as caught:
            services.update_entry(world.web, world.user, attrs=attrs)
        assert str(caught.value) == (
            "Writable permission on attribute 'networks' of entity 'Host' is needed; "
            "user 'alice' has 'readable'. Ask for a role that grants it."
        )
        with pytest.raises(PermissionDenied, match="'networks'"):
            services.create_entry(world.user, world.host, name="new", attrs=attrs)
    world.grant(Level.FULL, attr=world.attr("networks"))
    services.update_entry(world.web, world.user, attrs=by_id)
    assert world.web.get_attrs()["networks"] == []


def test_sending_back_what_may_not_be_written_stores_nothing(world: World) -> None:
    world.close(world.attr("networks"), level=Level.READABLE)
    shown = {"networks": [world.lan.pk], "address": "192.0.2.9"}
    services.update_entry(world.web, world.user, attrs=shown)
    assert world.web.get_attrs()["address"] == "192.0.2.9"


def test_writing_attributes_needs_the_entry_and_its_entity(world: World) -> None:
    def write() -> None:
        services.update_entry(world.web, world.user, attrs={"address": "192.0.2.7"})

    world.close(world.web, level=Level.READABLE)
    with pytest.raises(PermissionDenied, match="on entry 'web' of entity 'Host' is needed"):
        write()
    world.grant(Level.FULL, entry=world.web)
    write()
    world.close(world.host, level=Level.READABLE)
    with pytest.raises(PermissionDenied, match="on entry 'web' of entity 'Host' is needed"):
        write()
    with pytest.raises(PermissionDenied, match="on entity 'Host' is needed"):
        services.create_entry(world.user, world.host, name="new", attrs={"address": "x"})
    assert world.web.get_attrs()["address"] == "192.0.2.7"


@pytest.mark.parametrize("name", ["address", "adress", ""])
def test_a_hidden_attribute_is_as_unknown_as_one_that_never_was(world: World, name: str) -> None:
    """The answers to a name that exists and to one that does not differ by the name alone."""
    world.close(world.attr("address"))
    with pytest.raises(ValidationError) as caught:
        services.update_entry(world.web, world.user, attrs={name: "192.0.2.9"})
    with pytest.raises(ValidationError) as unknown:
        services.update_entry(world.web, world.user, attrs={"zzz": "192.0.2.9"})
    assert str(caught.value) == str(unknown.value).replace("zzz", name)
    assert "There are 'networks', 'uplink'." in str(caught.value)


def test_a_superuser_writes_every_attribute(world: World) -> None:
    world.close(world.host, world.attr("address"))
    services.update_entry(world.web, User.objects.create_superuser("root"), attrs={"address": "192.0.2.9"})
    gone = User.objects.create_user("gone", is_active=False)
    with pytest.raises(PermissionDenied, match="You may not see"):
        services.update_entry(world.web, gone, attrs={"uplink": None})
