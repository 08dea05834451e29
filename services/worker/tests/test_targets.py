from __future__ import annotations

from dataclasses import dataclass

import pytest

from pagoda.config.settings import WorkerConfig
from pagoda.plugins.records import PluginRecord, PluginStatus, ReasonCode
from pagoda_plugin_sdk.exceptions import PluginLoadError
from pagoda_worker.targets import Target, TargetError, all_targets, find

INVENTORY = PluginRecord(id="inventory", entry_point_name="inv", status=PluginStatus.ACTIVE)
BROKEN = PluginRecord(
    id="broken",
    status=PluginStatus.SKIPPED,
    reason_code=ReasonCode.IMPORT_FAILED,
    reason="ImportError: no module 'x'",
)


@dataclass(frozen=True)
class FakePlugins:
    records: tuple[PluginRecord, ...] = (BROKEN, INVENTORY)

    @property
    def active(self) -> tuple[PluginRecord, ...]:
        return tuple(record for record in self.records if record.is_active)

    def get(self, name: str) -> PluginRecord:
        for record in self.records:
            if name in record.names:
                return record
        raise PluginLoadError(f"No enabled plugin is called {name!r}.")


def target(name: str, queue: str, concurrency: int = 1, memory_mb: int = 512) -> Target:
    return Target(name=name, queue=queue, concurrency=concurrency, memory_mb=memory_mb)


def test_fleet_is_the_core_and_each_active_plugin() -> None:
    assert all_targets(FakePlugins(), {}) == (
        target("core", "core"),
        target("inventory", "plugin.inventory"),
    )


@pytest.mark.parametrize("name", ["inventory", "inv"], ids=["id", "entry-point name"])
def test_plugin_is_found_and_sized_by_any_of_its_names(name: str) -> None:
    config = {name: WorkerConfig(concurrency=3, memory_mb=256)}
    assert find(name, FakePlugins(), config) == target("inventory", "plugin.inventory", 3, 256)
    assert all_targets(FakePlugins(), config)[1].concurrency == 3


def test_core_is_sized_by_its_name() -> None:
    assert find("core", FakePlugins(), {"core": WorkerConfig(concurrency=4)}) == target("core", "core", 4)


def test_skipped_plugin_is_refused_with_its_reason() -> None:
    with pytest.raises(TargetError) as caught:
        find("broken", FakePlugins(), {})
    assert str(caught.value) == (
        "Plugin 'broken' is skipped (import_failed), so its jobs can't be served: ImportError: no module 'x'"
    )


def test_plugin_sized_under_two_names_is_refused() -> None:
    config = {"inv": WorkerConfig(), "inventory": WorkerConfig()}
    with pytest.raises(TargetError) as caught:
        all_targets(FakePlugins(), config)
    assert str(caught.value) == (
        "PLUGIN_WORKER_CONFIG has plugin 'inventory' twice, as 'inventory' and as 'inv'. Keep one."
    )
