from __future__ import annotations

import copy
import inspect
from collections.abc import Iterator
from typing import Any, Union, get_type_hints
from unittest import mock
from unittest.mock import sentinel

import pytest

from pagoda_plugin_sdk import models, tasks
from pagoda_plugin_sdk.exceptions import ModelsNotInjected, PluginValidationError
from pagoda_plugin_sdk.models import Entity, Entry  # at the top, as a plugin writes it, long before injection
from pagoda_plugin_sdk.testing import injected

NAMES = ["Entity", "Entry", "EntityAttr", "Attribute", "AttributeValue", "User", "Job"]


class HostEntry:
    """Stands for a model class of a host."""

    objects = sentinel.manager

    def __init__(self, name: str = "") -> None:
        self.name = name


class HostSpecialEntry(HostEntry): ...


def as_any(value: Any) -> Any:
    return value


@pytest.fixture(autouse=True)
def not_injected() -> Iterator[None]:
    models.reset()
    yield
    models.reset()


def test_seven_models_are_named() -> None:
    assert list(models.MODEL_NAMES) == NAMES


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "use",
    [
        lambda model: model.objects,
        lambda model: model(),
        lambda model: isinstance(object(), model),
        lambda model: issubclass(HostEntry, model),
    ],
    ids=["attribute", "call", "isinstance", "issubclass"],
)
def test_use_before_injection_says_what_is_missing(name: str, use: Any) -> None:
    with pytest.raises(ModelsNotInjected) as caught:
        use(getattr(models, name))

    message = str(caught.value)
    assert message.startswith(f"Model {name!r} is not available yet: no host has injected its models.")
    assert "Use it inside functions that run once the host is up" in message


def test_name_imported_at_the_top_of_a_module_works_once_injected() -> None:
    models.inject({"Entry": HostEntry})

    made: Any = Entry("web-1")  # type: ignore[misc, call-arg]  # a stand-in, not the Protocol

    assert type(made) is HostEntry
    assert made.name == "web-1"
    assert Entry.objects is sentinel.manager


def test_isinstance_and_issubclass_reach_the_model() -> None:
    models.inject({"Entry": HostEntry})

    assert isinstance(HostSpecialEntry(), Entry)
    assert not isinstance(object(), Entry)
    assert issubclass(HostSpecialEntry, Entry)  # type: ignore[misc]  # a class at run time


def test_attribute_that_the_model_lacks_is_an_attribute_error() -> None:
    models.inject({"Entry": HostEntry})

    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        Entry.nothing  # type: ignore[attr-defined]  # noqa: B018  # that is the point


def test_introspection_before_injection_is_no_use() -> None:
    assert not hasattr(Entry, "__wrapped__")
    assert inspect.unwrap(Entry) is Entry
    assert "not injected yet" in repr(Entry)


def test_repr_after_injection_names_the_model() -> None:
    models.inject({"Entry": HostEntry})

    assert repr(Entry) == f"<Entry: {HostEntry}>"


def test_availability_follows_injection() -> None:
    assert models.get_available_models() == []
    models.inject({"Job": HostEntry, "Entry": HostEntry})
    assert models.get_available_models() == ["Entry", "Job"]
    assert not models.is_initialized()

    models.inject(dict.fromkeys(NAMES, HostEntry))

    assert models.get_available_models() == NAMES
    assert models.is_initialized()


def test_injecting_twice_is_injecting_once() -> None:
    models.inject({"Entry": HostEntry})
    models.inject({"Entry": HostEntry})

    assert models.get_available_models() == ["Entry"]


def test_unknown_name_is_refused_and_nothing_is_bound() -> None:
    with pytest.raises(PluginValidationError) as caught:
        models.inject({"Entry": HostEntry, "Entri": HostEntry})

    assert str(caught.value).startswith(
        "Unknown model names ['Entri']; expected some of ('Entity', 'Entry', "
    )
    assert models.get_available_models() == []


def test_reset_unbinds() -> None:
    models.inject({"Entry": HostEntry})

    models.reset()

    with pytest.raises(ModelsNotInjected):
        Entry.objects.all()


def test_job_of_the_tasks_module_is_the_same() -> None:
    assert tasks.Job is models.Job


def test_injected_binds_for_a_block_and_restores_what_was_bound() -> None:
    models.inject({"Entry": HostEntry})

    with injected({"Entry": HostSpecialEntry, "Entity": HostEntry}):
        assert issubclass(HostSpecialEntry, Entry)  # type: ignore[misc]
        assert not issubclass(HostEntry, Entry)  # type: ignore[misc]
        assert issubclass(HostEntry, Entity)  # type: ignore[misc]

    assert models.get_available_models() == ["Entry"]
    assert issubclass(HostEntry, Entry)  # type: ignore[misc]


def test_names_are_the_classes_themselves_once_injected() -> None:
    models.inject({"Entry": HostEntry, "Job": HostEntry})

    from pagoda_plugin_sdk import Job
    from pagoda_plugin_sdk.models import Entry as Imported

    assert as_any(Imported) is HostEntry
    assert as_any(Job) is as_any(tasks.Job) is HostEntry


def test_what_annotations_copies_and_mocks_do_is_no_use_without_a_host() -> None:
    def find(entry: Entry | None, other: Entry | None = None) -> Entry | None: ...

    placeholder: Any = Entry
    assert (placeholder | None) == (None | placeholder) == Union[placeholder, None]  # noqa: UP007
    assert get_type_hints(find)["entry"] == Union[placeholder, None]  # noqa: UP007
    assert copy.deepcopy(placeholder) is copy.copy(placeholder) is placeholder
    assert copy.deepcopy({"of": [placeholder]}) == {"of": [placeholder]}
    with mock.patch(f"{__name__}.Entry") as patched:
        assert Entry is patched
    with mock.patch("pagoda_plugin_sdk.models.Entry", autospec=True):
        assert models.Entry is not placeholder
    assert models.Entry is placeholder
