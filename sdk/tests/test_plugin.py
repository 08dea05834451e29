from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel

from pagoda_plugin_sdk import Plugin, PluginTaskConfig, PluginValidationError
from pagoda_plugin_sdk.decorators import entity_hook, entry_hook, get_attrs_hook, validation_hook


class Base(Plugin):
    id = "base"
    name = "Base"

    @entry_hook("after_create", entity="Host", priority=10)
    def first(self, entity_name: str, user: Any, entry: Any) -> str:
        return "first of base"

    def unmarked(self) -> None: ...

    @validation_hook()
    @entry_hook("after_update", deferred=True)
    def second(self, *args: Any) -> str:
        return "second of base"


def collected(plugin: type[Plugin]) -> list[tuple[str, str]]:
    return [(handler["method_name"], handler["hook_name"]) for handler in plugin._hook_handlers]


def test_handlers_are_collected_in_definition_order_with_their_options() -> None:
    assert [dict(handler) for handler in Base._hook_handlers] == [
        {
            "hook_name": "entry.after_create",
            "entity": "Host",
            "priority": 10,
            "method_name": "first",
            "handler": Base.first,
            "deferred": False,
        },
        {
            "hook_name": "entry.validate",
            "entity": None,
            "priority": 100,
            "method_name": "second",
            "handler": Base.second,
            "deferred": False,
        },
        {
            "hook_name": "entry.after_update",
            "entity": None,
            "priority": 100,
            "method_name": "second",
            "handler": Base.second,
            "deferred": True,
        },
    ]


def test_inherited_handlers_are_collected_once_before_those_of_the_subclass() -> None:
    class Child(Base):
        @entity_hook("after_create")
        def third(self, user: Any, entity: Any) -> None: ...

    assert collected(Child) == [*collected(Base), ("third", "entity.after_create")]


def test_handler_inherited_along_two_paths_is_collected_once() -> None:
    class Left(Base): ...

    class Right(Base): ...

    class Both(Left, Right): ...

    assert collected(Both) == collected(Base)


def test_mixin_that_is_no_plugin_gives_its_handlers() -> None:
    class Mixin:
        @get_attrs_hook("entity")
        def shown(self, entity: Any, attrinfo: Any) -> None: ...

    class WithMixin(Mixin, Plugin):
        id = "with-mixin"
        name = "With mixin"

    assert collected(WithMixin) == [("shown", "entity.get_attrs")]


def test_override_without_a_mark_is_no_handler() -> None:
    class Silent(Base):
        def first(self, entity_name: str, user: Any, entry: Any) -> str:
            return "silent"

    assert ("first", "entry.after_create") not in collected(Silent)


def test_marked_override_replaces_handler_and_keeps_its_place() -> None:
    class Loud(Base):
        @entry_hook("after_delete", priority=1)
        def first(self, entity_name: str, user: Any, entry: Any) -> str:
            return "loud"

    assert collected(Loud)[0] == ("first", "entry.after_delete")
    assert Loud._hook_handlers[0]["handler"] is Loud.first


def test_collecting_for_a_subclass_leaves_the_base_as_it_was() -> None:
    before = list(Base._hook_handlers)

    class Child(Base):
        @entity_hook("after_update")
        def more(self, user: Any, entity: Any) -> None: ...

    assert collected(Child) != collected(Base)
    assert Base._hook_handlers == before
    assert Plugin._hook_handlers == []


def test_defaults_are_those_of_the_contract() -> None:
    plugin = Base()

    assert (plugin.version, plugin.description, plugin.author) == ("1.0.0", "", "")
    assert (plugin.dependencies, plugin.django_apps) == ([], [])
    assert (plugin.url_patterns, plugin.api_v2_patterns) == (None, None)
    assert (plugin.settings_model, plugin.task_config, plugin.settings) == (None, None, None)


def test_info_is_plain_data_with_each_hook_once() -> None:
    class Full(Base):
        id = "full"
        version = "2.1.0"
        dependencies = ["base"]
        django_apps = ["full_app"]
        api_v2_patterns = "full_app.api"
        permissions = ["entry:read:Host"]
        task_config = PluginTaskConfig("full", "full.tasks", {"scan": (0, "scan")})

        @entry_hook("after_create")
        def again(self, entity_name: str, user: Any, entry: Any) -> None: ...

    assert Full().get_info() == {
        "id": "full",
        "name": "Base",
        "version": "2.1.0",
        "description": "",
        "author": "",
        "dependencies": ["base"],
        "django_apps": ["full_app"],
        "url_patterns": None,
        "api_v2_patterns": "full_app.api",
        "hooks": ["entry.after_create", "entry.after_update", "entry.validate"],
        "override_operations": [],
        "has_params_model": False,
        "permissions": ["entry:read:Host"],
    }


def test_text_forms_name_the_plugin() -> None:
    assert str(Base()) == "Base v1.0.0 (base)"
    assert repr(Base()) == "<Plugin: base>"


ID_RULE = (
    "expected at most 64 letters, digits, hyphens and underscores, "
    "beginning and ending with a letter or digit"
)
MODEL = "expected a subclass of pydantic.BaseModel (the class) or None"


@dataclass
class Shop:
    port: int = 1


class Conf(BaseModel):
    port: int = 1


