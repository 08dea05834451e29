from __future__ import annotations

from typing import Any

import pytest

from pagoda_plugin_sdk.exceptions import PluginValidationError, UnknownHook
from pagoda_plugin_sdk.hooks import (
    HOOK_ALIASES,
    HOOK_SPECS,
    HookKind,
    check_signature,
    resolve_hook_name,
)

ENTRY_WRITE = ("entity_name", "user", "entry")
ENTRY_DATA = ("entity_name", "user", "validated_data")
CONTRACT = {
    "entry.before_create": (HookKind.TRANSFORM, ENTRY_DATA),
    "entry.after_create": (HookKind.NOTIFY, ENTRY_WRITE),
    "entry.before_update": (HookKind.TRANSFORM, (*ENTRY_DATA, "entry")),
    "entry.after_update": (HookKind.NOTIFY, ENTRY_WRITE),
    "entry.before_delete": (HookKind.NOTIFY, ENTRY_WRITE),
    "entry.after_delete": (HookKind.NOTIFY, ENTRY_WRITE),
    "entry.before_restore": (HookKind.NOTIFY, ENTRY_WRITE),
    "entry.after_restore": (HookKind.NOTIFY, ENTRY_WRITE),
    "entity.before_create": (HookKind.TRANSFORM, ("user", "validated_data")),
    "entity.after_create": (HookKind.NOTIFY, ("user", "entity")),
    "entity.before_update": (HookKind.TRANSFORM, ("user", "validated_data", "entity")),
    "entity.after_update": (HookKind.NOTIFY, ("user", "entity")),
    "entity.before_delete": (HookKind.NOTIFY, ("user", "entity")),
    "entity.after_delete": (HookKind.NOTIFY, ("user", "entity")),
    "entry.validate": (HookKind.VETO, ("user", "schema_name", "name", "attrs", "instance")),
    "entry.get_attrs": (HookKind.FILTER, ("entry", "attrinfo", "is_retrieve")),
    "entity.get_attrs": (HookKind.FILTER, ("entity", "attrinfo")),
}
ALIASES = {
    "before_create_entry_v2": "entry.before_create",
    "after_create_entry_v2": "entry.after_create",
    "before_update_entry_v2": "entry.before_update",
    "after_update_entry_v2": "entry.after_update",
    "before_delete_entry_v2": "entry.before_delete",
    "after_delete_entry_v2": "entry.after_delete",
    "before_restore_entry_v2": "entry.before_restore",
    "after_restore_entry_v2": "entry.after_restore",
    "before_create_entity_v2": "entity.before_create",
    "after_create_entity_v2": "entity.after_create",
    "before_update_entity_v2": "entity.before_update",
    "after_update_entity_v2": "entity.after_update",
    "before_delete_entity_v2": "entity.before_delete",
    "after_delete_entity_v2": "entity.after_delete",
    "validate_entry": "entry.validate",
    "get_entry_attr": "entry.get_attrs",
    "get_entity_attr": "entity.get_attrs",
}


def test_there_are_seventeen_hooks_and_each_has_one_alias() -> None:
    assert len(CONTRACT) == len(ALIASES) == 17
    assert set(HOOK_SPECS) == set(CONTRACT)
    assert dict(HOOK_ALIASES) == ALIASES


@pytest.mark.parametrize("name", CONTRACT)
def test_spec_is_the_one_of_the_contract(name: str) -> None:
    kind, arguments = CONTRACT[name]
    spec = HOOK_SPECS[name]

    assert (spec.name, spec.kind, spec.arguments) == (name, kind, arguments)
    assert spec.subject == name.partition(".")[0]
    assert spec.is_before == (".before_" in name)
    assert spec.is_after == (".after_" in name)


@pytest.mark.parametrize(("alias", "name"), ALIASES.items(), ids=ALIASES)
def test_alias_resolves_to_its_hook(alias: str, name: str) -> None:
    assert resolve_hook_name(alias) == name


@pytest.mark.parametrize("name", CONTRACT)
def test_name_resolves_to_itself(name: str) -> None:
    assert resolve_hook_name(name) == name


@pytest.mark.parametrize(
    ("name", "beginning"),
    [
        (
            "entry.after_creat",
            "Unknown hook 'entry.after_creat'. Did you mean 'entry.after_create', ",
        ),
        ("validate_entity", "Unknown hook 'validate_entity'. Did you mean 'validate_entry'"),
        ("", "Unknown hook ''. The hooks are: entry.before_create, "),
        ("zzz", "Unknown hook 'zzz'. The hooks are: entry.before_create, "),
    ],
)
def test_unknown_hook_is_refused_with_near_misses(name: str, beginning: str) -> None:
    with pytest.raises(UnknownHook) as caught:
        resolve_hook_name(name)

    assert str(caught.value).startswith(beginning)
    assert str(caught.value).endswith("entity.get_attrs.")


@pytest.mark.parametrize("mapping", [HOOK_SPECS, HOOK_ALIASES], ids=["specs", "aliases"])
def test_contract_can_not_be_changed_at_run_time(mapping: Any) -> None:
    with pytest.raises(TypeError, match="does not support item assignment"):
        mapping["entry.after_archive"] = None


# Signatures. They are those of bound methods: `self` is gone.


def exact(entity_name: Any, user: Any, entry: Any) -> None: ...
def with_context(entity_name: Any, user: Any, entry: Any, **context: Any) -> None: ...
def other_names(a: Any, b: Any, c: Any) -> None: ...
def optional_more(entity_name: Any, user: Any, entry: Any, dry_run: bool = False) -> None: ...
def catch_all(*args: Any, **kwargs: Any) -> None: ...
def positional_only(entity_name: Any, user: Any, entry: Any, /) -> None: ...
def too_few(entity_name: Any, user: Any) -> None: ...
def too_many(entity_name: Any, user: Any, entry: Any, extra: Any) -> None: ...
def keyword_only(*, entity_name: Any, user: Any, entry: Any) -> None: ...
def needs_keyword(entity_name: Any, user: Any, entry: Any, *, request: Any) -> None: ...
async def coroutine(entity_name: Any, user: Any, entry: Any) -> None: ...


@pytest.mark.parametrize(
    "handler", [exact, with_context, other_names, optional_more, catch_all, positional_only]
)
def test_signature_that_takes_the_arguments_is_accepted(handler: Any) -> None:
    check_signature(HOOK_SPECS["entry.after_create"], handler)
    assert handler("Host", None, object()) is None


@pytest.mark.parametrize(
    ("handler", "fact"),
    [
        (too_few, "too many positional arguments"),
        (too_many, "missing a required argument: 'extra'"),
        (keyword_only, "too many positional arguments"),
        (needs_keyword, "missing a required"),
    ],
)
def test_signature_that_can_not_take_the_arguments_is_refused(handler: Any, fact: str) -> None:
    with pytest.raises(PluginValidationError) as caught:
        check_signature(HOOK_SPECS["entry.after_create"], handler)

    message = str(caught.value)
    assert message.startswith(f"Handler {handler.__module__}.{handler.__name__} of hook 'entry.after_create'")
    assert fact in message
    assert message.endswith("Expected: (self, entity_name, user, entry, **kwargs).")


def test_coroutine_function_is_refused() -> None:
    with pytest.raises(
        PluginValidationError, match=r"is a coroutine function, and is called without `await`"
    ):
        check_signature(HOOK_SPECS["entry.after_create"], coroutine)
