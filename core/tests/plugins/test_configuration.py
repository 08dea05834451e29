from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from pagoda.plugins.configuration import settings_of
from pagoda.plugins.declaration import declaration_of
from pagoda.plugins.records import PluginRefused, ReasonCode
from pagoda_plugin_sdk import Plugin


class Nested(BaseModel):
    host: str
    port: int = 5432


class Conf(BaseModel):
    token: SecretStr = SecretStr("")
    interval: int = Field(default=60, gt=0)
    server: Nested | None = None
    alias_field: str = Field(default="", alias="short")

    @field_validator("token")
    @classmethod
    def _checked(cls, value: SecretStr) -> SecretStr:
        if value.get_secret_value().startswith("weak"):
            raise ValueError(f"{value.get_secret_value()} is too weak")
        if value.get_secret_value().startswith("boom"):
            raise RuntimeError(f"can't decode {value.get_secret_value()}")
        return value


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")


class Configured(Plugin):
    id = "conf"
    name = "Configured"
    settings_model = Conf


class Unconfigured(Plugin):
    id = "conf"
    name = "Unconfigured"


def configured(values: dict[str, Any] | None, plugin: Plugin | None = None, name: str = "conf") -> Any:
    declared = declaration_of(plugin or Configured())
    return settings_of(declared, "Plugin 'conf'", ("conf", "alias"), {} if values is None else {name: values})


def test_values_are_validated_into_the_model() -> None:
    settings = configured({"interval": "5", "server": {"host": "h"}, "short": "x"}, name="alias")

    assert (settings.interval, settings.server.port, settings.alias_field) == (5, 5432, "x")


def test_without_values_the_defaults_hold() -> None:
    assert configured(None).interval == 60


def test_without_a_model_there_are_no_settings() -> None:
    assert configured(None, Unconfigured()) is None


def test_a_model_that_allows_extras_gets_them() -> None:
    plugin = type("Any", (Configured,), {"settings_model": Open})()

    assert configured({"anything": 1}, plugin).anything == 1


BAD = {
    "wrong type": ({"interval": "often"}, "`interval`: Input should be a valid integer"),
    "out of range": ({"interval": 0}, "`interval`: Input should be greater than 0"),
    "nested": ({"server": {"port": "x"}}, "`server.host`: Field required; `server.port`: "),
    "unknown": ({"intervall": 3}, "`intervall`: there is no such setting. Did you mean 'interval'?"),
    "secret in a message": ({"token": "weak-hunter2"}, "`token`: Value error, [hidden] is too weak"),
    "secret in an exception": (
        {"token": "boom-hunter2"},
        "its settings model fails: RuntimeError: can't decode [hidden]",
    ),
}


@pytest.mark.parametrize(("values", "message"), BAD.values(), ids=BAD)
def test_wrong_values_are_named_by_field_and_not_shown(values: dict[str, Any], message: str) -> None:
    with pytest.raises(PluginRefused) as caught:
        configured(values)

    assert caught.value.reason_code is ReasonCode.BAD_SETTINGS
    assert message in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None or caught.value.__suppress_context__


def test_all_faults_are_listed_together() -> None:
    with pytest.raises(PluginRefused) as caught:
        configured({"interval": 0, "server": 3, "nope": 1})

    for field in ("`interval`", "`server`", "`nope`"):
        assert field in str(caught.value)


def test_values_under_two_names_of_one_plugin_are_refused() -> None:
    with pytest.raises(PluginRefused, match="it is there twice, as 'conf' and as 'alias'"):
        settings_of(
            declaration_of(Configured()), "Plugin 'conf'", ("conf", "alias"), {"conf": {}, "alias": {}}
        )


def test_values_for_a_plugin_without_settings_are_refused() -> None:
    with pytest.raises(PluginRefused, match="it takes no settings, as its class has no `settings_model`"):
        configured({"x": 1}, Unconfigured())
