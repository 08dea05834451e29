from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pagoda_plugin_sdk import decorators
from pagoda_plugin_sdk.decorators import HookMark, hook_marks, validation_hook
from pagoda_plugin_sdk.exceptions import PluginValidationError, UnknownHook
from pagoda_plugin_sdk.override import override_operation

# Any: types would refuse what the decorators themselves are to refuse here
entry_hook: Any = decorators.entry_hook
entity_hook: Any = decorators.entity_hook
get_attrs_hook: Any = decorators.get_attrs_hook


def handler(self: Any, *args: Any, **context: Any) -> None:
    """A handler to be marked; each test takes a fresh copy by `fresh`."""


def fresh() -> Callable[..., None]:
    def copy(self: Any, *args: Any, **context: Any) -> None: ...

    return copy


DECORATORS = {
    "entry_hook": (entry_hook("after_create"), "entry.after_create"),
    "entity_hook": (entity_hook("before_update"), "entity.before_update"),
    "validation_hook": (validation_hook(), "entry.validate"),
    "get_attrs_hook of entries": (get_attrs_hook("entry"), "entry.get_attrs"),
    "get_attrs_hook of entities": (get_attrs_hook("entity"), "entity.get_attrs"),
    "get_attrs_hook without target": (get_attrs_hook(), "entry.get_attrs"),
}


@pytest.mark.parametrize(("decorate", "hook_name"), DECORATORS.values(), ids=DECORATORS)
def test_decorator_marks_and_returns_the_same_function(decorate: Any, hook_name: str) -> None:
    function = fresh()

    assert decorate(function) is function
    assert hook_marks(function) == (HookMark(hook_name=hook_name, entity=None, priority=100, deferred=False),)


@pytest.mark.parametrize(
    ("decorate", "mark"),
    [
        (
            entry_hook("after_update", entity="Host", priority=5, deferred=True),
            HookMark(hook_name="entry.after_update", entity="Host", priority=5, deferred=True),
        ),
        (
            entity_hook("after_delete", "Host", 7, deferred=True),
            HookMark(hook_name="entity.after_delete", entity="Host", priority=7, deferred=True),
        ),
        (
            validation_hook("Host", 1),
            HookMark(hook_name="entry.validate", entity="Host", priority=1, deferred=False),
        ),
        (
            get_attrs_hook("entity", "Host", 200),
            HookMark(hook_name="entity.get_attrs", entity="Host", priority=200, deferred=False),
        ),
    ],
    ids=["entry", "entity", "validation", "get_attrs"],
)
def test_options_are_kept(decorate: Any, mark: HookMark) -> None:
    assert hook_marks(decorate(fresh())) == (mark,)


@pytest.mark.parametrize(
    "event", ["after_create", "entry.after_create", "after_create_entry_v2"], ids=["event", "name", "alias"]
)
def test_entry_hook_takes_event_name_and_alias(event: str) -> None:
    assert hook_marks(entry_hook(event)(fresh()))[0].hook_name == "entry.after_create"


@pytest.mark.parametrize(
    "event",
    ["before_create", "entity.before_create", "before_create_entity_v2"],
    ids=["event", "name", "alias"],
)
def test_entity_hook_takes_event_name_and_alias(event: str) -> None:
    assert hook_marks(entity_hook(event)(fresh()))[0].hook_name == "entity.before_create"


def test_marks_of_several_decorators_are_read_top_first() -> None:
    @decorators.entry_hook("after_create")
    @decorators.entry_hook("after_update", priority=1)
    @validation_hook()
    def marked(self: Any, *args: Any) -> None: ...

    assert [mark.hook_name for mark in hook_marks(marked)] == [
        "entry.after_create",
        "entry.after_update",
        "entry.validate",
    ]


def test_unmarked_function_has_no_marks() -> None:
    assert hook_marks(handler) == ()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            lambda: entry_hook("after_creation"),
            "Unknown hook 'entry.after_creation'. Did you mean 'entry.after_",
        ),
        (lambda: entity_hook("after_restore"), "Unknown hook 'entity.after_restore'. Did you mean '"),
        (lambda: get_attrs_hook("job"), "Unknown hook 'job.get_attrs'. Did you mean '"),
    ],
    ids=["entry", "entity", "get_attrs"],
)
def test_unknown_event_is_refused_where_it_is_written(wrong: Callable[[], Any], message: str) -> None:
    with pytest.raises(UnknownHook) as caught:
        wrong()

    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("wrong", "hook_name"),
    [
        (lambda: entry_hook("before_create", deferred=True), "entry.before_create"),
        (lambda: entity_hook("before_delete", deferred=True), "entity.before_delete"),
    ],
    ids=["entry", "entity"],
)
def test_only_after_hooks_can_be_deferred(wrong: Callable[[], Any], hook_name: str) -> None:
    with pytest.raises(PluginValidationError) as caught:
        wrong()

    assert str(caught.value) == (
        f"Hook {hook_name!r} can't be deferred: its result is needed before the write. "
        "Only after-hooks take deferred=True."
    )


@pytest.mark.parametrize(
    ("decorator", "name", "hook"),
    [
        (entry_hook, "validate_entry", "entry.validate"),
        (entry_hook, "get_entry_attr", "entry.get_attrs"),
        (entry_hook, "entry.after_create", "entry.after_create"),
        (entity_hook, "after_create_entity_v2", "entity.after_create"),
    ],
)
def test_a_full_name_or_alias_is_an_event_too(decorator: Any, name: str, hook: str) -> None:
    @decorator(name)  # type: ignore[untyped-decorator]  # one of two, by parameter
    def handler(*_: object) -> None: ...

    assert [mark.hook_name for mark in hook_marks(handler)] == [hook]


@pytest.mark.parametrize(
    ("decorator", "name"), [(entry_hook, "entity.after_create"), (entity_hook, "validate_entry")]
)
def test_a_hook_of_the_other_subject_is_refused(decorator: Any, name: str) -> None:
    with pytest.raises(PluginValidationError, match=f"Hook '{name}' is one of"):
        decorator(name)


def test_metadata_of_the_topmost_mark_reads_as_a_dict() -> None:
    marked: Any = entry_hook("after_update", entity="Host", priority=5)(validation_hook()(fresh()))

    assert marked._hook_metadata == {
        "hook_name": "entry.after_update",
        "entity": "Host",
        "priority": 5,
        "deferred": False,
    }


@pytest.mark.parametrize(
    ("decorate", "said"),
    [
        (entry_hook, "@entry_hook stands above fresh without brackets"),
        (entity_hook, "@entity_hook stands above fresh without brackets"),
        (validation_hook, "stands above fresh without brackets"),
        (get_attrs_hook, "@get_attrs_hook stands above fresh without brackets"),
        (override_operation, "@override_operation stands above fresh without brackets"),
    ],
)
def test_a_decorator_without_brackets_is_told(decorate: Any, said: str) -> None:
    with pytest.raises(PluginValidationError, match=said):
        decorate(fresh)


def test_a_hook_is_named_by_a_text() -> None:
    with pytest.raises(UnknownHook, match="expected a text, such as"):
        entry_hook(["after_create"])
