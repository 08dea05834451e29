"""Settings of plugins are shown with what their model says, and no secret among their values."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from pydantic import BaseModel, ConfigDict, Field, PostgresDsn, Secret, SecretStr, field_serializer

from pagoda.config.scrubbing import is_secret_name
from pagoda.plugins.configuration import WithheldSettings
from pagoda.plugins.shown_settings import VARIABLE, shown_settings

HIDDEN = "hunter2"


class Login(NamedTuple):
    user: str
    password: str


@dataclass
class Server:
    host: str
    api_key: str


class Account(BaseModel):
    name: str
    pin: Secret[int]
    note: str = Field(default="", repr=False)

    @field_serializer("pin")
    def _given_out(self, pin: Secret[int]) -> int:
        return pin.get_secret_value()


class Everything(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)

    hostname: str
    limit: int = Field(default=60, gt=0, description="Rows <b>at most</b>")
    ratio: float | None = None
    folders: tuple[Path, ...] = (Path("/srv"),)
    since: date = date(2026, 3, 31)
    computed: list[int] = Field(default_factory=lambda: [1, 2])
    use_token: bool = True
    token: SecretStr = SecretStr(f"default-{HIDDEN}")
    smtp_password: str = ""
    quiet: str = Field(default="", repr=False)
    database: PostgresDsn | None = None
    account: Account | None = None
    login: Login = Login("ann", HIDDEN)
    server: Server = Server("db-1", HIDDEN)
    headers: dict[str, Any] = {}
    several: list[SecretStr] = []
    alias_field: str = Field(default="", alias="short")


GIVEN: dict[str, Any] = {
    "hostname": "h\x00st",
    "token": HIDDEN,
    "smtp_password": HIDDEN,
    "quiet": HIDDEN,
    "database": f"postgres://u:{HIDDEN}@db/d",
    "account": {"name": "ops", "pin": 7231, "note": HIDDEN},
    "headers": {"Authorization": HIDDEN, "x": [{"accessToken": HIDDEN}, "plain"]},
    "several": [HIDDEN],
    "short": "x",
}


def shown_of(values: object, model: type[BaseModel] | None = Everything) -> dict[str, dict[str, Any]]:
    record: Any = SimpleNamespace(declared=SimpleNamespace(settings_model=model), settings=values)
    return {each["name"]: each for each in shown_settings(record, with_values=True)}


def test_values_are_shown_without_the_secrets_among_them() -> None:
    shown = shown_of(Everything(**GIVEN))
    text = json.dumps(shown)
    assert (HIDDEN in text, "7231" in text) == (False, False)
    assert {name: each["value"] for name, each in shown.items()} == {
        "hostname": "h\\x00st",
        "limit": 60,
        "ratio": None,
        "folders": ["/srv"],
        "since": "2026-03-31",
        "computed": [1, 2],
        "use_token": True,
        "token": "[Filtered]",
        "smtp_password": "[Filtered]",
        "quiet": "[Filtered]",
        "database": "postgres://u:[Filtered]@db/d",
        "account": {"name": "ops", "pin": "[Filtered]", "note": "[Filtered]"},
        "login": {"user": "ann", "password": "[Filtered]"},
        "server": {"host": "db-1", "api_key": "[Filtered]"},
        "headers": {"Authorization": "[Filtered]", "x": [{"accessToken": "[Filtered]"}, "plain"]},
        "several": "[Filtered]",
        "short": "x",
    }


def test_what_the_model_says_is_shown_with_where_a_value_is_from() -> None:
    shown = shown_of(Everything(**GIVEN))
    assert shown["limit"] == {
        "name": "limit",
        "type": "int",
        "description": "Rows <b>at most</b>",
        "is_required": False,
        "is_secret": False,
        "default": 60,
        "value": 60,
        "origin": "default",
    }
    assert {name for name, each in shown.items() if each["origin"] == VARIABLE} == GIVEN.keys()
    assert shown["computed"]["default"] is None
    assert [name for name, each in shown.items() if each["is_required"]] == ["hostname"]
    assert [shown[name]["type"] for name in ("token", "ratio", "computed")] == [
        "SecretStr",
        "float | None",
        "list[int]",
    ]


@pytest.mark.parametrize("values", [None, WithheldSettings("x"), object()], ids=["none", "withheld", "other"])
def test_a_process_without_the_values_shows_the_model_alone(values: object) -> None:
    shown = shown_of(values)
    assert {(each["value"], each["origin"]) for each in shown.values()} == {(None, None)}
    assert shown["limit"]["default"] == 60
    assert HIDDEN not in json.dumps(shown)


def test_what_is_no_value_of_json_or_has_no_end_is_cut() -> None:
    class Odd(BaseModel):
        model_config = ConfigDict(arbitrary_types_allowed=True)
        what: Any = None

    class Shy:
        def __str__(self) -> str:
            raise SystemExit(3)

    round_about: list[Any] = []
    round_about.append(round_about)
    for value in (Shy(), round_about, "x" * 100_000, {1: float("nan")}, {"k": {2, 3}}):
        json.dumps(shown_of(Odd(what=value)), allow_nan=True)
    assert len(json.dumps(shown_of(Odd(what=["x" * 900] * 1000)))) < 10_000


def test_what_a_model_takes_beside_its_fields_is_shown_too() -> None:
    class Open(BaseModel):
        model_config = ConfigDict(extra="allow")

    shown = shown_of(Open.model_validate({"note": "x", "api_key": HIDDEN}), model=Open)
    assert {name: (each["value"], each["origin"]) for name, each in shown.items()} == {
        "note": ("x", VARIABLE),
        "api_key": ("[Filtered]", VARIABLE),
    }


def test_a_plugin_without_model_has_none() -> None:
    assert shown_of(None, model=None) == {}
    nothing: Any = SimpleNamespace(declared=None, settings=None)
    assert shown_settings(nothing, with_values=True) == []


@pytest.mark.parametrize(
    "name", ["pwd", "dbPassword", "API_KEY", "netboxtoken", "auth", "access_keys", "sessionid"]
)
def test_names_of_secrets(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize("name", ["author", "hostname", "inside", "key_file", "bypass", "url", "limit", ""])
def test_names_of_others(name: str) -> None:
    assert not is_secret_name(name)
