"""What a user may not do is refused, with what is needed."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from pytest_django import DjangoAssertNumQueries

from pagoda.access import require, require_write
from pagoda.domain.entity.models import Entity, EntityAttr
from pagoda.domain.entry.models import Entry
from pagoda.domain.user.models import Level, User

if TYPE_CHECKING:
    from core.tests.access.conftest import World


def test_what_is_allowed_passes(world: World, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    world.close(world.host, world.web)
    world.grant(Level.WRITABLE, entity=world.host)
    world.grant(Level.FULL, entry=world.web)
    with django_assert_num_queries(3):
        require(world.user, world.web, Level.WRITABLE)
        require_write(world.user, world.web)
        require_write(world.user, world.host)
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


def test_nobody_logged_in_is_told_so(world: World) -> None:
    world.close(world.host)
    for viewer in (None, AnonymousUser()):
        with pytest.raises(PermissionDenied, match="somebody not logged in has 'nothing'"):
            require(viewer, world.web, Level.READABLE)


def test_attributes_need_to_be_writable_too(world: World) -> None:
    world.close(world.attr("networks"), level=Level.READABLE)
    world.close(world.attr("address"))
    require_write(world.user, world.web, ["uplink"])
    names: Collection[str | int]
    for names in (
        ["address", "uplink", "networks"],
        [world.attr(name).pk for name in ("address", "networks")],
    ):
        for target in (world.web, world.host):
            with pytest.raises(PermissionDenied) as caught:
                require_write(world.user, target, names)
            assert str(caught.value) == (
                "Writable permission on attribute 'address', 'networks' of entity 'Host' is needed; "
                "user 'alice' has 'nothing'. Ask for a role that grants it."
            )
    world.grant(Level.WRITABLE, attr=world.attr("address"))
    world.grant(Level.FULL, attr=world.attr("networks"))
    require_write(world.user, world.web, ["address", "uplink", "networks"])


def test_writing_attributes_needs_the_entry_and_its_entity(world: World) -> None:
    world.close(world.web, level=Level.READABLE)
    with pytest.raises(PermissionDenied, match="on entry 'web' of entity 'Host' is needed"):
        require_write(world.user, world.web, ["address"])
    world.grant(Level.FULL, entry=world.web)
    require_write(world.user, world.web, ["address"])
    world.close(world.host, level=Level.READABLE)
    with pytest.raises(PermissionDenied, match="on entry 'web' of entity 'Host' is needed"):
        require_write(world.user, world.web, ["address"])
    with pytest.raises(PermissionDenied, match="on entity 'Host' is needed"):
        require_write(world.user, world.host, ["address"])


def test_attributes_that_do_not_exist_are_left_to_the_service(world: World) -> None:
    strange: list[str | int] = ["adress", "a\x00", "\ud800", "", 0, 2**70, world.attr("cidr").pk]
    require_write(world.user, world.web, strange)
    world.close(world.web)
    with pytest.raises(PermissionDenied, match="entry 'web'"):
        require_write(world.user, world.web, strange)


def test_an_attribute_that_was_removed_is_not_asked_for(world: World) -> None:
    attr = world.attr("address")
    world.close(attr)
    attr.delete()
    require_write(world.user, world.web, ["address"])
    assert not world.attr("address").is_active


def test_a_superuser_writes_every_attribute(world: World) -> None:
    world.close(world.host, world.attr("address"))
    require_write(User.objects.create_superuser("root"), world.web, ["address"])
    with pytest.raises(PermissionDenied):
        require_write(User(pk=99, is_active=False), world.web, ["uplink"])
