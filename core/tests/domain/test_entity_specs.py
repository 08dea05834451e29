"""What is no attribute of an entity, and what is said about it."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError

from pagoda.domain.entity import services
from pagoda.domain.entity.models import Entity
from pagoda.domain.user.models import User

pytestmark = pytest.mark.django_db

BAD_SPECS: list[tuple[Any, str, str]] = [
    ({"type": "string"}, "attrs[0]", "The attribute has no 'name'; give it one."),
    ({"name": "a"}, "a", "The attribute has no 'type'; give it one."),
    ("a", "attrs[0]", "expected {'name', 'type', ...}, got 'a'."),
    ({"name": "a\nb", "type": "string"}, "a\nb", "The name of an attribute contains a line break"),
    ({"name": "a", "type": "strin"}, "a", "There is no attribute type 'strin'. Did you mean 'string'?"),
    (
        {"name": "a", "type": "string", "mandatory": True},
        "a",
        "An attribute has no 'mandatory'. Did you mean 'is_mandatory'?",
    ),
    ({"name": "a", "type": "string", "is_mandatory": 1}, "a", "expected true or false, got 1."),
    ({"name": "a", "type": "string", "index": "1"}, "a", "'index' is an integer of 32 bits, got '1'."),
    (
        {"name": "a", "type": "string", "index": 2**31},
        "a",
        "'index' is an integer of 32 bits, got 2147483648.",
    ),
    ({"name": "a", "type": "string", "note": None}, "a", "The note: expected text, got None."),
    (
        {"name": "a", "type": "string", "default_permission": 5},
        "a",
        "'default_permission' is one of 1 (nothing),",
    ),
    (
        {"name": "a", "type": "string", "choices": ["x"]},
        "a",
        "'choices' are for select and array_select, not for string",
    ),
    ({"name": "a", "type": "select"}, "a", "A select needs 'choices', a list of texts."),
    ({"name": "a", "type": "select", "choices": "xy"}, "a", "'choices' is a list of texts, got 'xy'."),
    ({"name": "a", "type": "select", "choices": ["x", 1]}, "a", "A choice expected text, got 1."),
    ({"name": "a", "type": "select", "choices": ["x", "x"]}, "a", "'choices' names one twice: ['x', 'x']."),
    (
        {"name": "a", "type": "select", "choices": ["x"], "default_value": "y"},
        "a",
        "'default_value': 'y' is not one of",
    ),
    (
        {"name": "a", "type": "number", "default_value": "1"},
        "a",
        "'default_value': expected a number such as",
    ),
    (
        {"name": "a", "type": "array_number", "default_value": 1},
        "a",
        "'default_value': expected a list, got 1",
    ),
    (
        {"name": "a", "type": "object", "default_value": 1},
        "a",
        "'default_value' 1 can't be for object; references",
    ),
    (
        {"name": "a", "type": "string", "referral": ["Network"]},
        "a",
        "'referral' is for types that point to entries",
    ),
    (
        {"name": "a", "type": "object", "referral": "Network"},
        "a",
        "'referral' is a list of entities, ids or names",
    ),
    (
        {"name": "a", "type": "object", "referral": [True]},
        "a",
        "'referral' takes entities, ids and names, not True.",
    ),
    (
        {"name": "a", "type": "object", "referral": [0]},
        "a",
        "'referral' takes entities, ids and names, not 0.",
    ),
    (
        {"name": "a", "type": "object", "referral": ["a\x00"]},
        "a",
        "'referral' takes entities, ids and names, not",
    ),
    (
        {"name": "a", "type": "object", "referral": ["Netwrk"]},
        "a",
        "Attribute 'a' points to an entity named 'Netwrk', which does not exist. Did you mean 'Network'?",
    ),
    (
        {"name": "a", "type": "object", "referral": [10**9]},
        "a",
        "Attribute 'a' points to an entity with the id 1000000000",
    ),
    (
        {"name": "cidr", "type": "string"},
        "cidr",
        "Entity 'Network' has an attribute 'cidr' already; choose another",
    ),
    ({"id": 10**9, "name": "a"}, "a", "The entity has no attribute with the id 1000000000. It has "),
    ({"id": True, "name": "a"}, "a", "The entity has no attribute with the id True."),
    (
        {"is_deleted": True, "name": "cidr"},
        "cidr",
        "The attribute to remove is named by its 'id', which is missing.",
    ),
]


@pytest.mark.parametrize(("spec", "key", "message"), BAD_SPECS)
def test_a_bad_attribute_is_refused(user: User, network: Entity, spec: Any, key: str, message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        services.update_entity(network, user, note="new", attrs=[spec])
    (found,) = caught.value.message_dict[key]
    assert message in found
    network.refresh_from_db()
    assert (network.note, network.attrs.get().name) == ("", "cidr")
