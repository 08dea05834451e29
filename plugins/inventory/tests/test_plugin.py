from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from pagoda_inventory.plugin import TASK_CONFIG, InventoryPlugin
from pagoda_inventory.tasks import scan
from pagoda_plugin_sdk import HookRejected, Job, JobStatus
from pagoda_plugin_sdk.task_registry import load_task
from pagoda_plugin_sdk.tasks import task_offset, task_options
from pagoda_plugin_sdk.testing import MemoryHost, handlers_of, run_hook


def test_class_is_a_valid_plugin() -> None:
    info = InventoryPlugin().get_info()

    assert (info["id"], info["api_v2_patterns"]) == ("inventory", "pagoda_inventory.api.urls")
    assert info["hooks"] == ["entry.get_attrs", "entry.validate"]


def test_declared_task_is_the_scan() -> None:
    offset, function = TASK_CONFIG.tasks["scan"]
    options = task_options(scan)

    assert load_task(TASK_CONFIG.module_path, function) is scan
    assert task_offset(scan) == offset == 0
    assert list(TASK_CONFIG.cancelable_operations) == ["scan"]
    assert options is not None
    assert options.singleton


def attrs(**values: Any) -> list[dict[str, Any]]:
    return [{"id": 1, "name": name, "value": value} for name, value in values.items()]


def validate(plugin: InventoryPlugin, entity_name: str, **values: Any) -> None:
    run_hook(plugin, "entry.validate", None, entity_name, "x", attrs(**values), None, entity_name=entity_name)


@pytest.mark.parametrize(
    ("entity_name", "values", "named"),
    [
        ("PythonPackage", {"version": "1.0 final"}, "Attribute 'version' is '1.0 final'"),
        ("NetworkInterface", {"addresses": ["nowhere"]}, "Attribute 'addresses' holds 'nowhere'"),
        ("NetworkInterface", {"mac": "nowhere", "addresses": []}, "Attribute 'mac' is 'nowhere'"),
    ],
)
def test_wrong_value_is_refused_with_attribute_and_value(
    entity_name: str, values: dict[str, Any], named: str, plugin: InventoryPlugin
) -> None:
    with pytest.raises(HookRejected) as caught:
        validate(plugin, entity_name, **values)

    assert str(caught.value).startswith(named)


def test_all_faults_are_told_together(plugin: InventoryPlugin) -> None:
    with pytest.raises(HookRejected) as caught:
        validate(plugin, "NetworkInterface", addresses=["a", "b"], mac="c")

    assert [name in str(caught.value) for name in ("'a'", "'b'", "'c'")] == [True] * 3


@pytest.mark.parametrize(
    ("entity_name", "values"),
    [
        ("PythonPackage", {"version": "1.0"}),
        ("PythonPackage", {"version": None}),
        ("NetworkInterface", {"addresses": ["192.0.2.7", "02:42:ac:11:00:02"], "mac": None}),
        ("Firmware", {"version": "final"}),
    ],
    ids=["version", "no version", "addresses", "other entity"],
)
def test_right_values_and_other_entities_pass(
    entity_name: str, values: dict[str, Any], plugin: InventoryPlugin, host: MemoryHost
) -> None:
    validate(plugin, entity_name, **values)

    assert len(handlers_of(plugin, "entry.validate", entity_name)) == (0 if entity_name == "Firmware" else 1)


def shown(plugin: InventoryPlugin, hostname: str, entity_name: str = "Host") -> list[dict[str, Any]]:
    entry = SimpleNamespace(name=hostname)
    stored = [{"id": 1, "name": "os", "value": "Linux"}]
    result: list[dict[str, Any]] = run_hook(
        plugin, "entry.get_attrs", entry, stored, True, entity_name=entity_name
    )
    return result


def test_age_of_the_last_scan_is_shown_on_hosts(plugin: InventoryPlugin, host: MemoryHost) -> None:
    job: Any = Job.objects.submit(plugin="inventory", operation_name="scan", user=None)
    job.update(JobStatus.DONE)
    job.result = {"host": "web-1", "scanned_at": (datetime.now(UTC) - timedelta(hours=1)).isoformat()}

    stored, computed = shown(plugin, "web-1")

    assert stored["name"] == "os"
    assert computed.pop("value") == pytest.approx(3600, abs=60)
    assert computed == {
        "id": None,
        "name": "last_scan_age_seconds",
        "type": "number",
        "is_mandatory": False,
        "is_readable": True,
    }


def test_host_that_was_never_scanned_has_no_age(plugin: InventoryPlugin, host: MemoryHost) -> None:
    assert shown(plugin, "web-1")[-1]["value"] is None


def test_page_of_hosts_asks_once(plugin: InventoryPlugin, host: MemoryHost) -> None:
    before = host.reads

    for number in range(100):
        shown(plugin, f"web-{number}")

    assert host.reads == before + 1


def test_other_entities_are_shown_as_they_are(plugin: InventoryPlugin, host: MemoryHost) -> None:
    assert [attr["name"] for attr in shown(plugin, "web-1", "Filesystem")] == ["os"]
