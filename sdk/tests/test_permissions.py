from __future__ import annotations

import pytest

from pagoda_plugin_sdk import Plugin, PluginValidationError
from pagoda_plugin_sdk.permissions import KINDS, Permission


class Asking(Plugin):
    id = "asking"
    name = "Asking"


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        ("entry:read", "entry:read", ""),
        ("entry:write:Switch", "entry:write", "Switch"),
        ("entity:write:a:b, c", "entity:write", "a:b, c"),
        ("job:submit:inventory", "job:submit", "inventory"),
        ("network", "network", ""),
    ],
)
def test_a_text_stands_for_a_permission_and_back(text: str, kind: str, name: str) -> None:
    permission = Permission.parse(text)

    assert (permission.kind, permission.name, str(permission)) == (kind, name, text)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("entry:raed", "Did you mean 'entry:read'"),
        ("entry", "is no permission, expected one of entry:read"),
        ("", "is no permission"),
        (None, "is no permission"),
        (7, "is no permission"),
        ("entry:read:", "can't be limited like this, expected 'entry:read' alone"),
        ("user:read:carol", "can't be limited like this, expected 'user:read' alone"),
        ("network:10.0.0.0/8", "is no permission"),
        ("job:submit", "names no plugin"),
        ("entry:read:" + "x" * 300, "is no permission"),
    ],
)
def test_what_stands_for_none_is_refused_with_what_there_is(text: object, fault: str) -> None:
    with pytest.raises(PluginValidationError, match=fault):
        Permission.parse(text)


def test_one_for_all_covers_one_for_a_name() -> None:
    every, one = Permission("entry:read"), Permission("entry:read", "Switch")

    assert every.covers(one)
    assert not one.covers(every)
    assert not every.covers(Permission("entry:write", "Switch"))


def test_every_kind_can_be_declared() -> None:
    class Greedy(Asking):
        permissions = [kind if kind != "job:submit" else "job:submit:other" for kind in KINDS]

    assert Greedy().get_info()["permissions"] == Greedy.permissions


@pytest.mark.parametrize("declared", [["entry:all"], "entry:read", [b"entry:read"], None])
def test_wrong_declarations_are_faults(declared: object) -> None:
    wrong = type("Wrong", (Asking,), {"permissions": declared})

    with pytest.raises(PluginValidationError, match="`permissions`"):
        wrong()


def test_without_a_host_authority_refuses_nothing() -> None:
    with Asking().authority() as given:
        assert given is None