BAD_ATTRIBUTES: list[tuple[dict[str, Any], str]] = [
    ({"id": ""}, "`id` is '', expected a non-empty string"),
    ({"id": None}, "`id` is None, expected a non-empty string"),
    ({"name": ""}, "`name` is '', expected a non-empty string"),
    ({"name": 3}, "`name` is 3, expected a non-empty string"),
    ({"version": None}, "`version` is None, expected a non-empty string"),
    ({"id": "my plugin"}, f"`id` is 'my plugin', {ID_RULE}"),
    ({"id": "../etc"}, f"`id` is '../etc', {ID_RULE}"),
    ({"id": "-x"}, f"`id` is '-x', {ID_RULE}"),
    ({"id": "x\n"}, f"`id` is 'x\\n', {ID_RULE}"),
    ({"id": "a" * 65}, f"`id` is '{'a' * 65}', {ID_RULE}"),
    ({"dependencies": "base"}, "`dependencies` is 'base', expected a list of strings"),
    ({"dependencies": [3]}, "`dependencies` holds 3, expected non-empty strings"),
    ({"django_apps": [""]}, "`django_apps` holds '', expected non-empty strings"),
    ({"url_patterns": ""}, "`url_patterns` is '', expected the dotted path of a URL module or None"),
    ({"api_v2_patterns": 7}, "`api_v2_patterns` is 7, expected the dotted path of a URL module or None"),
    (
        {"api_v2_patterns": "a b"},
        "`api_v2_patterns` is 'a b', expected the dotted path of a URL module or None",
    ),
    ({"description": 5}, "`description` is 5, expected a string"),
    ({"description": None}, "`description` is None, expected a string"),
    ({"description": "x" * 4001}, "`description` has 4001 characters, expected at most 4000"),
    ({"author": ["Ann"]}, "`author` is ['Ann'], expected a string"),
    ({"author": "\ud800"}, "`author` is '\\ud800', expected text without control characters"),
    ({"name": "a\x00b"}, "`name` is 'a\\x00b', expected text without control characters"),
    ({"version": "banana"}, "`version` is 'banana', expected one like '1.2.3' (PEP 440)"),
    ({"version": 1.5}, "`version` is 1.5, expected a non-empty string"),
    (
        {"django_apps": ["no/path"]},
        "`django_apps` holds 'no/path', expected dotted paths, as in INSTALLED_APPS",
    ),
    ({"django_apps": {"a": 1}}, "`django_apps` is {'a': 1}, expected a list of strings"),
    ({"fail_closed": "no"}, "`fail_closed` is 'no', expected True or False"),
    ({"task_config": {}}, "`task_config` is {}, expected a PluginTaskConfig or None"),
    ({"settings_model": dict}, f"`settings_model` is {dict!r}, {MODEL}"),
    ({"settings_model": "x"}, f"`settings_model` is 'x', {MODEL}"),
    ({"settings_model": Shop}, f"`settings_model` is {Shop!r}, {MODEL}"),
    ({"settings_model": print}, f"`settings_model` is {print!r}, {MODEL}"),
    ({"settings_model": Conf()}, f"`settings_model` is {Conf()!r}, {MODEL}"),
    ({"settings_model": BaseModel}, f"`settings_model` is {BaseModel!r}, {MODEL}"),
]


@pytest.mark.parametrize(
    ("attributes", "fault"), BAD_ATTRIBUTES, ids=[ascii(fault)[:60] for _, fault in BAD_ATTRIBUTES]
)
def test_wrong_attribute_is_refused(attributes: dict[str, Any], fault: str) -> None:
    wrong = type("Wrong", (Base,), attributes)

    with pytest.raises(PluginValidationError) as caught:
        wrong()

    assert str(caught.value) == f"Plugin class Wrong: {fault}."


def test_all_faults_are_listed_together() -> None:
    wrong = type("Wrong", (Base,), {"id": "a b", "version": "", "django_apps": "app"})

    with pytest.raises(PluginValidationError) as caught:
        wrong()

    assert str(caught.value).count("; ") == 2


def test_a_settings_model_is_accepted() -> None:
    assert type("Good", (Base,), {"settings_model": Conf})().settings_model is Conf


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"priority": "high"}, "`priority` of hook 'entry.after_create' is 'high', expected a whole number"),
        ({"priority": True}, "`priority` of hook 'entry.after_create' is True, expected a whole number"),
        ({"entity": 5}, "`entity` of hook 'entry.after_create' is 5, expected a name or None"),
        ({"deferred": "yes"}, "`deferred` of hook 'entry.after_create' is 'yes', expected True or False"),
    ],
)
def test_a_handler_with_a_wrong_option_is_refused_where_it_is_written(
    options: dict[str, Any], fault: str
) -> None:
    with pytest.raises(PluginValidationError) as caught:
        entry_hook("after_create", **options)
    assert str(caught.value).startswith(fault)


@pytest.mark.parametrize("plugin_id", ["a", "hello-world", "a_b", "A1", "a" * 64])
def test_good_id_is_accepted(plugin_id: str) -> None:
    assert type("Good", (Base,), {"id": plugin_id})().id == plugin_id


def test_subclass_may_add_checks_of_its_own() -> None:
    class Picky(Base):
        def validate(self) -> None:
            super().validate()
            raise PluginValidationError("Picky needs more.")

    with pytest.raises(PluginValidationError, match="Picky needs more"):
        Picky()
