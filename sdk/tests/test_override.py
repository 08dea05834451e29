from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from pagoda_plugin_sdk import OverrideContext, OverrideMeta, Plugin, PluginValidationError, override_operation
from pagoda_plugin_sdk.override import OVERRIDE_OPERATIONS, override_meta


class Params(BaseModel):
    rack: int = 1


class Overriding(Plugin):
    id = name = "overriding"
    params_model = Params

    @override_operation("create")  # type: ignore[type-var]  # no answer, as it is not asked
    def make(self, context: OverrideContext) -> str:
        return f"made {context.operation}"

    @override_operation("list")
    def show(self, context: OverrideContext) -> None:
        return None


def context_of(**fields: Any) -> OverrideContext:
    known = {"request": None, "user": None, "entity": None, "plugin_id": "overriding", "operation": "create"}
    return OverrideContext(**{**known, **fields})


@pytest.mark.parametrize("operation", OVERRIDE_OPERATIONS)
def test_mark_tells_the_operation_and_leaves_the_function(operation: Any) -> None:
    def method(self: object, context: OverrideContext) -> None: ...

    assert override_operation(operation)(method) is method
    assert override_meta(method) == OverrideMeta(operation)
    assert OverrideMeta(operation).to_dict() == {"operation": operation}


def test_operation_is_taken_in_any_case() -> None:
    written: Any = "UPDATE"

    def method(self: object, context: OverrideContext) -> None: ...

    override_operation(written)(method)

    assert override_meta(method) == OverrideMeta("update")


@pytest.mark.parametrize("error", [ValueError, PluginValidationError])
@pytest.mark.parametrize("written", ["crate", "partial_update", 5, None], ids=str)
def test_unknown_operation_is_refused(written: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=f"Invalid operation: {written!r}, expected one of create, retrieve"):
        override_operation(written)


def test_handlers_are_collected_and_found_by_their_operation() -> None:
    plugin = Overriding()

    assert [dict(handler) for handler in Overriding._override_handlers] == [
        {"operation": "create", "method_name": "make", "handler": Overriding.make},
        {"operation": "list", "method_name": "show", "handler": Overriding.show},
    ]
    assert plugin.get_handler("create") == plugin.make
    assert plugin.get_handler("LIST") == plugin.show
    assert plugin.get_handler("delete") is None


def test_handler_of_a_subclass_is_its_own() -> None:
    class Child(Overriding):
        @override_operation("create")  # type: ignore[type-var]  # as above
        def make_better(self, context: OverrideContext) -> str:
            return "better"

    child = Child()
    assert child.get_handler("create") == child.make_better


def test_info_tells_of_operations_and_params() -> None:
    info = Overriding().get_info()

    assert (info["override_operations"], info["has_params_model"]) == (["create", "list"], True)


def test_params_become_the_model_and_wrong_ones_are_a_value_error() -> None:
    assert Overriding().validate_params({"rack": 7}) == Params(rack=7)
    with pytest.raises(ValidationError, match="rack"):
        Overriding().validate_params({"rack": "x"})
    assert issubclass(ValidationError, ValueError)


def test_params_without_a_model_stay_as_they_are() -> None:
    class Plain(Plugin):
        id = name = "plain"

    assert Plain().validate_params({"rack": "x"}) == {"rack": "x"}


def test_params_model_that_is_none_is_refused() -> None:
    class Wrong(Plugin):
        id = name = "wrong"
        params_model: Any = Params(rack=1)

    with pytest.raises(PluginValidationError, match=r"`params_model` is .*, expected a subclass of pydantic"):
        Wrong()


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        (None, False),
        (SimpleNamespace(is_authenticated=False), False),
        (SimpleNamespace(is_authenticated=True), True),
    ],
    ids=["nobody", "anonymous", "somebody"],
)
def test_context_tells_whether_somebody_is_logged_in(user: Any, expected: bool) -> None:
    assert context_of(user=user).is_authenticated is expected


@pytest.mark.parametrize(
    ("data", "body", "expected"),
    [({"name": "a"}, {"name": "b"}, {"name": "a"}), (None, {"name": "b"}, {"name": "b"}), (None, None, {})],
)
def test_context_gives_a_copy_of_the_data(data: Any, body: Any, expected: Any) -> None:
    context = context_of(data=data, request=SimpleNamespace(data=body))

    given = context.get_request_data()
    given["name"] = "changed"

    assert context.get_request_data() == expected
    assert (context.entry, context.params) == (None, {})
