from __future__ import annotations

import pytest

from pagoda_plugin_sdk import exceptions
from pagoda_plugin_sdk.exceptions import PagodaError, near_misses

PARENTS = {
    "PluginError": "PagodaError",
    "PluginLoadError": "PluginError",
    "PluginValidationError": "PluginError",
    "ParamsRefused": "PluginValidationError",
    "PluginSecurityError": "PluginError",
    "PluginNotNamed": "PluginError",
    "UnknownHook": "PluginValidationError",
    "ModelsNotInjected": "PluginError",
    "HookRejected": "PluginError",
    "InterfaceError": "PagodaError",
    "AuthenticationError": "PagodaError",
    "AuthorizationError": "PagodaError",
    "DataAccessError": "PagodaError",
    "HookExecutionError": "PagodaError",
    "JobCanceled": "PagodaError",
    "JobTimeLimitExceeded": "PagodaError",
}


def all_errors() -> list[type[PagodaError]]:
    found = [value for value in vars(exceptions).values() if isinstance(value, type)]
    return [error for error in found if issubclass(error, PagodaError)]


@pytest.mark.parametrize(("name", "parent"), PARENTS.items(), ids=PARENTS)
def test_error_hangs_below_its_parent(name: str, parent: str) -> None:
    assert getattr(exceptions, name).__bases__[0] is getattr(exceptions, parent)


@pytest.mark.parametrize(
    ("name", "builtin"),
    [
        ("PluginValidationError", ValueError),
        ("UnknownHook", ValueError),
        ("PluginNotNamed", NotImplementedError),
    ],
)
def test_error_is_caught_as_the_one_of_python_that_others_raise(name: str, builtin: type[Exception]) -> None:
    with pytest.raises(builtin, match="told"):
        raise getattr(exceptions, name)("told")


def test_tree_has_no_error_beside_the_documented_ones() -> None:
    assert {error.__name__ for error in all_errors()} == {"PagodaError", *PARENTS}


def test_each_error_has_a_code_of_its_own() -> None:
    codes = [error.code for error in all_errors()]

    assert len(set(codes)) == len(codes)
    assert all(code == code.lower() and code.isidentifier() for code in codes)


def test_message_is_what_was_given() -> None:
    assert str(exceptions.HookRejected("Name is taken.")) == "Name is taken."


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("inventry", " Did you mean 'inventory'?"),
        ("hello-word", " Did you mean 'hello-world'?"),
        ("zzz", ""),
    ],
)
def test_near_misses_names_the_closest(name: str, expected: str) -> None:
    assert near_misses(name, {"inventory", "hello-world"}) == expected


def test_near_misses_reads_a_bounded_number_of_names() -> None:
    names = iter([f"name {number:06}" for number in range(100_000)])
    assert near_misses("name 00012", names) == " Did you mean 'name 000912', 'name 000812', 'name 000712'?"
    assert sum(1 for _ in names) == 99_000


def test_near_misses_of_nothing_known_is_empty() -> None:
    assert near_misses("inventory", []) == ""
