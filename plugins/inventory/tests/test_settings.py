from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from pagoda_inventory.settings import PSEUDO_FILESYSTEMS, InventorySettings


def test_defaults_scan_everything() -> None:
    settings = InventorySettings()

    assert (settings.include_packages, settings.package_folders, settings.max_packages) == (True, None, 5000)
    assert settings.skip_filesystem_types == PSEUDO_FILESYSTEMS


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"max_packages": -1}, "max_packages"),
        ({"gone_after_hours": 0}, "gone_after_hours"),
        ({"gone_after_hours": 1e9}, "gone_after_hours"),
        ({"max_packages": "many"}, "max_packages"),
        ({"include_packages": "perhaps"}, "include_packages"),
        ({"skip_filesystem_types": "tmpfs"}, "skip_filesystem_types"),
        ({"skip_filesystems": ["tmpfs"]}, "skip_filesystems"),
    ],
    ids=str,
)
def test_wrong_value_is_refused_with_its_field(values: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        InventorySettings.model_validate(values)

    assert [fault["loc"] for fault in caught.value.errors()] == [(field,)]


def test_values_come_as_json_holds_them() -> None:
    settings = InventorySettings.model_validate(
        {"package_folders": ["/opt/a"], "skip_filesystem_types": ["zfs"]}
    )

    assert [str(folder) for folder in settings.package_folders or ()] == ["/opt/a"]
    assert settings.skip_filesystem_types == {"zfs"}
