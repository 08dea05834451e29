from __future__ import annotations

import pytest

from pagoda.plugins.permissions import PluginGrants, grants_of, line_to_add


@pytest.mark.parametrize(
    ("asked", "granted", "effective", "missing", "unused"),
    [
        (["entry:read"], ["entry:read"], {"entry:read"}, [], []),
        (["entry:read"], [], set(), ["entry:read"], []),
        ([], ["entry:read"], set(), [], ["entry:read"]),
        # The narrower of the two
        (["entry:read"], ["entry:read:Switch"], {"entry:read:Switch"}, ["entry:read"], []),
        (["entry:read:Switch"], ["entry:read"], {"entry:read:Switch"}, [], []),
        (["entry:read:Switch"], ["entry:read:Router"], set(), ["entry:read:Switch"], ["entry:read:Router"]),
        (["entry:read"], ["entry:write"], set(), ["entry:read"], ["entry:write"]),
    ],
)
def test_what_was_asked_and_granted_may_be_used(
    asked: list[str], granted: list[str], effective: set[str], missing: list[str], unused: list[str]
) -> None:
    grants = grants_of(asked, ["scanner"], {"scanner": granted, "other": ["user:read"]})

    assert {str(each) for each in grants.effective} == effective
    assert [str(each) for each in grants.missing] == missing
    assert [str(each) for each in grants.unused] == unused


def test_grants_may_be_by_alias() -> None:
    assert grants_of(["user:read"], ["scanner-plugin", "scanner"], {"scanner": ["user:read"]}).effective


def test_the_line_to_add_is_what_the_setting_takes() -> None:
    missing = grants_of(["entry:read", "entry:write:Schlüssel"], [], {}).missing

    assert line_to_add("scanner", missing) == '{"scanner": ["entry:read", "entry:write:Schlüssel"]}'


def test_nothing_asked_is_nothing_granted() -> None:
    assert PluginGrants().effective == frozenset()
