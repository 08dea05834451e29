"""Every host model offers what its Protocol promises to plugins, member by member."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from typing_extensions import get_protocol_members

from pagoda.domain.entity.models import Entity, EntityAttr
from pagoda.domain.entry.models import Attribute, AttributeValue, Entry
from pagoda.domain.user.models import User
from pagoda.jobs.models import Job
from pagoda_plugin_sdk import models as sdk_models
from pagoda_plugin_sdk import protocols

MODELS: dict[str, type[Any]] = {
    "Entity": Entity,
    "Entry": Entry,
    "EntityAttr": EntityAttr,
    "Attribute": Attribute,
    "AttributeValue": AttributeValue,
    "User": User,
    "Job": Job,
}
MEMBERS = [
    (name, member)
    for name in MODELS
    for member in sorted(get_protocol_members(getattr(protocols, f"{name}Protocol")))
]
MANAGERS = {
    "Entity": protocols.EntityManagerProtocol,
    "Entry": protocols.EntryManagerProtocol,
    "EntityAttr": protocols.EntityAttrManagerProtocol,
    "Attribute": protocols.AttributeManagerProtocol,
    "User": protocols.UserManagerProtocol,
    "Job": protocols.JobManagerProtocol,
}


def declared(protocol: type[Any], member: str) -> Any:
    return inspect.getattr_static(protocol, member, None)


def parameters(function: Any) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(getattr(function, "__func__", function)).parameters)


def assert_takes(function: Any, promised: Any) -> None:
    """Check that every way to call `promised` calls `function` too."""
    offered = parameters(function)
    kinds = {parameter.kind for parameter in offered.values()}
    for name, parameter in parameters(promised).items():
        if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            continue
        takes_any = parameter.VAR_KEYWORD in kinds
        assert name in offered or takes_any, f"{function.__qualname__} lacks the argument {name!r}"


@pytest.mark.parametrize(("model", "member"), MEMBERS, ids=str)
def test_model_has_the_member(model: str, member: str) -> None:
    promised = declared(getattr(protocols, f"{model}Protocol"), member)
    assert hasattr(MODELS[model], member), f"{model} has no {member!r}"
    if inspect.isfunction(promised) or isinstance(promised, classmethod):
        assert_takes(inspect.getattr_static(MODELS[model], member), promised)


@pytest.mark.parametrize("model", MANAGERS)
def test_manager_has_the_members(model: str) -> None:
    manager = MODELS[model].objects
    for member in get_protocol_members(MANAGERS[model]):
        assert callable(getattr(manager, member)), f"{model}.objects has no {member!r}"
    assert isinstance(manager, MANAGERS[model])


def test_every_model_of_the_sdk_is_held_to_a_protocol() -> None:
    assert set(MODELS) == set(sdk_models.MODEL_NAMES)


def test_the_host_injects_exactly_these_models() -> None:
    for name, model in MODELS.items():
        assert getattr(sdk_models, name).objects.model is model
