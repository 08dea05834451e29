from __future__ import annotations

import logging
from datetime import UTC, date, datetime
from typing import Any

import pytest

import pagoda_plugin_sdk
from pagoda_plugin_sdk import PluginValidationError
from pagoda_plugin_sdk.utils import (
    PluginLogger,
    format_datetime_for_api,
    generate_plugin_cache_key,
    get_pagoda_version,
    get_plugin_module_path,
    log_plugin_activity,
    merge_plugin_config,
    sanitize_plugin_id,
    validate_django_app_name,
    validate_plugin_data,
)


def test_version_is_the_sdk_s() -> None:
    assert get_pagoda_version() == pagoda_plugin_sdk.__version__


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
def test_logger_names_the_plugin(level: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    getattr(PluginLogger("racks"), level)("Counted.", extra={"racks": 3})

    record: Any = caplog.records[0]
    assert (record.name, record.levelname) == ("pagoda.plugin.racks", level.upper())
    assert (record.getMessage(), record.racks) == ("[racks] Counted.", 3)


def test_activity_is_logged_with_its_details(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    log_plugin_activity("racks", "count")
    log_plugin_activity("racks", "count", {"found": 3})

    assert caplog.messages == [
        "Plugin 'racks' performed action: count",
        "Plugin 'racks' performed action: count | Details: {'found': 3}",
    ]


def test_data_with_all_fields_is_given_back() -> None:
    data = {"name": "a", "size": 0}

    assert validate_plugin_data(data, ["name", "size"]) == {
        "valid": True,
        "data": data,
        "validated_fields": ["name", "size"],
    }


@pytest.mark.parametrize("error", [ValueError, PluginValidationError])
def test_data_without_a_field_is_refused(error: type[Exception]) -> None:
    with pytest.raises(error, match="Missing required fields: size, unit"):
        validate_plugin_data({"name": "a", "size": None}, ["name", "size", "unit"])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, None),
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "2026-01-02T03:04:05+00:00"),
        (date(2026, 1, 2), "2026-01-02"),
        ("2026-01-02", "2026-01-02"),
        (5, "5"),
    ],
    ids=["none", "time", "date", "text", "number"],
)
def test_times_are_written_in_iso_8601(value: Any, text: str | None) -> None:
    assert format_datetime_for_api(value) == text


@pytest.mark.parametrize(
    ("given", "expected"),
    [("racks", "racks"), ("_ra cks!-2-", "racks-2"), ("-_-", ""), ("", ""), ("r\u00e4cks", "rcks")],
)
def test_id_keeps_what_an_id_may_hold(given: str, expected: str) -> None:
    assert sanitize_plugin_id(given) == expected


def test_cache_key_is_the_plugin_s_own() -> None:
    assert generate_plugin_cache_key("ra cks", "units") == "pagoda:plugin:racks:units"


def test_config_of_the_plugin_lies_over_the_defaults() -> None:
    defaults = {"a": 1, "b": 2}

    assert merge_plugin_config(defaults, {"b": 3}) == {"a": 1, "b": 3}
    assert defaults == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    ("name", "expected"),
    [("racks", True), ("racks.api", True), ("ra-cks", False), ("racks.", False), ("", False), (None, False)],
)
def test_app_name_is_a_dotted_path(name: object, expected: bool) -> None:
    assert validate_django_app_name(name) is expected


def test_module_path_begins_with_the_id_as_an_identifier() -> None:
    assert get_plugin_module_path("hello-world", "api.views") == "hello_world.api.views"
