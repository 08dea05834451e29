"""Params of tasks: what a model refuses, and the schema that forms are made from."""

from __future__ import annotations

import json
from datetime import date
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, field_validator

from pagoda_plugin_sdk import PluginValidationError
from pagoda_plugin_sdk.params import EntryReference, ParamsRefused, checked_params, params_schema
from pagoda_plugin_sdk.tasks import TaskOptions, plugin_task, task_options
from pagoda_plugin_sdk.testing import FakeJob, run_task


class Order(BaseModel):
    name: str = Field(min_length=2)
    due: date | None = None
    host: Annotated[int, EntryReference("Host")] = 1

    @field_validator("name")
    @classmethod
    def no_bugs(cls, value: str) -> str:
        if value == "bug":
            raise RuntimeError("a fault of the model")
        return value


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")


@pytest.mark.parametrize(
    "given", [{"name": "abc", "due": "2026-03-31"}, '{"name": "abc", "due": "2026-03-31"}']
)
def test_params_become_the_model_with_its_defaults(given: Any) -> None:
    made = checked_params(Order, given)

    assert made == Order(name="abc", due=date(2026, 3, 31), host=1)


@pytest.mark.parametrize(
    ("given", "faults"),
    [
        ({}, {"name": ["Field required"]}),
        ({"name": "a"}, {"name": ["String should have at least 2 characters"]}),
        ({"name": "ab", "nmae": 1}, {"nmae": ["There is no such param. Did you mean 'name'?"]}),
        (
            {"nmae": "ab"},
            {"nmae": ["There is no such param. Did you mean 'name'?"], "name": ["Field required"]},
        ),
        ("[]", {"": ["Input should be an object"]}),
    ],
    ids=repr,
)
def test_wrong_params_are_told_by_field(given: Any, faults: dict[str, list[str]]) -> None:
    with pytest.raises(ParamsRefused) as caught:
        checked_params(Order, given)

    assert caught.value.faults == faults
    assert all((field or "params") in str(caught.value) for field in faults)


def test_a_model_may_take_others() -> None:
    assert checked_params(Open, {"more": 1}).model_extra == {"more": 1}


def test_what_is_no_fault_of_the_params_is_raised_as_it_is() -> None:
    with pytest.raises(RuntimeError, match="a fault of the model"):
        checked_params(Order, {"name": "bug"})


def test_schema_tells_which_number_is_an_entry() -> None:
    schema = params_schema(Order)

    assert schema["required"] == ["name"]
    assert schema["properties"]["host"] == {
        "default": 1,
        "title": "Host",
        "type": "integer",
        "x-pagoda-entry": "Host",
    }
    json.dumps(schema)


class NoSchema(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)

    what: FakeJob


class Long(BaseModel):
    name: str = Field(description="x" * 64_000)


@pytest.mark.parametrize(
    ("model", "fault"), [(NoSchema, "has no JSON schema"), (Long, "expected 64,000 at most")]
)
def test_model_without_a_use_as_schema_is_refused(model: type[BaseModel], fault: str) -> None:
    with pytest.raises(PluginValidationError, match=fault):
        params_schema(model)


class WithDefaults(BaseModel):
    size: int = 1


CLASS = "expected a subclass of pydantic.BaseModel \\(the class\\) or None"


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"params_model": "Order"}, f"`params_model` is 'Order', {CLASS}"),
        ({"params_model": Order(name="abc")}, CLASS),
        ({"params_model": BaseModel}, CLASS),
        ({"params_model": dict}, CLASS),
        ({"params_model": Order, "permission": "scan"}, "`permission` is 'scan', expected \"app.codename\""),
        ({"params_model": Order, "permission": 5}, "`permission` is 5"),
        ({"permission": "user.add_user"}, "needs a `params_model`, too"),
        ({"params_model": Order, "target": "host"}, "`target` is 'host', expected 'entry', 'entity' or None"),
        (
            {"params_model": Order, "target_entity": "Host"},
            "expected the name of an entity, beside a `target`",
        ),
        ({"params_model": Order, "target": "entry", "target_entity": " "}, "`target_entity` is ' '"),
        ({"target": "entry"}, "`target` is for a task that people run"),
        ({"params_model": WithDefaults, "target": "entry", "schedule": "* * * * *"}, "without a target"),
        ({"params_model": Order, "schedule": "* * * * *"}, "`params_model` needs name: give them defaults"),
    ],
    ids=repr,
)
def test_wrong_options_are_refused_where_they_are_written(options: dict[str, Any], fault: str) -> None:
    with pytest.raises(PluginValidationError, match=fault):
        TaskOptions(**options)


def test_task_reads_its_params_as_the_model() -> None:
    @plugin_task(0, params_model=Order, permission="shop.order")
    def order(job: Any) -> str:
        return str(job.params_as(Order).due)

    options = task_options(order)
    assert options is not None
    assert (options.params_model, options.permission) == (Order, "shop.order")
    assert run_task(order, FakeJob(params={"name": "abc", "due": "2026-03-31"})) == "2026-03-31"
    with pytest.raises(ParamsRefused):
        run_task(order, FakeJob(params={}))
