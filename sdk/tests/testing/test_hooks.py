from __future__ import annotations

from typing import Any

import pytest

from pagoda_plugin_sdk import HookRejected, Plugin, PluginValidationError
from pagoda_plugin_sdk.decorators import entry_hook, get_attrs_hook, validation_hook
from pagoda_plugin_sdk.exceptions import UnknownHook
from pagoda_plugin_sdk.testing import handlers_of, run_hook


class Sample(Plugin):
    id = "sample"
    name = "Sample"

    @entry_hook("before_create", priority=200)
    def last(self, entity_name: str, user: Any, data: dict[str, Any]) -> dict[str, Any]:
        return {**data, "seen": [*data["seen"], "last"]}

    @entry_hook("before_create")
    def middle(self, entity_name: str, user: Any, data: dict[str, Any]) -> None:
        data["seen"].append("middle")

    @entry_hook("before_create", entity="Host", priority=1)
    def first(self, entity_name: str, user: Any, data: dict[str, Any]) -> dict[str, Any]:
        return {**data, "seen": [*data["seen"], "first"]}

    @get_attrs_hook()  # type: ignore[type-var]  # texts are easier to read than attributes
    def shown(self, entry: Any, attrinfo: list[str], is_retrieve: bool) -> list[str]:
        return [*attrinfo, f"{entry} {is_retrieve}"]

    @validation_hook()
    def refuse(self, user: Any, schema_name: str, name: str, attrs: Any, instance: Any) -> bool:
        if name == "bad":
            raise HookRejected("bad name")
        return True


def names(*arguments: Any) -> list[str]:
    return [handler.__name__ for handler in handlers_of(Sample(), *arguments)]


def test_handlers_come_in_order_of_priority_for_the_entity() -> None:
    assert names("entry.before_create", "Host") == ["first", "middle", "last"]
    assert names("entry.before_create", "Disk") == ["middle", "last"]
    assert names("entry.before_create") == ["middle", "last"]


def test_alias_finds_the_handlers_of_its_hook() -> None:
    assert names("before_create_entry_v2", "Host") == names("entry.before_create", "Host")


def test_unknown_hook_is_refused() -> None:
    with pytest.raises(UnknownHook, match=r"Unknown hook 'entry\.created'"):
        names("entry.created")


def test_handler_with_a_wrong_signature_is_refused() -> None:
    class Wrong(Plugin):
        id = "wrong"
        name = "Wrong"

        @entry_hook("after_create")  # type: ignore[type-var]  # that is the point
        def short(self, entry: Any) -> None: ...

    with pytest.raises(PluginValidationError, match=r"short of hook 'entry\.after_create' has the signature"):
        handlers_of(Wrong(), "entry.after_create")


def test_transforms_are_chained() -> None:
    data = run_hook(Sample(), "entry.before_create", "Host", None, {"seen": []}, entity_name="Host")

    assert data == {"seen": ["first", "middle", "last"]}


def test_filter_gives_the_attributes_to_show() -> None:
    assert run_hook(Sample(), "entry.get_attrs", "web-1", ["os"], True) == ["os", "web-1 True"]


def test_result_of_other_hooks_is_ignored() -> None:
    assert run_hook(Sample(), "entry.validate", None, "Host", "web-1", [], None) is None


def test_rejection_is_raised() -> None:
    with pytest.raises(HookRejected, match="bad name"):
        run_hook(Sample(), "entry.validate", None, "Host", "bad", [], None)


def test_data_is_kept_when_nobody_handles_the_hook() -> None:
    assert run_hook(Sample(), "entity.before_create", None, {"name": "Host"}) == {"name": "Host"}
