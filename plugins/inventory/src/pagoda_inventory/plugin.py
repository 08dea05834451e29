"""The plugin class: metadata, settings and hook handlers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.http import HttpRequest

from pagoda_inventory.formats import address_faults, version_faults
from pagoda_inventory.last_scan import LastScans, age_seconds
from pagoda_inventory.names import host_prefix
from pagoda_inventory.schema import HOST, INTERFACE, PACKAGE, SCHEMA
from pagoda_inventory.settings import InventorySettings
from pagoda_plugin_sdk import HookRejected, Plugin, PluginTaskConfig
from pagoda_plugin_sdk.decorators import entry_panel, get_attrs_hook, validation_hook
from pagoda_plugin_sdk.metadata import NavigationEntry
from pagoda_plugin_sdk.models import Entry
from pagoda_plugin_sdk.protocols import EntryProtocol, UserProtocol

TASK_CONFIG = PluginTaskConfig(
    plugin_id="inventory",
    module_path="pagoda_inventory.tasks",
    tasks={"scan": (0, "scan")},
    cancelable_operations=["scan"],
)

PACKAGES_SHOWN = 100
"""So many are in a panel."""


class InventoryPlugin(Plugin):
    """Keeps entries of the machines that its workers run on, and of what is on them."""

    id = "inventory"
    name = "Inventory"
    version = "1.0.0"
    description = "Takes stock of the machine it runs on: host, interfaces, file systems, Python packages"
    author = "Pagoda"
    api_v2_patterns = "pagoda_inventory.api.urls"
    console_patterns = "pagoda_inventory.pages"
    navigation = [NavigationEntry("Scans", "scans/")]
    settings_model = InventorySettings
    task_config = TASK_CONFIG
    permissions = [f"{kind}:{entity}" for entity in SCHEMA for kind in ("entity:write", "entry:write")]

    def __init__(self) -> None:
        super().__init__()
        self._last_scans = LastScans()

    @validation_hook(entity=PACKAGE)
    def refuse_wrong_version(
        self,
        user: UserProtocol | None,
        schema_name: str,
        name: str,
        attrs: list[dict[str, Any]],
        instance: EntryProtocol | None,
        **_context: Any,
    ) -> None:
        """Refuse a package whose version is not PEP 440."""
        _refuse(version_faults(_values(attrs)))

    @validation_hook(entity=INTERFACE)
    def refuse_wrong_addresses(
        self,
        user: UserProtocol | None,
        schema_name: str,
        name: str,
        attrs: list[dict[str, Any]],
        instance: EntryProtocol | None,
        **_context: Any,
    ) -> None:
        """Refuse an interface with addresses that are none."""
        _refuse(address_faults(_values(attrs)))

    @get_attrs_hook("entry", entity=HOST)
    def show_age_of_last_scan(
        self, entry: EntryProtocol, attrinfo: list[dict[str, Any]], is_retrieve: bool, **_context: Any
    ) -> list[dict[str, Any]]:
        """Show how old the facts of a host are; None when no scan is known."""
        with self.authority():  # whoever asked for the scan
            last_scan = self._last_scans.of(entry.name)
        return [
            *attrinfo,
            {
                "id": None,  # computed: it has no EntityAttr
                "name": "last_scan_age_seconds",
                "type": "number",
                "value": None if last_scan is None else age_seconds(last_scan),
                "is_mandatory": False,
                "is_readable": True,
            },
        ]

    @entry_panel(entity=HOST, title="Python packages")
    def show_packages(self, request: HttpRequest, entry: EntryProtocol) -> tuple[str, dict[str, Any]]:
        """Show what is installed on a host, as far as the user may see it."""
        found = Entry.objects.filter(
            schema__name=PACKAGE, is_active=True, name__startswith=host_prefix(entry.name)
        )
        first = list(found.order_by("name")[:PACKAGES_SHOWN])
        values = Entry.objects.read_attrs(first)
        packages = [(each, values[each.id]) for each in first]
        return "inventory/packages.html", {"packages": packages, "more": found.count() - len(first)}


def _values(attrs: Iterable[dict[str, Any]]) -> dict[str, Any]:
    return {attr["name"]: attr["value"] for attr in attrs}


def _refuse(faults: Iterable[str]) -> None:
    found = list(faults)
    if found:
        raise HookRejected(" ".join(found))
