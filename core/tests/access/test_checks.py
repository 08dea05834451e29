"""What a user may not do is refused, with what is needed."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied, ValidationError
from pytest_django import DjangoAssertNumQueries

from core.tests.access.conftest import World, as_plugin, changed
from pagoda.domain.access import require
from pagoda.domain.access.checks import require_adding_entities, require_attributes
from pagoda.domain.authority import BeyondAuthority, PluginAuthority, refused
from pagoda.domain.entity.models import Entity, EntityAttr
from pagoda.domain.entry import services
from pagoda.domain.entry.models import Entry
from pagoda.domain.user.models import Level, User
from pagoda_plugin_sdk.permissions import Permission


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


def test_attributes_of_just_the_level_pass_and_the_others_are_named(world: World) -> None:
    levels: dict[str, int] = {"address": Level.WRITABLE, "uplink": Level.READABLE, "networks": Level.NOTHING}
    require_attributes(world.user, "Host", {"address": Level.WRITABLE}, Level.WRITABLE)
    with pytest.raises(PermissionDenied) as caught:
        require_attributes(world.user, "Host", levels, Level.WRITABLE)
    assert str(caught.value).startswith(
        "Writable permission on attribute 'networks', 'uplink' of entity 'Host' is needed; "
        "user 'alice' has 'nothing'."
    )


def test_what_a_plugin_writes_into_the_row_it_holds_gives_no_rights(world: World) -> None:
    world.close(world.host, level=Level.READABLE)
    held = changed(Entity.objects.get(pk=world.host.pk), default_permission=Level.FULL)
    require(world.user, held, Level.WRITABLE)  # the host's own code is believed
    with pytest.raises(PermissionDenied, match=r"on entity 'Host' is needed; user 'alice' has 'readable'"):
        as_plugin(require, world.user, held, Level.WRITABLE)


@pytest.mark.parametrize(
    ("ask", "what", "text"),
    [
        (
            lambda world, plugin: require(plugin, world.web, Level.WRITABLE),
            "writable on entry 'web' of entity 'Host'",
            (
                "acts for itself. Writable permission on entry 'web' of entity 'Host' is needed; "
                "plugin stock has 'readable'. Grant it in PLUGIN_PERMISSIONS."
            ),
        ),
        (
            lambda world, plugin: require(plugin, world.lan, Level.READABLE),
            "change what it may not see",
            "acts for itself and may not see what this would change; grant it in PLUGIN_PERMISSIONS.",
        ),
        (
            lambda _, plugin: require_adding_entities(plugin),
            "entity:write",
            (
                "acts for itself and was not granted 'entity:write'. Declare it in `Plugin.permissions`, "
                "and grant it in PLUGIN_PERMISSIONS."
            ),
        ),
    ],
    ids=["a level", "what is hidden", "adding entities"],
)
def test_a_plugin_that_acts_for_itself_is_refused_by_name(
    world: World, ask: Any, what: str, text: str
) -> None:
    told: list[tuple[str, str]] = []

    def note(*, plugin: str, what: str, **_signal: object) -> None:
        told.append((plugin, what))

    refused.connect(note)
    try:
        with pytest.raises(BeyondAuthority) as caught:
            ask(world, PluginAuthority("stock", frozenset({Permission.parse("entry:read:Host")})))
    finally:
        refused.disconnect(note)
    assert str(caught.value) == f"Plugin 'stock' {text}"
    assert told == [("stock", what)]


def test_who_may_not_add_entities_is_told_which_right_it_takes(world: World) -> None:
    require_adding_entities(None)
    for viewer, name in ((world.user, "user 'alice'"), (AnonymousUser(), "somebody not logged in")):
        with pytest.raises(PermissionDenied) as caught:
            require_adding_entities(viewer)
        assert str(caught.value) == (
            f"Adding entities takes a right that {name} has not. Ask for a role or a group that has it "
            "(`can_add_entities`, `entity.add_entity`)."
        )
    world.role.can_add_entities = True
    world.role.save()
    require_adding_entities(world.user)
