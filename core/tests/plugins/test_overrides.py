from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from pydantic import BaseModel

from pagoda.config.loading import load_settings
from pagoda.errors import SettingsError
from pagoda.plugins import overrides
from pagoda.plugins.records import PluginRecord, PluginRefused, ReasonCode
from pagoda_plugin_sdk import OverrideContext, Plugin, override_operation


class Params(BaseModel):
    rack: int = 1


class Racks(Plugin):
    id = name = "racks"
    params_model = Params

    @override_operation("create")
    def make(self, context: OverrideContext) -> None: ...

    @override_operation("list")  # type: ignore[type-var]  # that is the point
    def wrong(self) -> None: ...


@pytest.fixture
def registry(start: Any) -> Iterator[Any]:
    registry = start().registry
    undo = registry.register(Racks())
    yield registry
    undo()
    overrides.bind(registry, {})


def binding(**changes: Any) -> dict[str, Any]:
    return {"plugin": "racks", "operations": ["create"], **changes}


def test_setting_binds_by_id_before_name(registry: Any) -> None:
    overrides.bind(registry, {"Host": binding(), "42": binding(params={"rack": 7})})

    by_name, by_id = (
        overrides.override_for(1, "Host", "create"),
        overrides.override_for(42, "Host", "create"),
    )
    assert by_name is not None
    assert by_id is not None
    assert (by_name.params, by_id.params, by_id.plugin_id) == (Params(rack=1), Params(rack=7), "racks")
    assert overrides.override_for(1, "Host", "delete") is None
    assert overrides.override_for(1, "Rack", "create") is None


FAULTS: dict[str, tuple[Any, str]] = {
    "no object": ([], "'Host': Input should be"),
    "no plugin": ({"operations": ["create"]}, "'Host': `plugin`: Field required."),
    "unknown field": (binding(param={}), "'Host': `param`: Extra inputs are not permitted."),
    "no operations": (binding(operations=[]), "'Host': `operations`: List should have at least 1 item"),
    "unknown operation": (
        binding(operations=["crate"]),
        "'Host' binds 'crate', expected one of create, retrieve, update, delete, list. Did you mean 'create'",
    ),
    "operation twice": (binding(operations=["create", "create"]), "'Host' binds 'create' twice. Keep one"),
    "unknown plugin": (
        binding(plugin="rack"),
        "'Host' names plugin 'rack', which is not enabled. Did you mean 'racks'?",
    ),
    "no method": (
        binding(operations=["delete"]),
        "'Host': plugin 'racks' has no method for 'delete', it has: create, list.",
    ),
    "wrong method": (
        binding(operations=["list"]),
        "'Host': Racks.wrong has the signature () -> 'None' and can't take its arguments",
    ),
    "wrong params": (binding(params={"rack": "secret"}), "'Host': params: `rack`: Input should be a valid"),
    "params that nothing reads": (
        binding(params={"rak": 7}),
        "there is no such setting. Did you mean 'rack'?",
    ),
    "params no object": (binding(params=[]), "'Host': `params`: Input should be a valid dictionary."),
}


@pytest.mark.parametrize(("value", "fault"), FAULTS.values(), ids=FAULTS)
def test_fault_of_the_setting_is_told(value: Any, fault: str, registry: Any) -> None:
    with pytest.raises(ImproperlyConfigured) as caught:
        overrides.bind(registry, {"Host": value})

    assert str(caught.value).startswith("BACKEND_PLUGIN_ENTITY_OVERRIDES has 1 fault(s):\n  - ")
    assert fault in str(caught.value)
    assert "secret" not in str(caught.value)


def test_all_faults_are_told_at_once_and_nothing_is_bound(registry: Any) -> None:
    setting = {name: value for name, (value, _) in FAULTS.items()} | {"Good": binding()}

    with pytest.raises(ImproperlyConfigured, match=f"has {len(FAULTS)} fault"):
        overrides.bind(registry, setting)

    assert overrides.bindings() == {}


def test_a_binding_with_several_faults_tells_each(registry: Any) -> None:
    with pytest.raises(ImproperlyConfigured) as caught:
        overrides.bind(registry, {"Host": {"plugin": "rack", "operations": ["crate", "delete", "drop"]}})

    for fault in ("names plugin 'rack'", "binds 'crate'", "binds 'drop'"):
        assert fault in str(caught.value)


def test_operations_are_named_in_any_case(registry: Any) -> None:
    overrides.bind(registry, {"Host": binding(operations=["CREATE"])})

    assert overrides.override_for(1, "Host", "create") is not None


@pytest.mark.parametrize("failing", ["get_handler", "validate_params"])
def test_plugin_that_fails_is_a_fault(failing: str, registry: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise SystemExit("gone")

    monkeypatch.setattr(Racks, failing, fail)
    with pytest.raises(ImproperlyConfigured, match=r"'Host': Plugin 'racks' fails: SystemExit: gone"):
        overrides.bind(registry, {"Host": binding()})


def test_operations_of_a_skipped_plugin_stay_the_host_s_and_are_told(registry: Any) -> None:
    record = registry.add(PluginRecord(id="broken"))
    registry.skip(record, PluginRefused(ReasonCode.IMPORT_FAILED, "Broken."))

    overrides.bind(registry, {"Host": binding(plugin="broken")})

    assert overrides.bindings() == {}
    assert registry.faults[-1].code == ReasonCode.OVERRIDE_OFF
    assert "'Host' is bound" in registry.faults[-1].text


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("BACKEND_PLUGIN_ENTITY_OVERRIDES", '{"Host": {"plugin": "a"}, "Host": {"plugin": "b"}}'),
        ("PLUGIN_SETTINGS", '{"a": {"Host": 1, "Host": 2}}'),
        ("PLUGIN_OPERATION_ID_CONFIG", '{"Host": [200, 299], "Host": [300, 399]}'),
    ],
)
def test_name_that_stands_twice_in_a_setting_is_refused(variable: str, text: str) -> None:
    with pytest.raises(SettingsError, match=f"{variable} names 'Host' twice. Keep one of the two"):
        load_settings({variable: text})


def test_setting_is_read_from_the_environment() -> None:
    setting = {"42": binding()}

    loaded = load_settings({"BACKEND_PLUGIN_ENTITY_OVERRIDES": json.dumps(setting)})

    assert loaded.backend_plugin_entity_overrides == setting
